//! Looks at every message that arrives: whether it is lost, doubled, out of order, or at somebody whom it does not concern.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::text::Text;

/// What went wrong in a run, in messages.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Never arrived.
    pub lost: u64,
    /// Arrived again.
    pub doubled: u64,
    /// Arrived after a later one of the same sender.
    pub misordered: u64,
    /// Arrived at somebody whom it does not concern, or is not of this run.
    pub misdelivered: u64,
}

impl Faults {
    /// Whether there are none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds those of another run.
    pub const fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.misordered += other.misordered;
        self.misdelivered += other.misdelivered;
    }
}

/// Whether a sender hears its own messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// Its own message at the sender is a misdelivery.
    Never,
    /// It may come: some servers of the dialect send it and some do not.
    Maybe,
    /// It must come.
    Always,
}

/// What an arrival is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// For the first time, at somebody else.
    First,
    /// For the first time, at the sender.
    Own,
    /// A fault that is counted; nothing new has arrived.
    Fault,
}

/// What one user must hear from one sender.
#[derive(Debug)]
struct Stream {
    /// The number that comes next.
    next: u64,
    /// What was passed over, as ranges: first number to the one after the last.
    gaps: BTreeMap<u64, u64>,
    /// Whether what does not come is lost.
    is_due: bool,
}

/// The checker of one run.
#[derive(Debug)]
pub struct Checker {
    run: u64,
    streams: HashMap<(u32, u32), Stream, FixedState>,
    faults: Faults,
}

impl Checker {
    /// A checker that expects nothing yet.
    #[must_use]
    pub fn new(run: u64) -> Self {
        Self { run, streams: HashMap::default(), faults: Faults::default() }
    }

    /// From now on everything that `sender` says is due at `receiver`.
    pub fn expect(&mut self, receiver: u32, sender: u32) {
        self.add(receiver, sender, true);
    }

    /// What the sender hears of itself.
    pub fn expect_echo(&mut self, sender: u32, echo: Echo) {
        if echo != Echo::Never {
            self.add(sender, sender, echo == Echo::Always);
        }
    }

    fn add(&mut self, receiver: u32, sender: u32, is_due: bool) {
        let stream = Stream { next: 0, gaps: BTreeMap::new(), is_due };
        self.streams.insert((receiver, sender), stream);
    }

    /// A message has arrived at somebody.
    pub fn arrived(&mut self, receiver: u32, text: &Text) -> Arrival {
        let stream = self.streams.get_mut(&(receiver, text.sender));
        let Some(stream) = stream.filter(|_| text.run == self.run) else {
            self.faults.misdelivered += 1;
            return Arrival::Fault;
        };
        let number = text.number;
        if number < stream.next {
            if !stream.fill(number) {
                self.faults.doubled += 1;
                return Arrival::Fault;
            }
            self.faults.misordered += 1;
        } else {
            if number > stream.next {
                stream.gaps.insert(stream.next, number);
            }
            stream.next = number + 1;
        }
        if receiver == text.sender { Arrival::Own } else { Arrival::First }
    }

    /// The faults, when each sender has said as much as `sent` tells.
    pub fn faults(&self, sent: impl Fn(u32) -> u64) -> Faults {
        let missing = |((_, sender), stream): (&(u32, u32), &Stream)| {
            let gaps: u64 = stream.gaps.iter().map(|(begin, end)| end - begin).sum();
            gaps + sent(*sender).saturating_sub(stream.next)
        };
        let due = self.streams.iter().filter(|(_, stream)| stream.is_due);
        Faults { lost: due.map(missing).sum(), ..self.faults }
    }
}

impl Stream {
    /// Takes a number out of the gaps; whether it was in one.
    fn fill(&mut self, number: u64) -> bool {
        let gap = self.gaps.range(..=number).next_back().map(|(begin, end)| (*begin, *end));
        let Some((begin, end)) = gap.filter(|(_, end)| number < *end) else { return false };
        self.gaps.remove(&begin);
        if begin < number {
            self.gaps.insert(begin, number);
        }
        if number + 1 < end {
            self.gaps.insert(number + 1, end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users 1 and 2 hear user 1 (itself as `echo` says), and these numbers arrive; five were sent.
    fn check(arrivals: &[(u32, u64)], echo: Echo, expected: Faults) {
        let mut checker = Checker::new(1);
        checker.expect(2, 1);
        checker.expect_echo(1, echo);
        for (receiver, number) in arrivals {
            checker.arrived(*receiver, &Text { run: 1, sender: 1, number: *number, micros: 0 });
        }
        assert_eq!(checker.faults(|_| 5), expected, "{arrivals:?}");
    }

    fn at_two(numbers: &[u64]) -> Vec<(u32, u64)> {
        numbers.iter().map(|number| (2, *number)).collect()
    }

    #[test]
    fn each_fault_is_known_by_its_name() {
        let none = Faults::default();
        check(&at_two(&[0, 1, 2, 3, 4]), Echo::Never, none);
        check(&at_two(&[0, 1, 3, 4]), Echo::Never, Faults { lost: 1, ..none });
        check(&at_two(&[0, 1]), Echo::Never, Faults { lost: 3, ..none });
        check(&at_two(&[0, 1, 1, 2, 3, 4]), Echo::Never, Faults { doubled: 1, ..none });
        check(&at_two(&[0, 2, 1, 3, 4]), Echo::Never, Faults { misordered: 1, ..none });
        check(
            &at_two(&[4, 2, 2]),
            Echo::Never,
            Faults { lost: 3, misordered: 1, doubled: 1, ..none },
        );
        let elsewhere = [at_two(&[0, 1, 2, 3, 4]), vec![(3, 2)]].concat();
        check(&elsewhere, Echo::Never, Faults { misdelivered: 1, ..none });
    }

    #[test]
    fn what_a_sender_hears_of_itself_depends_on_the_dialect() {
        let none = Faults::default();
        let with_own = [at_two(&[0, 1, 2, 3, 4]), vec![(1, 0), (1, 1)]].concat();
        check(&with_own, Echo::Never, Faults { misdelivered: 2, ..none });
        check(&with_own, Echo::Maybe, none);
        check(&with_own, Echo::Always, Faults { lost: 3, ..none });
    }

    #[test]
    fn a_message_of_another_run_is_a_stranger() {
        let mut checker = Checker::new(2);
        checker.expect(2, 1);
        let stranger = Text { run: 1, sender: 1, number: 0, micros: 0 };
        assert_eq!(checker.arrived(2, &stranger), Arrival::Fault);
        assert_eq!(checker.faults(|_| 0), Faults { misdelivered: 1, ..Faults::default() });
    }
}
