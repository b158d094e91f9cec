//! A channel that carries the chat: a connection of the chat's own over the socket of a Pusher client.

use std::sync::Arc;

use parlour_core::{
    Code, Error, UserId,
    command::{Actor, Authority, Identity, Reply},
    port::BoxFuture,
};
use parlour_wire::{
    Request, Tag,
    pusher::{Chat as Dialect, ChatChannel, Refusal, encode},
};
use tokio::sync::oneshot;

use super::channels::{Joining, Owned, Socket};
use crate::gateway::{
    Gateway,
    client::OpenCommand,
    close::Close,
    conn::{Conn, NewConn},
    frames::{Frames, frame},
    hub::Refused,
    implicit,
    send_queue::Item,
    session::{self, Executed},
};

/// As whom somebody acts on a channel.
#[derive(Clone)]
pub(super) struct Acting {
    identity: Identity,
    /// This server itself has allowed it to a sign-in, which must still stand; else the application's signature says
    /// who it is.
    granted: bool,
}

impl Acting {
    pub(super) fn granted(identity: Identity) -> Self {
        // Whoever asked, it is the user's own client that acts here.
        let actor = Actor { authority: Authority::User, ..identity.actor };
        Self { identity: Identity { actor, ..identity }, granted: true }
    }

    pub(super) fn vouched_for(user: UserId) -> Self {
        let actor = Actor::user(user);
        let identity = Identity { actor, session: None, expires_at: None, issued_at: 0 };
        Self { identity, granted: false }
    }
}

/// A channel that carries the chat, from the moment when its signature was good.
pub(super) struct Chat {
    conn: Arc<Conn>,
    acting: Acting,
    /// Ends when everything missed has been sent, or it was refused.
    opened: oneshot::Receiver<()>,
}

impl Chat {
    /// Begins to open it; the client is told how that ended.
    pub(super) fn open(
        gateway: &Arc<Gateway>,
        socket: &Arc<Socket>,
        what: &ChatChannel,
        acting: Acting,
        joining: Owned,
    ) -> Self {
        let Acting { identity, granted } = acting.clone();
        let conn = Conn::new(NewConn {
            key: gateway.new_key(),
            identity: identity.clone(),
            device: socket.device.name.clone(),
            agent: socket.device.agent,
            dialect: &Dialect,
            scope: match what {
                ChatChannel::User(_) => None,
                ChatChannel::Conversation(id) | ChatChannel::PresenceConversation(id) => Some(*id),
            },
            channel: Some(joining.channel.as_str().into()),
            transport: "pusher_chat",
            link: socket.link.clone(),
        });
        let (done, opened) = oneshot::channel();
        let task = Opening {
            gateway: gateway.clone(),
            socket: socket.clone(),
            conn: conn.clone(),
            identity: granted.then_some(identity),
        };
        gateway.tasks.spawn("pusher chat channel", async move {
            task.run(joining).await;
            // Nobody waits for it where the channel was given up before.
            let _unheard = done.send(());
        });
        Self { conn, acting, opened }
    }

    pub(super) const fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }

    /// As whom the client acts here.
    pub(super) fn acting(&self) -> Acting {
        self.acting.clone()
    }

    /// Keeps its place for the next one, and forgets it.
    pub(super) async fn leave(self, gateway: &Gateway) {
        // An error says that the task is gone, so there is nothing to wait for.
        let _opened = self.opened.await;
        implicit::leave(gateway, &self.conn).await;
        gateway.hub.unregister(&self.conn);
    }

    /// The same while its socket goes on: at once it gets nothing more.
    pub(super) fn leave_apart(self, gateway: &Arc<Gateway>) {
        self.conn.end();
        let shared = gateway.clone();
        gateway.tasks.spawn("pusher chat channel leaves", async move {
            self.leave(&shared).await;
        });
    }
}

/// Opens a channel.
struct Opening {
    gateway: Arc<Gateway>,
    socket: Arc<Socket>,
    conn: Arc<Conn>,
    /// The sign-in that must still stand.
    identity: Option<Identity>,
}

impl Opening {
    async fn run(&self, joining: Owned) {
        let channel = joining.channel.clone();
        // A client may want hundreds at once; each costs the store something.
        let turn = self.socket.opening.acquire().await;
        let outcome = self.open(joining).await;
        drop(turn);
        if let Err(refusal) = outcome {
            self.gateway.metrics.refused.inc();
            let refused = frame(|out| encode::subscription_error(&channel, &refusal, out));
            if !self.conn.is_closing() {
                self.socket.link.send(refused);
            }
            self.conn.end();
            self.socket.link.wake();
        }
    }

    async fn open(&self, joining: Owned) -> Result<(), Refusal> {
        let Self { gateway, socket, conn, .. } = self;
        if conn.is_closing() {
            return Ok(());
        }
        self.take_in().await?;
        let channels = &gateway.pusher.channels;
        let _warmth = channels.warm(&socket.app, &joining.channel).await;
        let mut refused = None;
        let begin = || {
            let joining = Joining {
                channel: &joining.channel,
                member: joining.member,
                history: joining.history,
                conn: Some(conn.clone()),
            };
            refused = gateway.pusher.channels.subscribe(socket, joining).err();
            refused.is_none()
        };
        if let Err(error) = implicit::resume_with(gateway, conn, begin).await {
            session::log_failure(&error);
            // It may have been told that it has the channel, and would miss something.
            socket.link.close(&Close::TRY_AGAIN);
        }
        refused.map_or(Ok(()), Err)
    }

    /// Lets the connection into the hub, if its user is one, and belongs there. From then on it is told when he no
    /// longer does; so that is looked at last.
    async fn take_in(&self) -> Result<(), Refusal> {
        let Self { gateway, conn, .. } = self;
        let standing = match &self.identity {
            Some(identity) => gateway.auth.still_stands(identity).await,
            None => gateway.auth.vouched_for(&conn.user).await,
        };
        standing.map_err(|error| refusal(&error))?;
        let store = gateway.chat.store();
        let user = store.user(conn.user.clone()).await.map_err(|error| refusal(&error))?;
        let user = user.ok_or(Refusal::Forbidden)?;
        gateway.hub.register(conn, &user.profile).map_err(|refused| match refused {
            Refused::TooMany => Refusal::TooManyConnections,
            Refused::Draining => Refusal::Unavailable,
        })?;
        if let Some(conversation) = conn.scope {
            let found = store.membership(conn.user.clone(), conversation).await;
            found.map_err(|error| refusal(&error))?.ok_or(Refusal::Forbidden)?;
        }
        Ok(())
    }
}

fn refusal(error: &Error) -> Refusal {
    match error.code {
        Code::NotAuthenticated | Code::Forbidden | Code::NotFound => Refusal::Forbidden,
        _ => {
            session::log_failure(error);
            Refusal::Unavailable
        }
    }
}

/// What became of something that a client asked of the chat.
pub(super) struct Carried {
    conn: Arc<Conn>,
    tag: Tag,
    /// `None`: an event answers it, or already has.
    outcome: Option<Result<Reply, Error>>,
    _open: Option<OpenCommand>,
}

/// Carries out what a client event asks. `later` takes what takes a while.
pub(super) fn carry_out(
    gateway: &Arc<Gateway>,
    conn: &Arc<Conn>,
    Request { tag, command }: Request,
    later: impl FnOnce(BoxFuture<'static, Carried>),
) {
    gateway.metrics.commands.inc();
    let carried = |outcome| Carried { conn: conn.clone(), tag: tag.clone(), outcome, _open: None };
    match command.map(|command| session::execute(gateway, conn, None, command)) {
        Err(error) => carried(Some(Err(error))).tell(gateway),
        Ok(Executed::Now(outcome)) => carried(Some(outcome)).tell(gateway),
        Ok(Executed::Later(work)) => {
            let mut carried = carried(None);
            carried._open = Some(OpenCommand::new(gateway));
            later(Box::pin(async move {
                carried.outcome = work.await;
                carried
            }));
        }
    }
}

impl Carried {
    /// Tells the client. A refusal is one of the connection, everything else is said on the channel.
    pub(super) fn tell(self, gateway: &Gateway) {
        let Self { conn, tag, outcome, .. } = self;
        let Some(outcome) = outcome else { return };
        if let Err(error) = &outcome {
            gateway.metrics.refused.inc();
            session::log_failure(error);
        }
        let at = match &outcome {
            Ok(Reply::Message(appended)) => Some(appended.message.conversation),
            _ => conn.scope,
        };
        let frames = gateway.hub.with_scene(at, |scene| {
            Frames::of(|out| conn.dialect().reply(&tag, &outcome, scene, out))
        });
        match outcome {
            Ok(_) => conn.send_ahead(conn.addressed(frames)),
            Err(_) => conn.link.send_ahead(frames.into_iter().map(Item::control)),
        }
    }
}
