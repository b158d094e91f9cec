//! Steps of sockets, which share transactions.
//!
//! After a restart thousands of clients come back at once, and in a busy hour each has something to acknowledge every second.
//! Who gets a connection for such a step takes along those that wait behind him: one transaction and one flush for all, with
//! their statements one after the other. Where one of them fails, each runs again alone.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::try_join_all;
use parlour_core::{Error, Result, port::BoxFuture};
use tokio::{sync::oneshot, time::timeout};

use super::{
    PostgresStore,
    batch::Tx,
    db::{Db, Sent, Step},
    pool::Lent,
    sockets::{self, Done, Exclusive, SocketStep},
    writer::{Ended, Runner, STEP_PATIENCE, TRIES, commit, has_begun, stuck},
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
    /// Nothing is stored. It may fare better alone.
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
                permit = self.alone.acquire() => {
                    let Ok(_permit) = permit else { return Err(Error::unavailable("the store is closed")) };
                    let group = self.together.with(take_along);
                    if group.is_empty() {
                        // Another has taken it along.
                        break fate.await.unwrap_or_else(|_| Fate::gone());
                    }
                    // Its own is among them, if not too many came before it.
                    self.run_group(group).await;
                }
            }
        };
        match fate {
            Fate::Done(done) => Ok(done),
            Fate::Failed(error) => Err(error),
            Fate::GoesAlone => self.write(&step, &|tx, step| Box::pin(alone(tx, step))).await,
        }
    }

    async fn run_group(&self, group: Vec<Waiting>) {
        match self.attempt_group(&group).await {
            Ok(done) => {
                for (waiting, done) in group.into_iter().zip(done) {
                    waiting.tell(Fate::Done(done));
                }
            }
            Err(Ended::NotStored(failure)) if !failure.is_for_want_of_database() => {
                tracing::debug!(?failure, steps = group.len(), "steps of sockets failed together");
                for waiting in group {
                    waiting.tell(Fate::GoesAlone);
                }
            }
            Err(ended) => {
                let error = match ended {
                    Ended::NotStored(failure) => failure.into_error(),
                    Ended::Unknown(error) => error,
                };
                for waiting in group {
                    waiting.tell(Fate::Failed(Error::new(error.code, error.message.clone())));
                }
            }
        }
    }

    /// A connection whose transaction has begun, or is about to for a step alone. One that is dead is given up.
    async fn begin_group(&self, steps: usize) -> Step<(Lent, Option<Sent>)> {
        let mut tries = 1;
        loop {
            let lent = self.pool.get().await?;
            let begun = lent.connection().send_plain(&self.begin_several);
            if steps == 1 {
                return Ok((lent, Some(begun)));
            }
            match has_begun(begun).await {
                Ok(()) => return Ok((lent, None)),
                Err(failure) if tries >= TRIES => return Err(failure),
                Err(_) => tries += 1,
            }
        }
    }

    async fn attempt_group(&self, group: &[Waiting]) -> Result<Vec<Done>, Ended> {
        let (lent, begun) = self.begin_group(group.len()).await.map_err(Ended::NotStored)?;
        let begin = || Tx::new(Db::new(lent.connection().clone()));
        let mut whole = begin();
        let mut parts: Vec<Tx> = group.iter().map(|_| begin()).collect();
        let run = async {
            sockets::lock(&mut whole, group.iter().flat_map(|waiting| waiting.needs.clone()))
                .await?;
            let steps = parts.iter_mut().zip(group).map(|(tx, waiting)| waiting.step.run(tx));
            try_join_all(steps).await
        };
        let done = match timeout(STEP_PATIENCE, run).await {
            Ok(Ok(done)) => done,
            Ok(Err(failure)) => {
                self.leave(lent, &failure);
                return Err(Ended::NotStored(failure));
            }
            Err(_) => return Err(Ended::NotStored(stuck().into())),
        };
        for part in parts {
            whole.absorb(part);
        }
        let slot = self.publisher.slot(&whole.effects().envelopes);
        commit(&lent, begun.into_iter().chain(whole.take_later())).await?;
        lent.give_back();
        self.settle(whole, slot, group.len() as u64).await;
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

async fn alone(tx: &mut Tx, step: &SocketStep) -> Step<Done> {
    sockets::lock(tx, step.exclusives().into_iter()).await?;
    step.run(tx).await
}

impl Waiting {
    fn tell(self, fate: Fate) {
        // Its task ends only with the runtime.
        let _ = self.reply.send(fate);
    }
}
