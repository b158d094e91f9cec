//! Lanes: each takes what has gathered for its conversations during the last commit into the next (group commit).

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::FutureExt as _;
use parlour_core::{Error, Result};
use tokio::{
    sync::{Notify, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

#[cfg(feature = "mutants")]
use super::db::Sent;
use super::{
    db::{Failure, Step},
    group::{self, Done, Item, Trace},
    pool::{Lent, jittered},
    queue::Turn,
    transaction::{Doubt, Ended, Transaction},
    writer::{PAUSE, Runner, TRIES},
};

/// Bytes of one transaction, about.
const BATCH_BYTES: usize = 1 << 20;

/// A step that waits in a lane.
pub(super) struct Queued {
    pub(super) item: Item,
    /// Dropped with the answer: then what was called after it has its turn.
    pub(super) turn: Turn,
    pub(super) reply: oneshot::Sender<Result<Done>>,
}

impl Queued {
    /// What is asked, and who waits for it.
    fn apart(self) -> (Item, Waiting) {
        (self.item, (self.turn, self.reply))
    }

    fn together((item, (turn, reply)): (Item, Waiting)) -> Self {
        Self { item, turn, reply }
    }

    fn answer(self, answer: Result<Done>) {
        drop(self.turn);
        // Who asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// A step's place, and the way back to who asked.
type Waiting = (Turn, oneshot::Sender<Result<Done>>);

/// What waits. It is bounded by the store's queue, which lets nothing in past its bounds.
#[derive(Default)]
pub(super) struct Lane {
    waiting: Mutex<VecDeque<Queued>>,
    filled: Notify,
}

impl Lane {
    pub(super) fn push(&self, queued: Queued) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(queued);
        self.filled.notify_one();
    }

    /// Waits until something is there, and takes at most so many.
    async fn take(&self, most: usize) -> Vec<Queued> {
        loop {
            let taken = self.take_some(most);
            if !taken.is_empty() {
                return taken;
            }
            self.filled.notified().await;
        }
    }

    fn take_some(&self, most: usize) -> Vec<Queued> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < most
            && let Some(next) = waiting.front()
            && (taken.is_empty() || bytes + next.turn.bytes() <= BATCH_BYTES)
            && let Some(next) = waiting.pop_front()
        {
            if next.turn.is_given_up(&next.reply) {
                continue;
            }
            bytes += next.turn.bytes();
            taken.push(next);
        }
        taken
    }
}

/// Serves a lane until the store has ended.
pub(super) async fn serve(
    lane: Arc<Lane>,
    runner: Arc<Runner>,
    most: usize,
    ended: CancellationToken,
) {
    let mut worker = Worker { runner, lent: None };
    loop {
        let batch = tokio::select! {
            batch = lane.take(most) => batch,
            () = ended.cancelled() => return,
        };
        if AssertUnwindSafe(worker.work(batch)).catch_unwind().await.is_err() {
            // Those whom it concerns are told that it is not known. The connection is given up with its transaction.
            worker.lent = None;
            tracing::error!("a group of writing steps panicked");
        }
    }
}

struct Worker {
    runner: Arc<Runner>,
    /// The connection that it keeps.
    lent: Option<Lent>,
}

impl Worker {
    /// Runs and answers a batch; where that fails, its conversations apart, and then its steps.
    async fn work(&mut self, batch: Vec<Queued>) {
        let mut parts = VecDeque::from([batch]);
        while let Some(part) = parts.pop_front() {
            let (items, waiting): (Vec<_>, Vec<_>) = part.into_iter().map(Queued::apart).unzip();
            let done = self.run(&items).await;
            let part = items.into_iter().zip(waiting).map(Queued::together);
            match done {
                Ok(answers) => part.zip(answers).for_each(|(queued, answer)| queued.answer(answer)),
                Err(failure) => match split(part.collect(), &failure) {
                    Ok(smaller) => {
                        for part in smaller.into_iter().rev() {
                            parts.push_front(part);
                        }
                    }
                    Err(part) => fail(part, failure),
                },
            }
        }
    }

    /// Runs steps in one transaction: their answers. Again, where they met another process's.
    async fn run(&mut self, items: &[Item]) -> Step<Vec<Result<Done>>> {
        let mut tries = 1;
        loop {
            let failure = match self.attempt(items).await {
                Ok(answers) => return Ok(answers),
                Err(failure) => failure,
            };
            if tries >= TRIES || !failure.is_worth_another_try() {
                return Err(failure);
            }
            sleep(jittered(PAUSE * tries)).await;
            tries += 1;
        }
    }

    async fn attempt(&mut self, items: &[Item]) -> Step<Vec<Result<Done>>> {
        let lent = match self.lent.take().filter(|lent| !lent.is_closed()) {
            Some(lent) => lent,
            None => self.runner.pool.get().await?,
        };
        let mut transaction = Transaction::begin(lent, &self.runner.begin_several);
        let mut tx = transaction.tx();
        let outcome = match transaction.run(group::run(&mut tx, items)).await {
            Ok(outcome) => outcome,
            Err(failure) => {
                self.runner.leave(transaction, &failure);
                return Err(failure);
            }
        };
        if matches!(outcome.trace, Trace::Nothing) {
            self.lent = Some(transaction.roll_back());
            self.runner.count_duplicates(tx.effects().duplicates);
            return Ok(outcome.answers);
        }
        let slot = self.runner.publisher.slot(&tx.effects().envelopes);
        let later = tx.take_later();
        #[cfg(feature = "mutants")]
        if crate::mutant("ack_before_commit") {
            self.runner.settle(tx, slot, 1).await;
            commit_later(self.runner.clone(), transaction, later);
            return Ok(outcome.answers);
        }
        let doubt = Doubt::Looks(&|tx| outcome.is_there(tx));
        match self.runner.commit(transaction, later, None, doubt).await {
            Ok(lent) => self.lent = lent,
            Err(Ended::NotStored(failure)) => return Err(failure),
            Err(Ended::Unknown(error)) => {
                let unknown = || Error::new(error.code, error.message.clone());
                return Ok(items.iter().map(|_| Err(unknown())).collect());
            }
        }
        let steps = outcome.answers.iter().filter(|answer| answer.is_ok()).count() as u64;
        self.runner.settle(tx, slot, steps).await;
        Ok(outcome.answers)
    }
}

/// The fault of telling before the commit.
#[cfg(feature = "mutants")]
#[expect(clippy::disallowed_methods, reason = "a fault on purpose has no owner")]
fn commit_later(runner: Arc<Runner>, transaction: Transaction, later: Vec<Sent>) {
    drop(tokio::spawn(async move {
        sleep(PAUSE * 10).await;
        if let Ok(Some(lent)) = runner.commit(transaction, later, None, Doubt::Stays).await {
            lent.give_back();
        }
    }));
}

/// Takes a part that failed for a reason that may be one member's apart: by conversations, which keeps the order in
/// each, and one conversation's step by step. What fails because the database is away fails as a whole.
fn split(part: Vec<Queued>, failure: &Failure) -> Result<Vec<Vec<Queued>>, Vec<Queued>> {
    if part.len() < 2 || failure.concerns_all() {
        return Err(part);
    }
    let mut conversations: Vec<Vec<Queued>> = Vec::new();
    for queued in part {
        let id = queued.item.conversation();
        let same = conversations
            .iter_mut()
            .find(|others| others.first().is_some_and(|other| other.item.conversation() == id));
        match same {
            Some(same) => same.push(queued),
            None => conversations.push(vec![queued]),
        }
    }
    if conversations.len() > 1 {
        return Ok(conversations);
    }
    if failure.is_lock_timeout() {
        return Err(conversations.into_iter().flatten().collect());
    }
    Ok(conversations.into_iter().flatten().map(|queued| vec![queued]).collect())
}

/// Tells all the same.
fn fail(part: Vec<Queued>, failure: Failure) {
    let error = failure.into_error();
    tracing::warn!(error = ?error, steps = part.len(), "writing steps failed");
    for queued in part {
        let same = Error::new(error.code, error.message.clone());
        queued.answer(Err(same));
    }
}
