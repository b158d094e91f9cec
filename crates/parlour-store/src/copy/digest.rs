//! Tells whether two databases hold the same: a count and a sum for each table, and a chain for each log.

use sha2::{Digest as _, Sha256};

use super::tables::{Row, Table, Value};

/// How many rows a table has, and a sum over them that does not depend on their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u128,
}

impl Tally {
    fn add(&mut self, hash: u128) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
    }
}

/// A conversation's log in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogDigest {
    /// Which conversation.
    pub conversation: u64,
    /// The seq of its last Change.
    pub last_seq: u64,
    /// How many messages it has.
    pub messages: u64,
    /// A hash over its messages in the order of their seqs.
    pub hash: u128,
}

/// What a database holds, in short.
#[derive(Default, Debug)]
pub(crate) struct Summary {
    /// In the order of the tables.
    pub(crate) tallies: Vec<(&'static str, Tally)>,
    /// In the order of conversations.
    pub(crate) logs: Vec<LogDigest>,
}

/// A table on its way through.
pub(crate) struct TableDigest {
    table: &'static Table,
    tally: Tally,
    log: Option<Chain>,
    /// The place in `logs` of the next conversation that a message may belong to.
    next: usize,
}

/// The messages of one conversation so far.
struct Chain {
    conversation: u64,
    messages: u64,
    hash: u128,
}

impl TableDigest {
    pub(crate) const fn new(table: &'static Table) -> Self {
        Self { table, tally: Tally { rows: 0, sum: 0 }, log: None, next: 0 }
    }

    /// Counts a row. Conversations come before messages, both in the order of their tables.
    pub(crate) fn add(&mut self, row: &Row, summary: &mut Summary) {
        let hash = hash(row);
        self.tally.add(hash);
        match self.table.name {
            "conversations" => summary.logs.push(LogDigest {
                conversation: self.number(row, "id"),
                last_seq: self.number(row, "last_seq"),
                messages: 0,
                hash: 0,
            }),
            "messages" => {
                let conversation = self.number(row, "conversation");
                if self.log.as_ref().is_none_or(|log| log.conversation != conversation) {
                    self.end_log(summary);
                    self.log = Some(Chain { conversation, messages: 0, hash: 0 });
                }
                if let Some(log) = &mut self.log {
                    log.messages += 1;
                    log.hash = chained(log.hash, hash);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn end(mut self, summary: &mut Summary) {
        self.end_log(summary);
        summary.tallies.push((self.table.name, self.tally));
    }

    fn end_log(&mut self, summary: &mut Summary) {
        let Some(chain) = self.log.take() else { return };
        let rest = summary.logs.get_mut(self.next..).unwrap_or_default();
        // A message of a conversation that is not there counts in its table alone.
        if let Ok(found) = rest.binary_search_by_key(&chain.conversation, |log| log.conversation)
            && let Some(log) = rest.get_mut(found)
        {
            (log.messages, log.hash) = (chain.messages, chain.hash);
            self.next += found + 1;
        }
    }

    fn number(&self, row: &Row, column: &str) -> u64 {
        match self.table.place(column).and_then(|place| row.get(place)) {
            Some(Value::Int(number)) => u64::try_from(*number).unwrap_or_default(),
            _ => 0,
        }
    }
}

/// Hashes a row so that no value runs into the next.
fn hash(row: &Row) -> u128 {
    let mut hash = Sha256::new();
    for value in row {
        match value {
            Value::Null => hash.update([0]),
            Value::Int(number) => {
                hash.update([1]);
                hash.update(number.to_be_bytes());
            }
            Value::Text(text) => {
                hash.update([2]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            Value::Bytes(bytes) => {
                hash.update([3]);
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        }
    }
    front(hash)
}

fn chained(before: u128, next: u128) -> u128 {
    let mut hash = Sha256::new();
    hash.update(before.to_be_bytes());
    hash.update(next.to_be_bytes());
    front(hash)
}

fn front(hash: Sha256) -> u128 {
    hash.finalize().iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> &'static Table {
        Table::all().iter().find(|table| table.name == name).unwrap()
    }

    fn row(table: &Table, set: &[(&str, i64)]) -> Row {
        let mut row = vec![Value::Null; table.columns.len()];
        for (name, value) in set {
            row[table.place(name).unwrap()] = Value::Int(*value);
        }
        row
    }

    fn summary(conversations: &[Row], messages: &[Row]) -> Summary {
        let mut summary = Summary::default();
        for (name, rows) in [("conversations", conversations), ("messages", messages)] {
            let mut digest = TableDigest::new(table(name));
            rows.iter().for_each(|row| digest.add(row, &mut summary));
            digest.end(&mut summary);
        }
        summary
    }

    #[test]
    fn a_table_is_the_same_in_any_order_and_a_log_is_not() {
        let conversations =
            [1, 2, 5].map(|id| row(table("conversations"), &[("id", id), ("last_seq", id * 10)]));
        let message = |id, conversation, seq| {
            row(table("messages"), &[("id", id), ("conversation", conversation), ("seq", seq)])
        };
        let (a, b, c) = (message(1, 2, 1), message(2, 2, 2), message(3, 5, 1));
        let one = summary(&conversations, &[a.clone(), b.clone(), c.clone()]);
        let other = summary(&conversations, &[b, a, c.clone()]);
        assert_eq!(one.tallies, other.tallies);
        assert_ne!(one.logs[1].hash, other.logs[1].hash);
        assert_eq!(one.logs[2], other.logs[2]);
        let counts: Vec<_> =
            one.logs.iter().map(|log| (log.conversation, log.last_seq, log.messages)).collect();
        assert_eq!(counts, [(1, 10, 0), (2, 20, 2), (5, 50, 1)]);
        let less = summary(&conversations, &[c]);
        assert_ne!(one.tallies[1], less.tallies[1]);
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let text = |text: &str| Value::Text(text.into());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc"), Value::Null],
            vec![Value::Null, text("abc")],
            vec![Value::Bytes(b"ab".to_vec()), text("c")],
            vec![Value::Int(0), text("c")],
        ];
        for (place, one) in rows.iter().enumerate() {
            assert!(rows.iter().skip(place + 1).all(|other| hash(one) != hash(other)));
        }
    }
}
