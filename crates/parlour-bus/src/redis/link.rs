//! One server of Redis: connects again and again, keeps its subscriptions as they should be, writes what waits, and
//! notices when it is dead.
//!
//! Nothing here is told what to do. A link compares what is wanted with what is, whenever something may have changed;
//! so a restart, a failover, a moved slot and a new topic are one thing.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::{PushInfo, PushKind, Value, aio::MultiplexedConnection};
use tokio::{sync::Notify, time::sleep};

use super::{
    backoff::Backoff,
    channels::Channel,
    connect::{Failure, SILENCE, connect},
    outbox::Pending,
    shared::{Port, Shared},
};
use crate::{codec::Writer, counters::add};

/// How often a server must prove that it lives.
const PROBE: Duration = Duration::from_secs(1);
/// How often, until what is sent has come back for the first time.
const EAGER_PROBE: Duration = Duration::from_millis(50);
/// After which time is tried again what a server refused.
const AGAIN: Duration = Duration::from_millis(100);

/// Serves a server until the layout does not have it any more.
pub(super) async fn run(shared: Arc<Shared>, port: Arc<Port>) {
    let mut backoff = Backoff::new(shared.own.0 ^ u64::from(port.address.port));
    let mut told = false;
    loop {
        let failure = tokio::select! {
            failure = serve(&shared, &port) => failure,
            () = port.retired.notified() => break,
        };
        let was_up = clean_up(&shared, &port);
        add(&shared.counters.reconnects, 1);
        if was_up || !told {
            tracing::warn!(server = %port.address, %failure, "the bus has lost Redis; it keeps trying");
            told = true;
        }
        if was_up {
            backoff.reset();
        }
        shared.look.notify_one();
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = port.retired.notified() => break,
        }
    }
    clean_up(&shared, &port);
}

/// After a connection: what was not answered is written again, and what it told is missed. Whether there was one.
fn clean_up(shared: &Shared, port: &Port) -> bool {
    let unanswered = std::mem::take(&mut *port.in_flight.lock());
    let channels: Vec<_> = unanswered.iter().map(|pending| pending.channel).collect();
    shared.outbox.put_back(unanswered);
    shared.tell(&channels, |port| port.work.notify_one());
    let lost: Vec<_> = port.subscribed.lock().drain().collect();
    shared.topics.lose(lost.iter().copied());
    // Another server may have them by now.
    shared.tell(&lost, |port| port.change.notify_one());
    port.up.swap(false, Ordering::Relaxed)
}

/// What the parts of a connection tell each other.
#[derive(Default)]
struct Session {
    /// Channels that are being left: their end is no surprise.
    leaving: Mutex<HashSet<Vec<u8>>>,
    /// The server has ended a subscription by itself: the slot has moved. Answers may be out of step from here on.
    is_moved: AtomicBool,
    moved: Notify,
}

impl Session {
    fn pushed(&self, shared: &Shared, info: &PushInfo) {
        match (&info.kind, info.data.as_slice()) {
            (PushKind::Message | PushKind::SMessage, [_, Value::BulkString(frame)]) => {
                shared.receive(frame);
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, [Value::BulkString(name), ..]) => {
                self.ended(name);
            }
            _ => {}
        }
    }

    /// A subscription has ended.
    fn ended(&self, name: &[u8]) {
        if !self.leaving.lock().remove(name) {
            self.is_moved.store(true, Ordering::Relaxed);
            self.moved.notify_one();
        }
    }
}

/// Connects once, and serves until it fails.
async fn serve(shared: &Arc<Shared>, port: &Port) -> Failure {
    let session = Arc::new(Session::default());
    let pushed = {
        let (shared, session) = (shared.clone(), session.clone());
        move |info: PushInfo| session.pushed(&shared, &info)
    };
    let connecting = connect(&port.address, &shared.login, shared.tls.as_ref(), Some(pushed));
    let (connection, io) = match connecting.await {
        Ok(connected) => connected,
        Err(failure) => return failure,
    };
    tracing::info!(server = %port.address, "the bus is connected to Redis");
    port.answered.set(shared.now());
    port.up.store(true, Ordering::Relaxed);
    let link = Link { shared, port, session: &session };
    tokio::select! {
        () = io => Failure::Closed,
        () = session.moved.notified() => Failure::Moved,
        failure = link.subscribe(connection.clone()) => failure,
        failure = link.write(connection.clone()) => failure,
        failure = link.probe(connection.clone()) => failure,
    }
}

/// A connection at work.
struct Link<'a> {
    shared: &'a Shared,
    port: &'a Port,
    session: &'a Session,
}

impl Link<'_> {
    const fn word(&self, plain: &'static str, sharded: &'static str) -> &'static str {
        if self.shared.names.sharded() { sharded } else { plain }
    }

    /// Sends one command for each channel; gives the answers in their order.
    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        pipeline: &redis::Pipeline,
        count: usize,
    ) -> Result<Vec<Value>, Failure> {
        let answers = connection.send_packed_commands(pipeline, 0, count).await?;
        if self.session.is_moved.load(Ordering::Relaxed) {
            return Err(Failure::Moved);
        }
        self.port.answered.set(self.shared.now());
        Ok(answers)
    }

    /// Keeps the subscriptions as they should be.
    async fn subscribe(&self, mut connection: MultiplexedConnection) -> Failure {
        loop {
            match self.adjust(&mut connection).await {
                Ok(true) => self.port.change.notified().await,
                Ok(false) => {
                    self.shared.look.notify_one();
                    // A change of the layout helps; else the server may have changed its mind.
                    _ = tokio::time::timeout(AGAIN, self.port.change.notified()).await;
                }
                Err(failure) => return failure,
            }
        }
    }

    /// One round of it: whether everything is as it should be.
    async fn adjust(&self, connection: &mut MultiplexedConnection) -> Result<bool, Failure> {
        let wanted = self.shared.topics.wanted(|channel| self.shared.is_at(channel, self.port));
        let (kept, missing, extra) = {
            let have = self.port.subscribed.lock();
            let (kept, missing): (Vec<_>, Vec<_>) =
                wanted.iter().partition(|channel| have.contains(channel));
            let extra: Vec<_> =
                have.iter().copied().filter(|channel| !wanted.contains(channel)).collect();
            (kept, missing, extra)
        };
        self.shared.confirm(&kept);
        let mut complete = true;
        if !missing.is_empty() {
            complete = self.join(connection, &missing).await?;
        }
        if !extra.is_empty() {
            self.leave(connection, &extra).await?;
        }
        Ok(complete)
    }

    fn commands(&self, word: &str, channels: &[Channel]) -> redis::Pipeline {
        let mut pipeline = redis::Pipeline::with_capacity(channels.len());
        for channel in channels {
            pipeline.cmd(word).arg(&*self.shared.names.name(*channel));
        }
        pipeline
    }

    async fn join(
        &self,
        connection: &mut MultiplexedConnection,
        channels: &[Channel],
    ) -> Result<bool, Failure> {
        let pipeline = self.commands(self.word("SUBSCRIBE", "SSUBSCRIBE"), channels);
        let answers = self.send(connection, &pipeline, channels.len()).await?;
        let mut joined = Vec::with_capacity(channels.len());
        for (channel, answer) in channels.iter().zip(answers) {
            match answer {
                Value::ServerError(error) if is_passing(error.code()) => {}
                Value::ServerError(error) => return Err(redis::RedisError::from(error).into()),
                _ => joined.push(*channel),
            }
        }
        self.port.subscribed.lock().extend(&joined);
        self.shared.confirm(&joined);
        Ok(joined.len() == channels.len())
    }

    async fn leave(
        &self,
        connection: &mut MultiplexedConnection,
        channels: &[Channel],
    ) -> Result<(), Failure> {
        let name = |channel: &Channel| self.shared.names.name(*channel).as_bytes().to_vec();
        {
            let mut subscribed = self.port.subscribed.lock();
            channels.iter().for_each(|channel| _ = subscribed.remove(channel));
        }
        self.session.leaving.lock().extend(channels.iter().map(name));
        let pipeline = self.commands(self.word("UNSUBSCRIBE", "SUNSUBSCRIBE"), channels);
        let answers = self.send(connection, &pipeline, channels.len()).await?;
        for (channel, answer) in channels.iter().zip(answers) {
            if matches!(answer, Value::ServerError(_)) {
                self.session.leaving.lock().remove(&name(channel));
            }
        }
        Ok(())
    }

    /// Writes what waits. While a batch is on its way the next one gathers.
    async fn write(&self, mut connection: MultiplexedConnection) -> Failure {
        let word = self.word("PUBLISH", "SPUBLISH");
        loop {
            let (taken, old) =
                self.shared.outbox.take(|channel| self.shared.is_at(channel, self.port));
            add(&self.shared.counters.dropped, old);
            if taken.is_empty() {
                self.port.work.notified().await;
                continue;
            }
            let mut pipeline = redis::Pipeline::with_capacity(taken.len());
            for Pending { channel, frame, .. } in &taken {
                pipeline.cmd(word).arg(&*self.shared.names.name(*channel)).arg(frame.as_slice());
            }
            let count = taken.len();
            *self.port.in_flight.lock() = taken;
            let answers = match self.send(&mut connection, &pipeline, count).await {
                Ok(answers) => answers,
                Err(failure) => return failure,
            };
            if !self.written(answers) {
                self.shared.look.notify_one();
                sleep(AGAIN).await;
            }
        }
    }

    /// Reads the answers to a batch; what the server does not take at the moment waits again. Whether it took all.
    fn written(&self, answers: Vec<Value>) -> bool {
        let taken = std::mem::take(&mut *self.port.in_flight.lock());
        let (mut again, mut frames) = (Vec::new(), 0);
        for (pending, answer) in taken.into_iter().zip(answers) {
            match answer {
                Value::ServerError(error) if is_passing(error.code()) => again.push(pending),
                Value::ServerError(error) => {
                    add(&self.shared.counters.dropped, pending.hints);
                    tracing::debug!(code = error.code(), "Redis does not take a message");
                }
                _ => frames += 1,
            }
        }
        add(&self.shared.counters.frames, frames);
        let took_all = again.is_empty();
        self.shared.outbox.put_back(again);
        took_all
    }

    /// Asks again and again whether the server lives, and whether what is sent comes back.
    async fn probe(&self, mut connection: MultiplexedConnection) -> Failure {
        let own = Channel::Node(self.shared.own);
        let mut sent_since = None;
        loop {
            let is_heard =
                self.shared.is_at(own, self.port) && self.port.subscribed.lock().contains(&own);
            let mut pipeline = redis::Pipeline::with_capacity(1);
            if is_heard {
                let frame = Writer::new(self.shared.own).into_bytes();
                let name = self.shared.names.name(own);
                pipeline.cmd(self.word("PUBLISH", "SPUBLISH")).arg(&*name).arg(frame);
            } else {
                pipeline.cmd("PING");
                sent_since = None;
            }
            match self.send(&mut connection, &pipeline, 1).await {
                Ok(answers) => match answers.into_iter().next() {
                    Some(Value::ServerError(error)) if !is_passing(error.code()) => {
                        return redis::RedisError::from(error).into();
                    }
                    Some(Value::ServerError(_)) => self.shared.look.notify_one(),
                    _ => {}
                },
                Err(failure) => return failure,
            }
            let now = self.shared.now();
            let since = *sent_since.get_or_insert(now);
            let hears = self.shared.hears_itself(SILENCE);
            if is_heard && !hears && now.saturating_sub(since) > SILENCE {
                return Failure::Deaf;
            }
            sleep(if hears { PROBE } else { EAGER_PROBE }).await;
        }
    }
}

/// Whether a refusal is about the moment: the slot is elsewhere, or the server is not ready.
fn is_passing(code: &str) -> bool {
    ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "BUSY"].contains(&code)
}
