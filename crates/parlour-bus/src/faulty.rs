//! A bus that drops, repeats, delays and reorders by a seeded plan, for simulation and tests.
//!
//! It knows no time: messages that are held back are let go by [`FaultyBus::step`], or by what is said later. The same
//! seed and the same calls in the same order do the same.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use parlour_core::{
    Error, Result,
    port::{
        BoxFuture,
        bus::{Bus, BusMessage, Topic},
    },
};

/// How often what happens to a message, in thousandths. What is left arrives at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Lost without a word.
    pub dropped: u32,
    /// Told twice, the second time possibly much later.
    pub repeated: u32,
    /// Held back for up to [`Self::longest_delay`] steps, so that later ones overtake it.
    pub delayed: u32,
    /// Most steps that a message is held back.
    pub longest_delay: u64,
    /// Most messages that are held back; past that the oldest goes.
    pub most_held: usize,
}

impl Plan {
    /// Everything arrives once, in order.
    pub const FAULTLESS: Self =
        Self { dropped: 0, repeated: 0, delayed: 0, longest_delay: 0, most_held: 0 };

    /// A bad day: a tenth is lost, a tenth comes twice, a fifth comes late and out of order.
    pub const BAD: Self =
        Self { dropped: 100, repeated: 100, delayed: 200, longest_delay: 50, most_held: 1_000 };
}

/// What has happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Faults {
    /// Messages that were lost.
    pub dropped: u64,
    /// Messages that were told twice.
    pub repeated: u64,
    /// Messages that were held back.
    pub delayed: u64,
}

struct State {
    random: u64,
    plan: Plan,
    is_cut: bool,
    steps: u64,
    held: VecDeque<(u64, BusMessage)>,
    faults: Faults,
}

/// A process's end of such a bus. Each end has a plan of its own for what it says.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    state: Mutex<State>,
}

impl FaultyBus {
    /// Puts a plan between a process and its bus.
    #[must_use]
    pub fn new(inner: Arc<dyn Bus>, plan: Plan, seed: u64) -> Self {
        let state = State {
            random: seed,
            plan,
            is_cut: false,
            steps: 0,
            held: VecDeque::new(),
            faults: Faults::default(),
        };
        Self { inner, state: Mutex::new(state) }
    }

    /// Another plan from now on. What is held back stays so.
    pub fn set_plan(&self, plan: Plan) {
        self.state.lock().plan = plan;
    }

    /// While it is cut nothing is said, all is refused, and it is not healthy. What this process hears is for the others' ends
    /// to lose.
    pub fn set_cut(&self, is_cut: bool) {
        self.state.lock().is_cut = is_cut;
    }

    /// Forgets what is held back.
    pub fn forget(&self) {
        let mut state = self.state.lock();
        let lost = state.held.len() as u64;
        state.faults.dropped += lost;
        state.held.clear();
    }

    /// What has happened so far.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.state.lock().faults
    }

    /// A step of the bus's own time: what has been held back long enough goes. Each call of `publish` is a step too.
    ///
    /// # Errors
    /// Those of the bus behind.
    pub fn step(&self) -> Result<()> {
        let due = self.state.lock().step();
        self.pass(due)
    }

    fn pass(&self, messages: Vec<BusMessage>) -> Result<()> {
        if messages.is_empty() { Ok(()) } else { self.inner.publish(messages) }
    }
}

impl State {
    /// SplitMix64.
    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    fn step(&mut self) -> Vec<BusMessage> {
        self.steps += 1;
        let mut due = Vec::new();
        if self.is_cut {
            return due;
        }
        let (steps, most) = (self.steps, self.plan.most_held);
        let mut over = self.held.len().saturating_sub(most);
        self.held.retain(|(at, message)| {
            let goes = *at <= steps || over > 0;
            if goes {
                over = over.saturating_sub(1);
                due.push(message.clone());
            }
            !goes
        });
        due
    }

    fn hold(&mut self, message: BusMessage) {
        let at = self.steps + 1 + self.random(self.plan.longest_delay);
        self.held.push_back((at, message));
    }

    /// What happens to one message.
    fn meet(&mut self, message: BusMessage, goes: &mut Vec<BusMessage>) {
        let Plan { dropped, repeated, delayed, .. } = self.plan;
        let [dropped, repeated, delayed] = [dropped, repeated, delayed].map(u64::from);
        let dice = self.random(1_000);
        if dice < dropped {
            self.faults.dropped += 1;
        } else if dice < dropped + repeated {
            self.faults.repeated += 1;
            self.hold(message.clone());
            goes.push(message);
        } else if dice < dropped + repeated + delayed {
            self.faults.delayed += 1;
            self.hold(message);
        } else {
            goes.push(message);
        }
    }
}

impl Bus for FaultyBus {
    fn publish(&self, messages: Vec<BusMessage>) -> Result<()> {
        let goes = {
            let mut state = self.state.lock();
            if state.is_cut {
                state.faults.dropped += messages.len() as u64;
                return Err(Error::unavailable("the plan has cut the bus"));
            }
            let mut goes = state.step();
            for message in messages {
                state.meet(message, &mut goes);
            }
            goes
        };
        self.pass(goes)
    }

    fn listen(&self, topics: Vec<Topic>) -> BoxFuture<'_, ()> {
        self.inner.listen(topics)
    }

    fn ignore(&self, topics: &[Topic]) {
        self.inner.ignore(topics);
    }

    fn is_healthy(&self) -> bool {
        !self.state.lock().is_cut && self.inner.is_healthy()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use parlour_core::{
        ConversationId, Seq,
        port::bus::{BusListener, Hint},
        testing::bus_suite::Ear,
    };

    use super::*;
    use crate::MemoryBus;

    fn message(seq: u64) -> BusMessage {
        let hint = Hint::Head { conversation: ConversationId(1), seq: Seq(seq) };
        BusMessage { topic: Topic::Everyone, hint }
    }

    /// What is heard of a thousand messages.
    fn heard(plan: Plan, seed: u64) -> (Vec<u64>, Faults) {
        let (bus, ear) = (MemoryBus::default(), Arc::new(Ear::default()));
        let listeners: [Arc<dyn BusListener>; 2] = [Arc::new(Ear::default()), ear.clone()];
        let [a, _b] = listeners.each_ref().map(|listener| bus.join(listener));
        let faulty = FaultyBus::new(Arc::new(a), plan, seed);
        for seq in 0..1_000 {
            faulty.publish(vec![message(seq)]).unwrap();
        }
        for _ in 0..=plan.longest_delay {
            faulty.step().unwrap();
        }
        let seq = |hint| match hint {
            Hint::Head { seq, .. } => seq.0,
            hint => panic!("{hint:?}"),
        };
        (ear.hints().into_iter().map(seq).collect(), faulty.faults())
    }

    #[test]
    fn without_faults_all_arrive_in_order() {
        assert_eq!(heard(Plan::FAULTLESS, 1), ((0..1_000).collect(), Faults::default()));
    }

    #[test]
    fn the_plan_is_kept_and_can_be_repeated() {
        let (seqs, faults) = heard(Plan::BAD, 7);
        assert_eq!((seqs.clone(), faults), heard(Plan::BAD, 7));
        assert_ne!(seqs, heard(Plan::BAD, 8).0);
        let mut counts = HashMap::new();
        seqs.iter().for_each(|seq| *counts.entry(*seq).or_insert(0_u64) += 1);
        assert_eq!(1_000 - counts.len() as u64, faults.dropped);
        assert_eq!(counts.values().filter(|count| **count == 2).count() as u64, faults.repeated);
        assert!(!seqs.is_sorted());
        let near = |count: u64, expected: u64| count.abs_diff(expected) < expected / 2;
        assert!(
            near(faults.dropped, 100) && near(faults.repeated, 100) && near(faults.delayed, 200)
        );
    }

    #[test]
    fn a_cut_bus_refuses_and_says_so() {
        let bus = MemoryBus::default();
        let listener: Arc<dyn BusListener> = Arc::new(Ear::default());
        let faulty = FaultyBus::new(Arc::new(bus.join(&listener)), Plan::FAULTLESS, 1);
        faulty.set_cut(true);
        assert!(faulty.publish(vec![message(1)]).is_err() && !faulty.is_healthy());
        faulty.set_cut(false);
        assert!(faulty.publish(vec![message(1)]).is_ok() && faulty.is_healthy());
    }
}
