//! Random plans, replayable by their seed: the store must answer as the model does.

use super::support::{Bench, client, say, words};
use crate::{
    ConversationId, MessageId, Result, Seq, UserId,
    command::{Actor, ConversationPatch, MarkTarget, SendMessage},
    event::{Envelope, Event},
    model::ConversationState,
    port::store::{Appended, Page},
    testing::{
        model::{Model, Outcome, Step},
        user,
    },
};

const PEOPLE: [&str; 5] = ["1", "2", "3", "4", "5"];

/// Every command gives what the model gives, and publishes as many Changes.
pub async fn pr1_random_plans_agree_with_the_model(bench: &Bench) {
    for seed in 0..12 {
        let mut plan = Plan::begin(bench, seed).await;
        for _ in 0..120 {
            plan.step().await;
        }
        plan.compare_state().await;
    }
}

/// From every earlier seq, in pages of several sizes, for everybody.
pub async fn pr2_replay_from_any_place_in_any_page_is_the_suffix(bench: &Bench) {
    for seed in 100..106 {
        let mut plan = Plan::begin(bench, seed).await;
        for _ in 0..60 {
            plan.step().await;
        }
        plan.compare_replays().await;
    }
}

/// After every single step, for everybody.
pub async fn pr5_unread_and_receipts_equal_a_recount(bench: &Bench) {
    for seed in 200..206 {
        let mut plan = Plan::begin(bench, seed).await;
        for _ in 0..60 {
            plan.step().await;
            plan.compare_state().await;
        }
    }
}

/// One group that the store and the model keep side by side.
struct Plan<'b> {
    bench: &'b Bench,
    random: Random,
    seed: u64,
    id: ConversationId,
    model: Model,
    /// The ids of the model's messages.
    ids: Vec<MessageId>,
}

impl<'b> Plan<'b> {
    async fn begin(bench: &'b Bench, seed: u64) -> Self {
        let id = bench.group(&Actor::user(user("1")), &["2", "3"]).await;
        let model = Model::group(&["1", "2", "3"].map(user));
        Self { bench, random: Random(seed), seed, id, model, ids: Vec::new() }
    }

    async fn step(&mut self) {
        let who = self.somebody();
        let step = self.choose();
        let (expected, published) = (self.model.apply(&who, &step), self.bench.sink.len());
        let last = self.model.last_seq;
        let got = self.carry_out(&who, &step).await;
        let context = format!("seed {}: {who} does {step:?}", self.seed);
        assert_eq!(got, expected, "{context}");
        let published = self.bench.sink.since(published);
        if let Some(seq) = published.iter().rev().find_map(|envelope| envelope.seq) {
            assert_eq!(seq, Seq(last), "{context}");
        }
        let covered: Vec<_> = published.iter().flat_map(covered).collect();
        let expected: Vec<_> = self.model.covered.iter().map(|n| self.ids[*n]).collect();
        assert_eq!(covered, expected, "{context}: what the receipt covers");
        let head = self.bench.store.heads(vec![self.id]).await.unwrap()[0];
        assert_eq!((head.last_seq.0, head.receipts), (last, self.model.receipts), "{context}");
    }

    async fn carry_out(&mut self, who: &UserId, step: &Step) -> Outcome {
        let (store, id) = (&self.bench.store, self.id);
        let context = self.bench.context(&Actor::user(who.clone()));
        let message = |n: usize| self.ids.get(n).copied().unwrap_or(MessageId(1 << 50));
        match step {
            Step::Send { text, client_id } => {
                let client_id = client_id.as_deref().map(client);
                let sent =
                    store.append_message(context, SendMessage { client_id, ..say(id, text) }).await;
                if let Ok(sent) = &sent
                    && !sent.duplicate
                {
                    self.ids.push(sent.message.id);
                }
                changed(sent)
            }
            Step::Edit { message: n, text } => {
                changed(store.edit_message(context, message(*n), text.as_str().into()).await)
            }
            Step::Delete { message: n } => {
                changed(store.delete_message(context, message(*n)).await)
            }
            Step::MarkSeq { seq, read } => {
                let marked = store.mark(context, id, MarkTarget::Seq(Seq(*seq)), *read).await;
                outcome(marked, Outcome::Marked)
            }
            Step::MarkMessage { message: n, read } => {
                let target = MarkTarget::Message(message(*n));
                outcome(store.mark(context, id, target, *read).await, Outcome::Marked)
            }
            Step::MarkMessages { messages } => {
                let messages = messages.iter().map(|n| message(*n)).collect();
                let only = self.ids.len().is_multiple_of(2).then_some(id);
                let marked = store.mark_messages(context, only, messages).await;
                outcome(marked, |()| Outcome::Done)
            }
            Step::Add { user } => {
                let added = store.add_participant(context, id, user.clone(), 100).await;
                outcome(added, |_| Outcome::Done)
            }
            Step::Remove { user } => {
                let removed = store.remove_participant(context, id, user.clone()).await;
                outcome(removed, |()| Outcome::Done)
            }
            Step::State { state } => {
                let patch = ConversationPatch { state: Some(*state), ..Default::default() };
                outcome(store.change_conversation(context, id, patch).await, |_| Outcome::Done)
            }
        }
    }

    async fn compare_state(&self) {
        let store = &self.bench.store;
        for who in PEOPLE.map(user) {
            let actor = Actor::user(who.clone());
            let summary = store.conversation(actor.clone(), self.id).await.ok();
            let unread = summary.map(|summary| summary.unread as usize);
            assert_eq!(unread, self.model.unread(&who), "seed {}: unread of {who}", self.seed);
            let page = store.unread(who.clone(), None, 1_000).await.unwrap();
            let mine = page.messages.iter().filter(|message| message.conversation == self.id);
            let unread = unread.unwrap_or_default();
            assert_eq!(mine.count(), unread, "seed {}: unread page of {who}", self.seed);
            let Ok(page) = store.messages(actor, self.id, Page::Newest, 1_000).await else {
                continue;
            };
            let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq.0).collect();
            assert_eq!(seqs, self.model.page(&who), "seed {}: page of {who}", self.seed);
        }
        let standings = store.standings(self.id).await.unwrap().into_iter();
        let standings: Vec<_> =
            standings.map(|one| (one.user, one.joined_seq.0, one.watermark)).collect();
        assert_eq!(standings, self.model.standings(), "seed {}: standings", self.seed);
        for since in [0, self.model.receipts / 2, self.model.receipts] {
            let moved = store.receipts(self.id, since).await.unwrap().into_iter();
            let moved: Vec<_> = moved
                .filter_map(|envelope| match envelope.event {
                    Event::Receipt { user, to, version, .. } => Some((version, user, to)),
                    _ => None,
                })
                .collect();
            assert_eq!(moved, self.model.receipts_since(since), "seed {}: receipts", self.seed);
        }
    }

    async fn compare_replays(&self) {
        let last = Seq(self.model.last_seq);
        for who in PEOPLE.map(user) {
            let is_in = self.model.unread(&who).is_some();
            for start in 0..=last.0 {
                let expected = self.model.missed(&who, start);
                for limit in [1, 2, 3, 7, 1_000] {
                    let (mut after, mut all) = (Seq(start), Vec::new());
                    while is_in && after < last {
                        let page = self
                            .bench
                            .store
                            .replay(Some(who.clone()), self.id, after, last, limit)
                            .await
                            .unwrap();
                        assert!(page.covered > after && page.envelopes.len() <= limit);
                        after = page.covered;
                        all.extend(page.seen_from(Seq(start)).envelopes);
                    }
                    let place = format!("seed {}: {who} from {start} by {limit}", self.seed);
                    assert_eq!(words(&all), expected, "{place}");
                }
            }
        }
    }

    fn somebody(&mut self) -> UserId {
        user(PEOPLE[self.random.below(PEOPLE.len())])
    }

    fn choose(&mut self) -> Step {
        // One past the end is a message that does not exist.
        let message = self.random.below(self.ids.len() + 1);
        let text = format!("t{}", self.random.below(4));
        let read = self.random.below(3) > 0;
        match self.random.below(100) {
            0..40 => {
                let known = self.random.below(3) == 0;
                let client_id = known.then(|| format!("c{}", self.random.below(12)));
                Step::Send { text, client_id }
            }
            40..52 => Step::Edit { message, text },
            52..60 => Step::Delete { message },
            60..72 => {
                let most = usize::try_from(self.model.last_seq).unwrap_or_default() + 3;
                Step::MarkSeq { seq: self.random.below(most) as u64, read }
            }
            72..76 => Step::MarkMessage { message, read },
            76..80 => {
                let end = self.ids.len() + 1;
                let messages = (0..3).map(|_| self.random.below(end)).collect();
                Step::MarkMessages { messages }
            }
            80..90 => Step::Add { user: self.somebody() },
            90..96 => Step::Remove { user: self.somebody() },
            _ => Step::State {
                state: [
                    ConversationState::Open,
                    ConversationState::Open,
                    ConversationState::ReadOnly,
                ][self.random.below(3)],
            },
        }
    }
}

/// The messages that an envelope covers, if it is a receipt.
fn covered(envelope: &Envelope) -> Vec<MessageId> {
    match &envelope.event {
        Event::Receipt { covered, .. } => covered.iter().map(|covered| covered.message).collect(),
        _ => Vec::new(),
    }
}

fn changed(result: Result<Appended>) -> Outcome {
    outcome(result, |appended| Outcome::Changed {
        seq: appended.message.change_seq.0,
        again: appended.duplicate,
    })
}

fn outcome<T>(result: Result<T>, done: impl FnOnce(T) -> Outcome) -> Outcome {
    result.map_or_else(|error| Outcome::Refused(error.code), done)
}

/// SplitMix64: the same plan for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % end.max(1) as u64).unwrap_or_default()
    }
}
