//! The tables of `contract/` are what the program has.

use parlour_core::{Code, error::Class};
use toml::Table;

use crate::repository::read;

#[test]
fn error_codes_are_those_of_the_contract() {
    let text = read("contract/errors.toml").unwrap();
    let table: Table = text.parse().unwrap();
    assert_eq!(table.len(), Code::ALL.len());
    let mut place = 0;
    for code in Code::ALL {
        let entry = &table[code.as_str()];
        let class = match code.class() {
            Class::Rejected => "rejected",
            Class::Retry => "retry",
            Class::Unknown => "unknown",
        };
        assert_eq!(entry["class"].as_str(), Some(class), "{}", code.as_str());
        assert!(entry["status"].as_integer().is_some_and(|status| (400..600).contains(&status)));
        let at = text.find(&format!("[{}]\n", code.as_str())).unwrap();
        assert!(at >= place, "{} is out of order", code.as_str());
        place = at;
    }
}

#[test]
fn close_codes_are_numbers_with_a_name_and_an_advice() {
    let table: Table = read("contract/close_codes.toml").unwrap().parse().unwrap();
    let mut names: Vec<&str> = Vec::new();
    for (number, entry) in &table {
        let number: u16 = number.parse().unwrap();
        assert!((1001..=1014).contains(&number) || (4400..4600).contains(&number), "{number}");
        assert!(entry["reconnect"].is_bool(), "{number}");
        names.push(entry["name"].as_str().unwrap());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), table.len(), "a name is used twice");
}
