//! Short words for histories written by hand: conversation 1, alice and bob in it, a connection for each device.

use crate::history::{Action, Answer, Cause, Change, Entry, FinalRead, Kind, Message, What};

/// A history in the making.
#[derive(Clone, Default)]
pub(super) struct Script(Vec<What>);

/// A message of alice's whose id is a hundred more than its seq.
pub(super) fn message(seq: u64, client: &str, content: &str) -> Message {
    Message {
        id: 100 + seq,
        seq,
        change_seq: seq,
        sender: "alice".into(),
        client_id: Some(client.into()),
        content: Some(content.into()),
    }
}

/// The same message after a later Change.
pub(super) fn changed(message: &Message, change_seq: u64, content: Option<&str>) -> Message {
    Message { change_seq, content: content.map(Into::into), ..message.clone() }
}

/// An event about a message.
pub(super) fn event(kind: Kind, message: &Message) -> Change {
    Change { seq: message.change_seq, kind, message: Some(message.clone()), user: None }
}

/// An event about a participant.
pub(super) fn movement(kind: Kind, seq: u64, user: &str) -> Change {
    Change { seq, kind, message: None, user: Some(user.into()) }
}

impl Script {
    /// Conversation 1 with alice and bob, whose devices are connected and at the beginning.
    pub(super) fn new() -> Self {
        let members = vec!["alice".to_owned(), "bob".to_owned()];
        let marker = "secret-1".to_owned();
        Self(vec![What::Conversation { conversation: 1, marker, members }])
            .connect("alice", 1)
            .base("alice", 0)
            .connect("bob", 2)
            .base("bob", 0)
    }

    pub(super) fn add(mut self, what: What) -> Self {
        self.0.push(what);
        self
    }

    pub(super) fn connect(self, user: &str, conn: u64) -> Self {
        let device = user.to_owned();
        self.add(What::Connected { device: device.clone(), conn, user: user.into() })
            .add(What::Resume { conn, device })
    }

    pub(super) fn base(self, device: &str, seq: u64) -> Self {
        self.add(What::Base { device: device.into(), conversation: 1, seq })
    }

    /// Alice sends on connection `conn`.
    pub(super) fn send(self, conn: u64, op: u64, client: &str, content: &str) -> Self {
        let (client_id, content) = (client.to_owned(), content.to_owned());
        self.ask(conn, op, Action::Send { conversation: 1, client_id, content })
    }

    pub(super) fn edit(self, conn: u64, op: u64, message: u64, content: &str) -> Self {
        self.ask(conn, op, Action::Edit { conversation: 1, message, content: content.into() })
    }

    pub(super) fn delete(self, conn: u64, op: u64, message: u64) -> Self {
        self.ask(conn, op, Action::Delete { conversation: 1, message })
    }

    pub(super) fn ask(self, conn: u64, op: u64, action: Action) -> Self {
        let (device, user) = ("alice".to_owned(), "alice".to_owned());
        self.add(What::Invoke { device, user, conn, op, action })
    }

    pub(super) fn ack(self, conn: u64, op: u64, message: &Message) -> Self {
        self.stored(conn, op, message, false)
    }

    pub(super) fn stored(self, conn: u64, op: u64, message: &Message, duplicate: bool) -> Self {
        let answer = Answer::Stored { message: message.clone(), duplicate };
        self.add(What::Reply { device: "alice".into(), conn, op, answer })
    }

    pub(super) fn refuse(self, conn: u64, op: u64, class: &str) -> Self {
        let answer = Answer::Refused { code: "some".into(), class: class.into() };
        self.add(What::Reply { device: "alice".into(), conn, op, answer })
    }

    /// Bob's device gets an event on connection 2.
    pub(super) fn bob(self, change: Change) -> Self {
        self.get("bob", 2, change)
    }

    pub(super) fn get(self, device: &str, conn: u64, change: Change) -> Self {
        self.add(What::Change { device: device.into(), conn, conversation: 1, change })
    }

    pub(super) fn replay(self, conn: u64, after: u64, up_to: u64, changes: Vec<Change>) -> Self {
        let device = "bob".to_owned();
        self.add(What::Replay { device, conn, conversation: 1, after, up_to, changes })
    }

    pub(super) fn close(
        self,
        device: &str,
        conn: u64,
        code: Option<u16>,
        cause: Option<Cause>,
    ) -> Self {
        self.add(What::Closed { device: device.into(), conn, code, cause })
    }

    pub(super) fn kill(self) -> Self {
        self.add(What::Fault { name: "kill".into(), on: true })
    }

    /// What the database holds at the end.
    pub(super) fn database(self, last_seq: u64, messages: &[&Message], others: &[u64]) -> Self {
        let as_of = self.0.len();
        self.add(What::Final(FinalRead {
            source: "database".into(),
            as_of,
            conversation: 1,
            from: 0,
            last_seq: Some(last_seq),
            messages: messages.iter().copied().cloned().collect(),
            others: others.to_vec(),
            complete: true,
        }))
    }

    /// What another source holds at the end.
    pub(super) fn holds(self, source: &str, messages: &[&Message]) -> Self {
        let as_of = self.0.len();
        self.add(What::Final(FinalRead {
            source: source.into(),
            as_of,
            conversation: 1,
            from: 0,
            last_seq: None,
            messages: messages.iter().copied().cloned().collect(),
            others: Vec::new(),
            complete: false,
        }))
    }

    /// The entries, a millisecond apart.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.0
            .iter()
            .zip(0..)
            .map(|(what, index)| Entry { at: index * 1_000, what: what.clone() })
            .collect()
    }
}
