//! What a client was told, in the order in which it was told, in the words of no dialect.

use std::collections::{HashMap, HashSet};

use crate::device::{MARKER, MARKER_LENGTH};

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Its id.
    pub id: u64,
    /// Whose it is. A number is its digits.
    pub sender: String,
    /// What it says.
    pub text: String,
    /// When it was said, as the dialect writes it.
    pub created_at: String,
}

/// One thing that a client was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Somebody, perhaps the client's own user, said something.
    Said(Said),
    /// A message says something else now.
    Edited {
        /// Which.
        id: u64,
        /// The new text.
        text: String,
    },
    /// A message was taken back.
    Deleted {
        /// Which.
        id: u64,
    },
    /// More was missed than is sent again.
    Resync,
    /// The server refused something.
    Refused(String),
    /// The connection ended; the close code, if there was one.
    Ended(Option<u16>),
}

impl Heard {
    /// Which message it is about.
    const fn message(&self) -> Option<u64> {
        match self {
            Self::Said(Said { id, .. }) | Self::Edited { id, .. } | Self::Deleted { id } => {
                Some(*id)
            }
            Self::Resync | Self::Refused(_) | Self::Ended(_) => None,
        }
    }
}

/// Everything that a client was told, over all its connections, and what it must remember itself.
#[derive(Clone, Debug, Default)]
pub struct Log {
    heard: Vec<Heard>,
    own: usize,
    resyncs: usize,
    ids: HashSet<u64>,
    said: HashSet<String>,
    secrets: HashSet<String>,
    texts: HashMap<String, String>,
    /// Where it stands, for clients that keep a position: epoch and seq.
    pub(crate) position: Option<(u64, u64)>,
}

impl Log {
    /// Everything.
    #[must_use]
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// How many messages of the client's own user it was told of.
    #[must_use]
    pub const fn own(&self) -> usize {
        self.own
    }

    /// Whether it was told of a message with this text.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        self.said.contains(text)
    }

    /// Whether it was told of a message with this id.
    #[must_use]
    pub fn knows(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// The messages.
    pub fn said(&self) -> impl Iterator<Item = &Said> {
        self.heard.iter().filter_map(|heard| match heard {
            Heard::Said(said) => Some(said),
            _ => None,
        })
    }

    pub(crate) fn add(&mut self, heard: Heard, me: &str) {
        if let Heard::Said(said) = &heard {
            self.own += usize::from(said.sender == me);
            self.ids.insert(said.id);
            self.said.insert(said.text.clone());
        }
        self.resyncs += usize::from(heard == Heard::Resync);
        self.heard.push(heard);
    }

    /// Takes down what was loaded beside the connection, which was begun when so much had been heard: what the connection has
    /// told of a message since then is newer.
    pub(crate) fn add_loaded(&mut self, since: usize, mut loaded: Vec<Heard>, me: &str) {
        let told: HashSet<_> = self.heard.iter().skip(since).filter_map(Heard::message).collect();
        loaded.retain(|heard| heard.message().is_none_or(|id| !told.contains(&id)));
        for heard in loaded {
            self.add(heard, me);
        }
    }

    /// The messages as they are after all that it was told: the text, or nothing for what was taken back.
    #[must_use]
    pub fn state(&self) -> HashMap<u64, Option<&str>> {
        let mut state = HashMap::new();
        for heard in &self.heard {
            match heard {
                Heard::Said(said) => state.insert(said.id, Some(said.text.as_str())),
                Heard::Edited { id, text } => state.insert(*id, Some(text.as_str())),
                Heard::Deleted { id } => state.insert(*id, None),
                Heard::Resync | Heard::Refused(_) | Heard::Ended(_) => continue,
            };
        }
        state
    }

    /// How often it was told to load the conversation anew.
    #[must_use]
    pub const fn resyncs(&self) -> usize {
        self.resyncs
    }

    /// The secret words of conversations that were in anything it was sent.
    #[must_use]
    pub const fn secrets(&self) -> &HashSet<String> {
        &self.secrets
    }

    /// Takes down the secret words in what was on the wire.
    pub(crate) fn note(&mut self, wire: &str) {
        for (at, _) in wire.match_indices(MARKER) {
            let word =
                wire.get(at..at + MARKER_LENGTH).filter(|word| !self.secrets.contains(*word));
            if let Some(word) = word {
                self.secrets.insert(word.into());
            }
        }
    }

    /// Remembers what the client itself says, for dialects that do not repeat it.
    pub(crate) fn remember(&mut self, client_id: &str, text: &str) {
        self.texts.insert(client_id.into(), text.into());
    }

    /// What the client itself said under a name; nothing if it did not.
    pub(crate) fn remembered(&self, client_id: &str) -> String {
        self.texts.get(client_id).cloned().unwrap_or_default()
    }

    pub(crate) fn moved(&mut self, seq: u64) {
        if let Some((_, known)) = &mut self.position {
            *known = seq.max(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: u64, text: &str) -> Heard {
        let (sender, created_at) = ("1".to_owned(), String::new());
        Heard::Said(Said { id, sender, text: text.to_owned(), created_at })
    }

    #[test]
    fn what_was_loaded_does_not_bring_back_what_was_taken_back_meanwhile() {
        let mut log = Log::default();
        log.add(said(1, "old"), "2");
        let since = log.heard().len();
        log.add(Heard::Deleted { id: 1 }, "2");
        log.add(Heard::Edited { id: 2, text: "new".to_owned() }, "2");
        log.add_loaded(since, vec![said(1, "old"), said(2, "old"), said(3, "missed")], "2");
        let state = log.state();
        assert_eq!((state[&1], state[&2], state[&3]), (None, Some("new"), Some("missed")));
    }
}
