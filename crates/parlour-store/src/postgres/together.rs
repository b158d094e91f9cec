//! Steps of sockets, which share transactions.
//!
//! After a restart thousands of clients come back at once, and in a busy hour each has something to acknowledge every second.
//! Who gets a connection for such a step takes along those that wait behind him: one transaction and one flush for all, with
//! their statements one after the other. Where one of them fails, each runs again alone.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use parlour_core::{Error, Result, port::BoxFuture};
use tokio::{
    sync::{SemaphorePermit, oneshot},
    time::sleep,
};

use super::{
    PostgresStore,
    batch::Tx,
    db::Failure,
    pool::jittered,
    sockets::{self, Done, Exclusive, SocketStep},
    transaction::{Doubt, Ended, Transaction},
    writer::{PAUSE, Runner, TRIES},
};

/// Steps in one transaction: few enough that none waits long for the others.
const MOST_TOGETHER: usize = 64;

/// Who waits to be taken along.
#[derive(Default)]
pub(super) struct Together(Mutex<VecDeque<Waiting>>);

struct Waiting {
    step: Arc<SocketStep>,
    needs: Vec<Exclusive>,
    reply: oneshot::Sender<Fate>,
}

/// How it went with the others.
enum Fate {
    Done(Done),
    /// Nothing is stored. It may fare better alone, where it also waits longer for what others hold.
    GoesAlone,
    /// Nothing is stored, and alone it would not fare better; or it cannot be told whether it is stored.
    Failed(Error),
}

impl Fate {
    /// Who took the step along ended in the middle.
    fn gone() -> Self {
        Self::Failed(Error::unknown("a transaction ended without an answer"))
    }
}

impl PostgresStore {
    /// Runs a socket's step, perhaps with those of others. It has its place at once, as in [`Self::write`], and runs
    /// however late it is: where a socket stands is not asked again.
    pub(super) fn together(&self, bytes: usize, step: SocketStep) -> BoxFuture<'_, Result<Done>> {
        let runner = self.runner.clone();
        self.alone(bytes, true, async move { runner.write_together(step).await })
    }
}

impl Runner {
    async fn write_together(&self, step: SocketStep) -> Result<Done> {
        let step = Arc::new(step);
        let (reply, mut fate) = oneshot::channel();
        let needs = step.exclusives();
        self.together.with(|waiting| {
            waiting.push_back(Waiting { step: step.clone(), needs, reply });
        });
        let fate = loop {
            tokio::select! {
                biased;
                fate = &mut fate => break fate.unwrap_or_else(|_| Fate::gone()),
                permit = self.permit() => {
                    let permit = permit.map_err(Failure::into_error)?;
                    let group = self.together.with(take_along);
                    if group.is_empty() {
                        // Another has taken it along.
                        break fate.await.unwrap_or_else(|_| Fate::gone());
                    }
                    // Its own is among them, if not too many came before it.
                    self.run_group(group, permit).await;
                }
            }
        };
        match fate {
            Fate::Done(done) => Ok(done),
            Fate::Failed(error) => Err(error),
            Fate::GoesAlone => {
                let permit = self.permit().await.map_err(Failure::into_error)?;
                let done = self.run_steps(&[step], permit, self.begin).await;
                let mut done = done.map_err(Ended::into_error)?;
                done.pop().ok_or_else(|| Error::internal("a step gave nothing"))
            }
        }
    }

    async fn run_group(&self, group: Vec<Waiting>, permit: SemaphorePermit<'_>) {
        let steps: Vec<_> = group.iter().map(|waiting| waiting.step.clone()).collect();
        match self.run_steps(&steps, permit, &self.begin_several).await {
            Ok(done) => {
                for (waiting, done) in group.into_iter().zip(done) {
                    waiting.tell(Fate::Done(done));
                }
            }
            Err(Ended::NotStored(failure))
                if failure.is_lock_timeout()
                    || (group.len() > 1 && !failure.is_for_want_of_database()) =>
            {
                tracing::debug!(?failure, steps = group.len(), "steps of sockets failed together");
                for waiting in group {
                    waiting.tell(Fate::GoesAlone);
                }
            }
            Err(ended) => {
                let error = ended.into_error();
                for waiting in group {
                    waiting.tell(Fate::Failed(Error::new(error.code, error.message.clone())));
                }
            }
        }
    }

    /// Runs steps in one transaction that begins so. Again, where its connection was dead; a single one also where it met
    /// another process's.
    async fn run_steps(
        &self,
        steps: &[Arc<SocketStep>],
        permit: SemaphorePermit<'_>,
        begin: &str,
    ) -> Result<Vec<Done>, Ended> {
        let (mut tries, mut permit) = (1, permit);
        loop {
            let failure = match self.attempt_steps(steps, permit, begin).await {
                Err(Ended::NotStored(failure)) => failure,
                outcome => return outcome,
            };
            let is_dead = matches!(failure, Failure::Dead);
            let again = is_dead || (steps.len() == 1 && failure.is_worth_another_try());
            if tries >= TRIES || !again {
                return Err(Ended::NotStored(failure));
            }
            sleep(jittered(PAUSE * tries)).await;
            tries += 1;
            permit = self.permit().await.map_err(Ended::NotStored)?;
        }
    }

    async fn attempt_steps(
        &self,
        steps: &[Arc<SocketStep>],
        permit: SemaphorePermit<'_>,
        begin: &str,
    ) -> Result<Vec<Done>, Ended> {
        let lent = self.pool.get().await.map_err(Ended::NotStored)?;
        let mut transaction = Transaction::begin(lent, begin);
        let mut whole = transaction.tx();
        let mut parts: Vec<Tx> = steps.iter().map(|_| transaction.tx()).collect();
        let work = async {
            sockets::lock(&mut whole, steps.iter().flat_map(|step| step.exclusives())).await?;
            sockets::run(&mut parts, &whole.db, steps).await
        };
        let done = transaction.run(work).await;
        for part in parts {
            whole.absorb(part);
        }
        let done = match done {
            Ok(done) => done,
            Err(failure) => {
                let failure = whole.cause(failure).await;
                self.leave(transaction, &failure);
                return Err(Ended::NotStored(failure));
            }
        };
        let slot = self.publisher.slot(&whole.effects().envelopes);
        let later = whole.take_later();
        // A place that is taken without anybody knowing would be nobody's until this process ends. What else sockets
        // write is written again.
        let ended = match done.iter().find_map(Done::taken) {
            Some(taken) => {
                let doubt = Doubt::Insists(&|tx| sockets::is_there(tx, taken.clone()));
                self.commit(transaction, later, Some(permit), doubt).await
            }
            None => self.commit(transaction, later, Some(permit), Doubt::Stays).await,
        };
        if let Some(lent) = ended? {
            lent.give_back();
        }
        self.settle(whole, slot, steps.len() as u64).await;
        Ok(done)
    }
}

impl Together {
    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Waiting>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Those that wait longest and do not need the same; the others keep their places.
fn take_along(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut taken, mut left) = (Vec::new(), VecDeque::new());
    let mut needed = HashSet::new();
    while taken.len() < MOST_TOGETHER
        && left.len() < MOST_TOGETHER
        && let Some(next) = waiting.pop_front()
    {
        if next.needs.iter().any(|need| needed.contains(need)) {
            left.push_back(next);
        } else {
            needed.extend(next.needs.iter().copied());
            taken.push(next);
        }
    }
    while let Some(back) = left.pop_back() {
        waiting.push_front(back);
    }
    taken
}

impl Waiting {
    fn tell(self, fate: Fate) {
        // Its task ends only with the runtime.
        let _ = self.reply.send(fate);
    }
}
