//! Every word of the protocol is in `contract/asyncapi.yaml`, and every word there is one of the protocol.

use std::collections::BTreeSet;

use crate::{fixtures::contract, transcripts::told};

/// The commands that the decoder knows, read from its own source.
fn commands() -> BTreeSet<String> {
    let source = include_str!("../../src/native/decode.rs");
    let begin = source.find("match &*fields.command {").expect("the decoder's table");
    let table = &source[begin..source[begin..].find("there is no command").unwrap() + begin];
    let arms = table.lines().filter_map(|line| line.trim().strip_prefix('"'));
    arms.filter_map(|arm| arm.split_once("\" =>")).map(|(word, _)| word.to_owned()).collect()
}

#[test]
fn asyncapi_names_exactly_what_is_spoken() {
    let document = std::fs::read_to_string(contract("asyncapi.yaml")).unwrap();
    let described: BTreeSet<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("      name: "))
        .map(str::to_owned)
        .collect();
    let mut spoken = commands();
    assert!(spoken.contains("message.send") && spoken.len() >= 13, "{spoken:?}");
    spoken.extend(told());
    assert_eq!(described, spoken);
}
