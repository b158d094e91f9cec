//! A client of one kind: it talks, listens, loses its connection and comes back.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Kind,
    log::{Heard, Log},
    poller::poll,
    pusher, seeds,
    speech::{self, Place, Speech, number},
};
use crate::{
    rest::Rest,
    socket::{Incoming, Socket},
    token,
};

/// How long anything may take that is no test of patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// Frames that wait for a connection to send them.
const OUTGOING: usize = 64;

/// One client.
#[derive(Debug)]
pub struct Client {
    kind: Kind,
    user: String,
    place: Place,
    address: SocketAddr,
    log: Arc<watch::Sender<Log>>,
    line: Option<Line>,
    /// Connections that neither read nor answer any more, and still stand.
    frozen: Vec<Line>,
    number: u64,
    /// Gives a connection up that is silent for so long, after asking for a sign of life.
    watch: Option<Duration>,
}

/// The task of a connection.
#[derive(Debug)]
struct Line {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

pub(super) enum Order {
    Send(Value),
    Freeze,
    Cut,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Connects for the first time. When it returns, whatever is said from now on arrives.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(
        address: SocketAddr,
        kind: Kind,
        user: &str,
        place: Place,
    ) -> Result<Self> {
        Self::connect_watching(address, kind, user, place, None).await
    }

    /// The same; with a time after which it gives a silent connection up, having asked for a sign of life.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect_watching(
        address: SocketAddr,
        kind: Kind,
        user: &str,
        place: Place,
        watch: Option<Duration>,
    ) -> Result<Self> {
        let log = Arc::new(watch::Sender::new(Log::default()));
        let user = user.to_owned();
        let mut client = Self {
            kind,
            user,
            place,
            address,
            log,
            line: None,
            frozen: Vec::new(),
            number: 1,
            watch,
        };
        client.open().await?;
        Ok(client)
    }

    /// From the next connection on goes to another process.
    pub const fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Whether it has a connection, as far as it knows.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.task.is_finished())
    }

    /// Leaves without a goodbye, for good.
    pub fn leave(&mut self) {
        self.line = None;
    }

    /// Looks at what it has been told so far.
    pub fn look<T>(&self, at: impl FnOnce(&Log) -> T) -> T {
        at(&self.log.borrow())
    }

    /// Takes down what it loaded beside its connection, which was begun when it had heard so much
    /// ([`Log::heard`]). What its connection has told of a message since then is newer.
    pub fn add_loaded(&self, since: usize, loaded: Vec<Heard>) {
        self.log.send_modify(|log| log.add_loaded(since, loaded, &self.user));
    }

    /// What it speaks.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What it has been told so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    /// Says something under a name that makes the send idempotent. Whether it arrived, the log tells.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn say(&mut self, text: &str, client_id: &str) -> Result<()> {
        self.log.send_modify(|log| log.remember(client_id, text));
        self.number += 1;
        let frame = match dialect(self.kind) {
            Some(speech) => speech.say(&self.user, &self.place, text, client_id, self.number),
            None => json!({"content": text, "client_id": client_id}),
        };
        self.order(Order::Send(frame)).await
    }

    /// Says something and waits until it is told that it is stored.
    ///
    /// # Errors
    /// When it is not.
    pub async fn tell(&mut self, text: &str) -> Result<()> {
        self.say(text, &format!("name of {text}")).await?;
        self.until(&format!("its own {text}"), |log| log.has(text)).await
    }

    /// Sends a frame of its dialect.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn send(&mut self, frame: Value) -> Result<()> {
        self.order(Order::Send(frame)).await
    }

    /// Waits until its log is as it should be.
    ///
    /// # Errors
    /// When that takes too long; `what` is what was waited for.
    pub async fn until(&self, what: &str, wanted: impl FnMut(&Log) -> bool) -> Result<()> {
        let mut changes = self.log.subscribe();
        let waited = timeout(PATIENCE, changes.wait_for(wanted)).await;
        if waited.is_err() {
            let log = self.log.borrow();
            let last: Vec<_> = log.heard().iter().rev().take(5).rev().collect();
            bail!(
                "{} ({}) was not told of {what}; of {} the last: {last:?}",
                self.user,
                self.kind.name(),
                log.heard().len()
            );
        }
        Ok(())
    }

    /// Loses the connection: it is reset, without a goodbye.
    ///
    /// # Errors
    /// When there is none.
    pub async fn cut(&mut self) -> Result<()> {
        self.order(Order::Cut).await?;
        if let Some(mut line) = self.line.take() {
            (&mut line.task).await.context("the task of the connection failed")?;
        }
        Ok(())
    }

    /// Neither reads nor answers any more, and leaves the connection standing.
    ///
    /// # Errors
    /// When there is none.
    pub async fn freeze(&mut self) -> Result<()> {
        self.order(Order::Freeze).await?;
        self.frozen.extend(self.line.take());
        Ok(())
    }

    /// Comes back.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reconnect(&mut self) -> Result<()> {
        self.line = None;
        self.open().await
    }

    async fn order(&self, order: Order) -> Result<()> {
        let line = self.line.as_ref().context("not connected")?;
        line.orders.send(order).await.ok().context("the connection is gone")
    }

    async fn open(&mut self) -> Result<()> {
        let (orders, taken) = mpsc::channel(OUTGOING);
        let (me, log) = (self.user.clone(), self.log.clone());
        let task = match dialect(self.kind) {
            Some(speech) => {
                let socket = self.handshake(speech).await?;
                tokio::spawn(listen(socket, speech, me, log, taken, self.watch))
            }
            None => {
                let rest = Rest::new(self.address, &me)?.patience(self.watch.unwrap_or(PATIENCE));
                let conversation = self.place.conversation;
                if log.borrow().position.is_none() {
                    let path = format!("/api/v1/conversations/{conversation}");
                    let seq = number(&rest.get(&path).await?.ok()?, "last_seq")?;
                    log.send_modify(|log| log.position = Some((0, seq)));
                }
                tokio::spawn(poll(rest, conversation, me, log, taken))
            }
        };
        self.line = Some(Line { orders, task });
        Ok(())
    }

    /// Opens a socket, and reads until it carries whatever is said from now on.
    async fn handshake(&mut self, speech: &'static dyn Speech) -> Result<Socket> {
        let (address, me) = (self.address, self.user.clone());
        let token = token::for_user(&me)?;
        let patience = self.watch.unwrap_or(PATIENCE);
        let mut url = format!("ws://{address}{}", speech.address(&self.place));
        match self.kind {
            Kind::Native => {
                let mut socket = Socket::connect(address, &me).await?;
                self.resume(&mut socket, speech).await?;
                return Ok(socket);
            }
            Kind::Pusher => {
                let mut socket = Socket::connect_bare(address, &url).await?;
                pusher::subscribe(&mut socket, address, &me).await?;
                return Ok(socket);
            }
            _ => {}
        }
        let join = if url.contains('?') { '&' } else { '?' };
        url = format!("{url}{join}token={token}");
        let mut socket = Socket::connect_bare(address, &url).await?;
        // Nothing says that these are listening, but the answer to something that nobody understands comes after.
        socket.send(&json!({"type": "is_anybody_there"})).await?;
        loop {
            let (frame, text) = socket.frame(patience).await?;
            self.log.send_modify(|log| log.note(&text));
            if frame["type"] == "error" && frame["code"] == "unknown_type" {
                return Ok(socket);
            }
            self.take(speech, &frame)?;
        }
    }

    async fn resume(&mut self, socket: &mut Socket, speech: &dyn Speech) -> Result<()> {
        let conversation = self.place.conversation;
        let position = self.log.borrow().position;
        let known = position.map(|(epoch, seq)| {
            json!({"conversation_id": conversation, "epoch": epoch, "seq": seq, "receipts": 0})
        });
        let positions: Vec<Value> = known.into_iter().collect();
        let (hello, _) = socket.frame(PATIENCE).await?;
        if hello["type"] != "hello" {
            bail!("the first frame is no hello: {hello}");
        }
        socket.send(&json!({"type": "resume", "id": 1, "positions": positions})).await?;
        loop {
            let (frame, _) = socket.frame(PATIENCE).await?;
            if frame["type"] != "reply" || frame["id"] != 1 {
                self.take(speech, &frame)?;
                continue;
            }
            let all = frame["ok"]["conversations"].as_array();
            let own = all.into_iter().flatten().find(|c| c["conversation_id"] == conversation);
            let own =
                own.with_context(|| format!("conversation {conversation} is not in {frame}"))?;
            let stands = (number(own, "epoch")?, number(own, "seq")?);
            self.log.send_modify(|log| log.position = Some(stands));
            return Ok(());
        }
    }

    fn take(&self, speech: &dyn Speech, frame: &Value) -> Result<()> {
        let mut outcome = Ok(());
        self.log.send_modify(|log| outcome = speech.hear(&self.user, frame, log));
        outcome
    }
}

/// How a kind writes and reads; `None` for the one without a socket.
fn dialect(kind: Kind) -> Option<&'static dyn Speech> {
    match kind {
        Kind::Native => Some(&speech::Native),
        Kind::Direct => Some(&seeds::Direct),
        Kind::Inbox => Some(&seeds::Inbox),
        Kind::Room => Some(&seeds::Room),
        Kind::Plain => Some(&seeds::Plain),
        Kind::Pusher => Some(&pusher::Pusher),
        Kind::Rest => None,
    }
}

/// Carries orders out and takes down what comes, until the connection is over.
async fn listen(
    mut socket: Socket,
    speech: &'static dyn Speech,
    me: String,
    log: Arc<watch::Sender<Log>>,
    mut orders: mpsc::Receiver<Order>,
    watch: Option<Duration>,
) {
    let add = |heard: Heard| log.send_modify(|log| log.add(heard, &me));
    let mut looks = tokio::time::interval(watch.unwrap_or(PATIENCE) / 3);
    loop {
        tokio::select! {
            _ = looks.tick(), if watch.is_some() => {
                if watch.is_some_and(|most| socket.silence() > most) || socket.ping().await.is_err() {
                    return add(Heard::Ended(None));
                }
            }
            order = orders.recv() => match order {
                Some(Order::Send(frame)) => {
                    if let Err(error) = socket.send(&frame).await {
                        return add(Heard::Refused(format!("{error:#}")));
                    }
                }
                Some(Order::Freeze) => std::future::pending().await,
                Some(Order::Cut) | None => return socket.reset(),
            },
            incoming = socket.receive() => match incoming {
                Ok(Incoming::Frame(frame, text)) => log.send_modify(|log| {
                    log.note(&text);
                    if let Err(error) = speech.hear(&me, &frame, log) {
                        log.add(Heard::Refused(format!("{error:#}")), &me);
                    }
                }),
                Ok(Incoming::End(code)) => return add(Heard::Ended(code)),
                Err(error) => return add(Heard::Refused(format!("{error:#}"))),
            },
        }
    }
}
