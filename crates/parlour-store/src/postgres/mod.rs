//! The store on PostgreSQL, which several processes may share.
//!
//! A step that writes is an async function of a [`Tx`] and of what it was called with, in a transaction of its own:
//!
//! ```ignore
//! self.write(64, (context, id), |tx, (context, id)| Box::pin(change(tx, context, *id)))
//! async fn change(tx: &mut Tx, context: &Context, id: ConversationId) -> Step<()> { .. }
//! ```
//!
//! It runs again from the beginning when it met another process's step or lost its connection before the commit,
//! so it must change nothing but the transaction. Isolation is READ COMMITTED: a step in a conversation first takes
//! the conversation's row ([`facts::View::lock`], [`facts::lock`]), then reads facts, asks the policy, and writes.
//! Users that it makes come after that, in the order of their ids. A refused step is rolled back.
//!
//! A step that reads (`self.read(args, |db, args| Box::pin(..))`) sees one snapshot, which it may share with others
//! ([`looks`]); what everybody who comes is read for is read of many at once ([`gathered`]).
//!
//! How statements share a round trip is told in [`db`]; [`Tx::send`] is for those whose answer nobody needs.

mod accounts;
mod address;
mod batch;
mod blocks;
mod checks;
mod cluster;
mod conversations;
mod copy;
mod db;
mod decisions;
mod deliveries;
mod directs;
mod facts;
mod gathered;
mod group;
mod group_facts;
mod group_rows;
mod lane;
mod lease;
mod lists;
mod log;
mod looks;
mod marks;
mod memberships;
mod messages;
mod migrate;
mod pages;
mod params;
mod participants;
mod pool;
mod publisher;
mod queue;
mod renew;
mod rows;
mod sessions;
mod sockets;
mod together;
mod transaction;
mod transfer;
mod users;
mod writer;

use std::sync::{Arc, atomic::Ordering};

use futures_util::future::BoxFuture as Boxed;
use parlour_core::{
    ConversationId, Error, NodeId, Result, UserId,
    model::{Membership, Millis, User},
    port::{
        BoxFuture,
        store::{CommitSink, Store, StoreStats},
    },
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    address::Server,
    batch::Tx,
    db::{Db, Step},
    gathered::Gathered,
    group::{Done, Item},
    lane::{Lane, Queued},
    lease::{Lease, Use},
    looks::Looks,
    migrate::server_error,
    pool::Pool,
    publisher::Publisher,
    queue::{Queue, Way},
    together::Together,
    writer::{Counters, Runner},
};
pub(crate) use self::{copy::CopySide, renew::renew};
use crate::{OpenError, OpenOptions};

/// Bytes of all writing steps that may wait, about.
const MOST_QUEUED_BYTES: usize = 32 << 20;
/// Fewest connections with which everything works.
const FEWEST_CONNECTIONS: usize = 4;

/// The store.
pub(crate) struct PostgresStore {
    runner: Arc<Runner>,
    queue: Arc<Queue>,
    lanes: Vec<Arc<Lane>>,
    gathered: Readings,
    /// Ends the lanes.
    ended: CancellationToken,
    tasks: TaskTracker,
    runtime: Handle,
    lease: Lease,
    node: NodeId,
    /// By the server's clock.
    opened_at: Millis,
}

/// What is read of many at once.
struct Readings {
    users: Gathered<UserId, Option<User>>,
    /// Of what is kept of a user.
    versions: Gathered<UserId, Option<u64>>,
    /// Whom a user has blocked, and who has blocked him.
    hidden: Gathered<UserId, Vec<UserId>>,
    /// All of a user.
    memberships: Gathered<UserId, Vec<Membership>>,
    /// That in one conversation.
    membership: Gathered<(UserId, ConversationId), Option<Membership>>,
}

impl Readings {
    /// For so many connections: half of them are for what is read so.
    fn new(connections: usize) -> Self {
        let most = connections.div_ceil(2);
        Self {
            users: Gathered::new(most, |db, users| Box::pin(users::all(db, users))),
            versions: Gathered::new(most, |db, users| Box::pin(cluster::versions(db, users))),
            hidden: Gathered::new(most, |db, users| Box::pin(blocks::both_ways(db, users))),
            memberships: Gathered::new(most, |db, users| Box::pin(memberships::of_all(db, users))),
            membership: Gathered::new(most, |db, places| Box::pin(memberships::at(db, places))),
        }
    }
}

/// How many lanes there are for the steps of conversations, of so many connections.
fn lanes(connections: usize) -> usize {
    (connections / 4).clamp(1, 4)
}

impl PostgresStore {
    /// Connects, checks the server, brings the schema up to date, and starts.
    pub(crate) async fn open(
        url: &str,
        options: OpenOptions,
        sink: Arc<dyn CommitSink>,
    ) -> Result<Self, OpenError> {
        let tasks = TaskTracker::new();
        let server = server(url, &tasks)?;
        let place = server.shown();
        let how = if options.shared { Use::Shared } else { Use::Alone };
        let session = options.session_url.as_deref().map(|url| self::server(url, &tasks));
        let session = session.unwrap_or_else(|| Ok(server.clone()))?;
        let node = options.node;
        let lease = Lease::take(session, Some(node), how, options.on_fatal.clone()).await?;
        let begin = prepare(&server, &place).await?.0;
        let connections = options.pool.max(FEWEST_CONNECTIONS);
        let lanes = lanes(connections);
        let publisher = Publisher::start(sink).map_err(|source| server_error(&place, source))?;
        let runner = Arc::new(Runner {
            pool: Pool::new(server, connections, options.prepare),
            looks: Looks::default(),
            together: Together::default(),
            publisher,
            counters: Counters::default(),
            begin,
            begin_several: format!("{begin}{}", transaction::OF_SEVERAL),
            alone: Semaphore::new(((connections - lanes) / 2).max(1)),
            closing: CancellationToken::new(),
        });
        let queue = Queue::new(options.max_queued.max(1), MOST_QUEUED_BYTES, lanes);
        let opened_at = runner
            .write(&(node, !options.shared), &|tx, (node, alone)| {
                Box::pin(cluster::begin(tx, *node, *alone))
            })
            .await;
        let opened_at = opened_at.map_err(|source| server_error(&place, source))?;
        let (runtime, ended) = (Handle::current(), CancellationToken::new());
        let lanes: Vec<_> = (0..lanes).map(|_| Arc::<Lane>::default()).collect();
        for lane in &lanes {
            let most = options.max_batch.max(1);
            let serve = lane::serve(lane.clone(), runner.clone(), most, ended.clone());
            tasks.spawn_on(serve, &runtime);
        }
        let gathered = Readings::new(connections);
        Ok(Self { runner, queue, lanes, gathered, ended, tasks, runtime, lease, node, opened_at })
    }

    /// Runs a step together with others of its conversation's lane. It has its place at once, as in [`Self::write`].
    fn group(&self, bytes: usize, item: Item) -> BoxFuture<'_, Result<Done>> {
        let place = usize::try_from(item.conversation().0).unwrap_or_default() % self.lanes.len();
        let Some(lane) = self.lanes.get(place) else {
            return Box::pin(async { Err(Error::internal("there are no lanes")) });
        };
        let turn = match self.queue.enter(bytes + 64, Way::Lane(place)) {
            Ok(turn) => turn,
            Err(refused) => return Box::pin(async move { Err(Error::unavailable(refused)) }),
        };
        let (reply, answer) = oneshot::channel();
        let queued = Queued { item, turn, reply };
        if queued.turn.has_come() {
            lane.push(queued);
        } else {
            let lane = lane.clone();
            self.spawn(async move {
                queued.turn.come().await;
                lane.push(queued);
            });
        }
        Box::pin(answered(answer))
    }

    /// Runs a writing step of about that many bytes. It has its place at once, after everything that the same task
    /// has called before, and runs also when nobody waits for its answer any more, unless it is late by then.
    fn write<A, T, F>(&self, bytes: usize, args: A, step: F) -> BoxFuture<'_, Result<T>>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t A) -> Boxed<'t, Step<T>> + Send + Sync + 'static,
    {
        let runner = self.runner.clone();
        self.alone(bytes, false, async move { runner.write(&args, &step).await })
    }

    /// Works in the turn of a step that goes alone; `begins_late` says that it does so also when its turn comes late and
    /// nobody waits any more.
    fn alone<T: Send + 'static>(
        &self,
        bytes: usize,
        begins_late: bool,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        let turn = match self.queue.enter(bytes + 64, Way::Alone) {
            Ok(turn) => turn,
            Err(refused) => return Box::pin(async move { Err(Error::unavailable(refused)) }),
        };
        let (reply, answer) = oneshot::channel();
        self.spawn(async move {
            turn.come().await;
            if !begins_late && turn.is_given_up(&reply) {
                return;
            }
            let outcome = work.await;
            drop(turn);
            // Who asked may have gone.
            let _ = reply.send(outcome);
        });
        Box::pin(answered(answer))
    }

    /// Runs a step that reads, which sees every write that was answered before.
    fn read<A, T, F>(&self, args: A, step: F) -> BoxFuture<'_, Result<T>>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'t> Fn(&'t Db, &'t A) -> Boxed<'t, Step<T>> + Send + Sync + 'static,
    {
        Box::pin(async move { self.runner.read(&args, &step).await })
    }

    /// The store's tasks are bounded by what its queue takes in, and are waited for when it closes.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }
}

impl Store for PostgresStore {
    fn check(&self) -> BoxFuture<'_, Result<()>> {
        self.write(0, (), |tx, ()| {
            Box::pin(tx.send("UPDATE meta SET value = value + 1 WHERE key = 'checks'", &[]))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.runner.closing.cancel();
        self.queue.close();
        Box::pin(async {
            self.queue.ended().await;
            self.ended.cancel();
            self.runner.pool.close();
            self.lease.end();
        })
    }

    fn stats(&self) -> StoreStats {
        let counters = &self.runner.counters;
        StoreStats {
            commits: counters.commits.load(Ordering::Relaxed),
            writes: counters.writes.load(Ordering::Relaxed),
            queued: self.queue.len() as u64,
            duplicates: counters.duplicates.load(Ordering::Relaxed),
        }
    }
}

impl Drop for PostgresStore {
    /// What is queued is still done, where the runtime goes on.
    fn drop(&mut self) {
        self.runner.closing.cancel();
        self.queue.close();
        let (queue, ended) = (self.queue.clone(), self.ended.clone());
        self.spawn(async move {
            queue.ended().await;
            ended.cancel();
        });
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    let lost = |_| Err(Error::unknown("a writing step ended without an answer"));
    answer.await.unwrap_or_else(lost)
}

fn server(url: &str, tasks: &TaskTracker) -> Result<Server, OpenError> {
    Server::parse(url, tasks.clone())
        .map_err(|source| OpenError::Server { address: crate::redacted(url), source })
}

/// Checks the server and brings the schema up to date: how transactions begin, and the migrations that were applied.
async fn prepare(server: &Server, place: &str) -> Result<(&'static str, Vec<String>), OpenError> {
    let connected = tokio::time::timeout(writer::START_PATIENCE, server.connect()).await;
    let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Server {
        address: place.to_owned(),
        source,
    };
    let mut client = match connected {
        Ok(connected) => connected.map_err(|source| unreachable(source.into()))?,
        Err(_) => return Err(unreachable("it does not answer".into())),
    };
    let begin = checks::look(&client, place).await?;
    let applied = migrate::apply(&mut client, place, migrate::ALL).await?;
    Ok((begin, applied))
}

/// Brings a database up to date without starting a store.
pub(crate) async fn migrate(url: &str) -> Result<Vec<String>, OpenError> {
    let server = server(url, &TaskTracker::new())?;
    let place = server.shown();
    Ok(prepare(&server, &place).await?.1)
}

/// Names what is missing. The database may be in use.
pub(crate) async fn pending_migrations(url: &str) -> Result<Vec<String>, OpenError> {
    let server = server(url, &TaskTracker::new())?;
    let place = server.shown();
    let client = server.connect().await.map_err(|source| server_error(&place, source))?;
    let missing = migrate::pending(&client, &place, migrate::ALL).await?;
    Ok(missing.iter().map(|migration| migration.name.to_owned()).collect())
}
