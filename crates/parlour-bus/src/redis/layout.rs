//! Which server has which slots: one server all of them, also behind Sentinel; in a cluster each master its share.

use std::{collections::BTreeSet, time::Duration};

use redis::{Value, cmd};

use super::{
    channels::SLOTS,
    connect::{Failure, Tls, ask},
    url::{Address, Kind, Login, Target},
};

/// Most masters of a cluster that are used.
const MOST_MASTERS: usize = 1_000;

/// How often Sentinel is asked for the master: an old one that cannot reach the others may live on.
const SENTINEL_PERIOD: Duration = Duration::from_secs(5);
/// How often a cluster is asked for its slots, should none of its servers say that something has moved.
const CLUSTER_PERIOD: Duration = Duration::from_secs(15);

/// Which server has which slots.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Layout {
    /// First and last slot, and whose. In order, not overlapping.
    ranges: Vec<(u16, u16, Address)>,
}

impl Layout {
    pub(super) fn single(address: Address) -> Self {
        Self { ranges: vec![(0, SLOTS - 1, address)] }
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        let after = self.ranges.partition_point(|(first, ..)| *first <= slot);
        let (_, last, address) = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= *last).then_some(address)
    }

    pub(super) fn addresses(&self) -> BTreeSet<Address> {
        self.ranges.iter().map(|(.., address)| address.clone()).collect()
    }
}

/// Finds layouts.
pub(super) struct Finder {
    target: Target,
    tls: Option<Tls>,
    /// Servers to ask, those that answered last first.
    known: Vec<Address>,
}

impl Finder {
    pub(super) fn new(target: Target, tls: Option<Tls>) -> Self {
        let known = target.seeds.clone();
        Self { target, tls, known }
    }

    /// After which time one looks again, unasked.
    pub(super) const fn period(&self) -> Option<Duration> {
        match self.target.kind {
            Kind::Plain => None,
            Kind::Sentinel { .. } => Some(SENTINEL_PERIOD),
            Kind::Cluster => Some(CLUSTER_PERIOD),
        }
    }

    /// Asks one after the other until one knows.
    pub(super) async fn find(&mut self) -> Result<Layout, Failure> {
        if self.target.kind == Kind::Plain {
            return self.known.first().cloned().map(Layout::single).ok_or(Failure::Closed);
        }
        let mut failure = Failure::Closed;
        for place in 0..self.known.len() {
            let Some(address) = self.known.get(place).cloned() else { break };
            match self.ask(&address).await {
                Ok(layout) => {
                    self.known.swap(0, place);
                    self.remember(&layout);
                    return Ok(layout);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Masters of a cluster can be asked too, should all that the configuration names be gone.
    fn remember(&mut self, layout: &Layout) {
        if self.target.kind != Kind::Cluster {
            return;
        }
        let first = self.known.first().cloned();
        let mut known: Vec<_> = first.into_iter().chain(layout.addresses()).collect();
        known.extend(self.target.seeds.iter().cloned());
        let mut seen = BTreeSet::new();
        known.retain(|address| seen.insert(address.clone()));
        known.truncate(64);
        self.known = known;
    }

    async fn ask(&self, address: &Address) -> Result<Layout, Failure> {
        let (login, question) = match &self.target.kind {
            Kind::Sentinel { master, login } => {
                let mut question = cmd("SENTINEL");
                question.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
                (login, question)
            }
            Kind::Cluster | Kind::Plain => {
                let mut question = cmd("CLUSTER");
                question.arg("SLOTS");
                (&self.target.login, question)
            }
        };
        let answer = ask(address, login, self.tls.as_ref(), &question).await?;
        match self.target.kind {
            Kind::Cluster | Kind::Plain => slots(&answer, address),
            Kind::Sentinel { .. } => {
                let master = self.master(&answer)?;
                self.check_role(&master).await?;
                Ok(Layout::single(master))
            }
        }
    }

    fn master(&self, answer: &Value) -> Result<Address, Failure> {
        match answer {
            Value::Nil => Err(Failure::Answer("Sentinel does not know the master's name")),
            Value::Array(parts) => match parts.as_slice() {
                [host, port] => place(host, port, None).ok_or(Failure::Answer("no address")),
                _ => Err(Failure::Answer("no address")),
            },
            _ => Err(Failure::Answer("no address")),
        }
    }

    /// Sentinel may not have noticed yet. Who may not ask for the role is believed.
    async fn check_role(&self, master: &Address) -> Result<(), Failure> {
        let login: &Login = &self.target.login;
        match ask(master, login, self.tls.as_ref(), &cmd("ROLE")).await {
            Ok(Value::Array(parts))
                if parts.first().and_then(text).as_deref() != Some("master") =>
            {
                Err(Failure::NotMaster)
            }
            Ok(_) | Err(Failure::Refused(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        value => text(value)?.parse().ok(),
    }
}

/// A server that does not know its own name is where it was asked.
fn place(host: &Value, port: &Value, asked: Option<&Address>) -> Option<Address> {
    let host = text(host).filter(|host| !host.is_empty() && host != "?");
    let host = host.or_else(|| asked.map(|asked| asked.host.clone()))?;
    Some(Address { host, port: number(port).filter(|port| *port > 0)? })
}

/// Reads the answer to `CLUSTER SLOTS`: first and last slot, then the master, then replicas.
fn slots(answer: &Value, asked: &Address) -> Result<Layout, Failure> {
    let Value::Array(parts) = answer else { return Err(Failure::Answer("no slots")) };
    let mut ranges = Vec::with_capacity(parts.len().min(MOST_MASTERS));
    for part in parts.iter().take(usize::from(SLOTS)) {
        let Value::Array(fields) = part else { return Err(Failure::Answer("no slots")) };
        let [first, last, Value::Array(master), ..] = fields.as_slice() else {
            return Err(Failure::Answer("no slots"));
        };
        let [host, port, ..] = master.as_slice() else {
            return Err(Failure::Answer("no slots"));
        };
        let range = number(first).zip(number(last)).zip(place(host, port, Some(asked)));
        let ((first, last), address) = range.ok_or(Failure::Answer("no slots"))?;
        ranges.push((first, last, address));
    }
    ranges.sort();
    let layout = Layout { ranges };
    match layout.addresses().len() {
        0 => Err(Failure::Answer("the cluster has no slots")),
        1..=MOST_MASTERS => Ok(layout),
        _ => Err(Failure::Answer("the cluster is too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let host = Value::BulkString(host.as_bytes().to_vec());
        let master = Value::Array(vec![host, Value::Int(port), Value::Nil]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master])
    }

    #[test]
    fn slots_have_owners() {
        let answer = Value::Array(vec![
            range(8_192, 16_383, "b", 2),
            range(0, 99, "", 1),
            range(200, 8_191, "c", 3),
        ]);
        let layout = slots(&answer, &at("asked", 9)).unwrap();
        assert_eq!(layout.owner(0), Some(&at("asked", 1)));
        assert_eq!(layout.owner(99), Some(&at("asked", 1)));
        assert_eq!(layout.owner(100), None);
        assert_eq!(layout.owner(200), Some(&at("c", 3)));
        assert_eq!(layout.owner(16_383), Some(&at("b", 2)));
        assert_eq!(layout.addresses().len(), 3);
    }

    #[test]
    fn odd_answers_are_refused() {
        for answer in [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(-1, 5, "a", 1)]),
            Value::Array(vec![range(0, 5, "a", 70_000)]),
            Value::Array(vec![range(0, 5, "a", 0)]),
        ] {
            assert!(slots(&answer, &at("asked", 9)).is_err(), "{answer:?}");
        }
    }
}
