//! A history of many messages, as the lines that `parlour import` takes. What is written for more messages begins with what is written
//! for fewer, so a database can grow.

use std::io::{Result, Write};

/// The user with many conversations, who only reads.
pub const READER: &str = "reader";

/// Conversations of the reader: the biggest is the first of them.
pub const LISTED: u64 = 1_000;

/// The number of the biggest conversation.
pub const BIGGEST: u64 = 1;

/// People in the biggest conversation, beside the reader.
const PEOPLE: u64 = 99;

/// So many messages are spread over a thousand conversations of others; then come the next thousand.
const BLOCK: u64 = 100_000;

/// Conversations of others that a block has.
const OTHERS: u64 = 1_000;

/// Conversations that each of the others has begun; about as many others have begun with him.
const EACH: u64 = 5;

/// So many of the last messages nobody has read; one of five is for the reader.
const UNREAD: u64 = 1_000;

/// How many messages the reader has not read.
pub const UNREAD_BY_READER: u64 = UNREAD / 5;

/// Time between two messages.
const MILLIS: u64 = 100;

/// How many messages the biggest conversation has, when there are so many in all.
#[must_use]
pub const fn in_biggest(messages: u64) -> u64 {
    messages.div_ceil(10)
}

/// Writes the messages from one number to another, counted from 0, and the conversations that begin with them.
///
/// One message of ten is said in the biggest conversation, one in another of the reader's, the rest among others.
///
/// # Errors
/// When it cannot be written.
pub fn write(out: &mut impl Write, from: u64, to: u64) -> Result<()> {
    writeln!(out, r#"{{"type":"parlour","version":1,"source":"bench"}}"#)?;
    for number in from..to {
        if number == 0 {
            conversations_of_reader(out)?;
        }
        if number.is_multiple_of(BLOCK) {
            conversations_of_others(out, number / BLOCK)?;
        }
        message(out, number, number + UNREAD < to)?;
    }
    Ok(())
}

fn conversations_of_reader(out: &mut impl Write) -> Result<()> {
    write!(
        out,
        r#"{{"type":"conversation","id":{BIGGEST},"kind":"group","title":"All","participants":["{READER}""#
    )?;
    for member in 0..PEOPLE {
        write!(out, r#","member-{member}""#)?;
    }
    writeln!(out, "]}}")?;
    for friend in 1..LISTED {
        direct(out, friend + 1, READER, &format!("friend-{friend}"))?;
    }
    Ok(())
}

fn conversations_of_others(out: &mut impl Write, block: u64) -> Result<()> {
    (block * OTHERS..(block + 1) * OTHERS).try_for_each(|conversation| {
        let (one, other) = people(conversation);
        direct(out, LISTED + 1 + conversation, &one, &other)
    })
}

/// The two of a conversation of others. No other one is of the same two.
fn people(conversation: u64) -> (String, String) {
    let one = conversation / EACH;
    (format!("other-{one}"), format!("other-{}", one + 1 + conversation % EACH))
}

fn direct(out: &mut impl Write, id: u64, one: &str, other: &str) -> Result<()> {
    writeln!(
        out,
        r#"{{"type":"conversation","id":{id},"kind":"direct","participants":["{one}","{other}"]}}"#
    )
}

fn message(out: &mut impl Write, number: u64, is_read: bool) -> Result<()> {
    let turn = number / 10;
    let (conversation, sender) = match number % 10 {
        0 => (BIGGEST, format!("member-{}", turn % PEOPLE)),
        1 => {
            let friend = turn % (LISTED - 1) + 1;
            (friend + 1, format!("friend-{friend}"))
        }
        rest => {
            let count = turn * 8 + rest - 2;
            let conversation = number / BLOCK * OTHERS + count % OTHERS;
            let (one, other) = people(conversation);
            let is_first = (count / OTHERS).is_multiple_of(2);
            (LISTED + 1 + conversation, if is_first { one } else { other })
        }
    };
    let id = number + 1;
    write!(
        out,
        r#"{{"type":"message","id":{id},"conversation":{conversation},"sender":"{sender}","client_id":"c{number}","#
    )?;
    if !is_read {
        write!(out, r#""read_by":[],"#)?;
    }
    write!(out, r#""created_at":""#)?;
    time(out, number * MILLIS)?;
    writeln!(out, r#"","content":"What was said {id:<35}."}}"#)
}

/// So many milliseconds after the first of January 2025; there are fewer than of that month.
fn time(out: &mut impl Write, millis: u64) -> Result<()> {
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let (days, hours) = (hours / 24 + 1, hours % 24);
    write!(out, "2025-01-{days:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;

    fn lines(from: u64, to: u64) -> Vec<Value> {
        let mut out = Vec::new();
        write(&mut out, from, to).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_is_said_is_said_by_those_who_are_there() {
        let mut all = lines(0, 10_000);
        all.extend(lines(10_000, 200_000).into_iter().skip(1));
        let (mut present, mut said) = (BTreeMap::new(), BTreeMap::<u64, u64>::new());
        let (mut pairs, mut listed) = (BTreeSet::new(), 0);
        for line in all.iter().skip(1) {
            let id = line["id"].as_u64().unwrap();
            if line["type"] == "conversation" {
                let people: Vec<_> = line["participants"].as_array().unwrap().clone();
                listed += u64::from(people.contains(&READER.into()));
                assert!(pairs.insert(format!("{people:?}")), "two conversations of the same");
                assert!(present.insert(id, people).is_none());
                continue;
            }
            let conversation = line["conversation"].as_u64().unwrap();
            assert!(present[&conversation].contains(&line["sender"]), "{line}");
            *said.entry(conversation).or_default() += 1;
        }
        assert_eq!(listed, LISTED);
        assert_eq!(said.values().sum::<u64>(), 200_000);
        assert_eq!(said[&BIGGEST], in_biggest(200_000));
        assert_eq!(said.len() as u64, LISTED + 2 * OTHERS);
        assert!(said.iter().all(|(id, count)| *id <= LISTED || *count == 80));
    }

    #[test]
    fn the_last_are_not_read_and_none_is_later_than_its_month() {
        let unread = |line: &&Value| line["read_by"] == Value::Array(Vec::new());
        assert_eq!(lines(0, 10_000).iter().filter(unread).count() as u64, UNREAD);
        let last = lines(9_999_999, 10_000_000).pop().unwrap();
        assert_eq!(last["created_at"], "2025-01-12T13:46:39.900Z");
        assert_eq!(last["content"].as_str().unwrap().len(), 50);
    }
}
