//! What a client of PostgreSQL asks: enough to know when it commits.

/// What is done when a commit goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// The connection is cut; the server never hears of the commit.
    CutBefore,
    /// The server commits; its answer is lost, and then the connection.
    CutAfter,
    /// Nothing, but whoever waits for it is told, and does something worse.
    Tell,
}

/// A commit in some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Met {
    /// Where its message begins.
    pub(super) begins: usize,
}

/// Follows the messages of a client. One is a type and a length; the first one of a connection has no type.
#[derive(Default)]
pub(super) struct Questions {
    begun: bool,
    /// Bytes of a message whose end has not come.
    part: Vec<u8>,
    /// A statement that changes something was asked for since the last commit.
    changing: bool,
    /// An explicit transaction is open: its commit will be said.
    explicit: bool,
    /// It changes nothing.
    reading: bool,
}

impl Questions {
    /// Takes bytes; where a commit begins in them, if it was asked to look.
    pub(super) fn pass(&mut self, bytes: &[u8], look: bool) -> Option<Met> {
        let before = self.part.len();
        self.part.extend_from_slice(bytes);
        let (mut at, mut met) = (0, None);
        loop {
            let rest = self.part.get(at..).unwrap_or_default();
            let header = usize::from(self.begun);
            let length = rest.get(header..header + 4).and_then(|length| length.try_into().ok());
            let Some(length) = length.map(u32::from_be_bytes) else { break };
            let end = header + usize::try_from(length).unwrap_or(usize::MAX / 2);
            let Some(message) = rest.get(..end) else { break };
            let (kind, body) = match (self.begun, message.split_first()) {
                (true, Some((kind, _))) => (*kind, message.get(5..).unwrap_or_default().to_vec()),
                _ => (0, message.get(4..).unwrap_or_default().to_vec()),
            };
            if look && self.commits(kind, &body) && met.is_none() {
                met = Some(Met { begins: at.saturating_sub(before) });
            }
            if kind == 0 {
                // A request for encryption (80877103) is followed by the real beginning.
                self.begun = body != 80_877_103_u32.to_be_bytes();
            }
            at += end;
        }
        self.part.drain(..at);
        met
    }

    /// Whether a message asks to commit what was changed: in words, or as the end of statements without a transaction
    /// around them.
    fn commits(&mut self, kind: u8, body: &[u8]) -> bool {
        // The name of what is prepared stands before the statement.
        let body = match kind {
            b'P' => body.splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default(),
            _ => body,
        };
        let text = body.trim_ascii_start().to_ascii_uppercase();
        let has = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
        match kind {
            b'Q' | b'P' if text.starts_with(b"COMMIT") || text.starts_with(b"ROLLBACK") => {
                self.explicit = false;
                let reading = std::mem::take(&mut self.reading);
                std::mem::take(&mut self.changing) && !reading && text.starts_with(b"COMMIT")
            }
            b'Q' | b'P' => {
                if text.starts_with(b"BEGIN") || text.starts_with(b"START TRANSACTION") {
                    self.explicit = true;
                    self.reading = has(b"READ ONLY");
                }
                self.changing |= has(b"INSERT") || has(b"UPDATE") || has(b"DELETE");
                kind == b'Q' && self.changing && !self.explicit
            }
            // Prepared statements are known by name only: whatever is executed may change something.
            b'E' => {
                self.changing = true;
                false
            }
            b'S' if !self.explicit => std::mem::take(&mut self.changing),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn start() -> Vec<u8> {
        message(0, b"\0\x03\0\0user\0me\0\0")[1..].to_vec()
    }

    #[test]
    fn a_commit_is_met_wherever_the_bytes_are_cut() {
        let before =
            [start(), message(b'Q', b"BEGIN\0"), message(b'Q', b"INSERT INTO t\0")].concat();
        let bytes = [before.clone(), message(b'Q', b"COMMIT\0")].concat();
        assert_eq!(Questions::default().pass(&bytes, true), Some(Met { begins: before.len() }));
        for cut in 0..bytes.len() {
            let mut questions = Questions::default();
            assert_eq!(questions.pass(&bytes[..cut], true), None, "cut at {cut}");
            let begins = before.len().saturating_sub(cut);
            assert_eq!(questions.pass(&bytes[cut..], true), Some(Met { begins }), "cut at {cut}");
        }
    }

    #[test]
    fn the_end_of_a_statement_alone_is_a_commit_too() {
        let mut questions = Questions::default();
        assert_eq!(questions.pass(&start(), true), None);
        let alone = [message(b'P', b"\0UPDATE t SET a = 1\0\0\0"), message(b'S', b"")].concat();
        assert!(questions.pass(&alone, true).is_some());
        let read = [message(b'Q', b"SELECT 1\0"), message(b'S', b"")].concat();
        assert_eq!(questions.pass(&read, true), None);
    }

    #[test]
    fn what_only_reads_and_what_only_names_it_is_no_commit() {
        let mut questions = Questions::default();
        let words = b"BEGIN; SET LOCAL synchronous_commit = on\0";
        let begin = [start(), message(b'Q', words), message(b'S', b"")].concat();
        assert_eq!(questions.pass(&begin, true), None);
        assert_eq!(questions.pass(&message(b'Q', b"ROLLBACK\0"), true), None);
        let read = [
            message(b'Q', b"BEGIN READ ONLY\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'Q', b"COMMIT\0"),
        ];
        assert_eq!(questions.pass(&read.concat(), true), None);
    }
}
