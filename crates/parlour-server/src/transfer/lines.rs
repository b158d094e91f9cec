//! Reading lines of bounded length, and the first and last of a file.

use std::io::{BufRead, Read as _};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{LONGEST_LINE, VERSION, fields::Time};

/// Lines with their numbers, from one. Empty ones are passed over.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, line: Vec::new() }
    }

    /// The next line, without its end; `None` at the end of the input.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<(u64, &[u8])>> {
        loop {
            self.line.clear();
            let mut bounded = self.input.by_ref().take(LONGEST_LINE as u64 + 1);
            let read = bounded.read_until(b'\n', &mut self.line).context("cannot read on")?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let number = self.number;
            anyhow::ensure!(
                read <= LONGEST_LINE,
                "line {number} is longer than {LONGEST_LINE} bytes: is this JSON Lines, one object a line?"
            );
            if number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((number, self.line.trim_ascii())));
            }
        }
    }
}

/// What kind of line it is.
#[derive(Deserialize)]
pub(super) struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: std::borrow::Cow<'a, str>,
}

/// The type of the first line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FirstType {
    Parlour,
}

/// The type of the last line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LastType {
    End,
}

/// The first line: what the others are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct First {
    #[serde(rename = "type")]
    pub(super) kind: FirstType,
    pub(super) version: u32,
    /// The name of the host application whose history follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// The lines are an export of Parlour.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) exact: bool,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made_at: Option<Time>,
}

impl First {
    pub(super) fn read(line: Option<(u64, &[u8])>) -> anyhow::Result<Self> {
        const WANTED: &str = "the first line must be {\"type\":\"parlour\",\"version\":1}";
        let Some((number, line)) = line else {
            anyhow::bail!("the file is empty: {WANTED}");
        };
        let first: Self = serde_json::from_slice(line)
            .ok()
            .with_context(|| format!("line {number}: {WANTED}"))?;
        anyhow::ensure!(
            first.version == VERSION,
            "line {number}: this program reads version {VERSION} of the format, not {}",
            first.version
        );
        Ok(first)
    }
}

/// The last line of an export: it tells that nothing is missing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Last {
    #[serde(rename = "type")]
    pub(super) kind: LastType,
    /// How many lines there are between the first and this one.
    pub(super) lines: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(text);
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            all.push((number, String::from_utf8_lossy(line).into_owned()));
        }
        all
    }

    #[test]
    fn lines_of_any_system_are_numbered() {
        let text = b"\xef\xbb\xbf{}\r\n\n  \n{\"a\":1}";
        assert_eq!(all(text), [(1, "{}".to_owned()), (4, "{\"a\":1}".to_owned())]);
        assert!(Lines::new(&vec![b'x'; LONGEST_LINE + 1][..]).next().is_err());
        assert!(Lines::new(&vec![b'x'; LONGEST_LINE][..]).next().is_ok());
    }

    #[test]
    fn the_first_line_tells_what_follows() {
        let first = First::read(Some((1, br#"{"type":"parlour","version":1,"source":"shop"}"#)));
        assert_eq!(first.unwrap().source.as_deref(), Some("shop"));
        for line in
            [&br#"{"type":"parlour","version":2}"#[..], br#"{"version":1}"#, b"[]", b"id,text"]
        {
            assert!(First::read(Some((1, line))).is_err(), "{}", String::from_utf8_lossy(line));
        }
    }
}
