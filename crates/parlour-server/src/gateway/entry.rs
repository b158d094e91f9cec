//! A connection's way into the hub and out of it.
//!
//! A client that cannot say where it was is let in before its upgrade is answered: from the moment in which its socket
//! is open it misses nothing, and a socket that follows another one of the same client is open only when that has ended.

use std::{sync::Arc, time::Duration};

use parlour_core::{ConversationId, Result, command::Identity, model::User};
use parlour_websocket::Decoder;
use parlour_wire::Dialect;

use super::{
    Gateway,
    client::{Answer, Client},
    close::Codes,
    conn::{Conn, NewConn},
    connection::Reader,
    doors::Door,
    implicit::{self, Claimed},
    link::Link,
    session,
    upgrade::Upgraded,
};

/// What a connection is to be.
pub(super) struct Wish {
    device: Option<Arc<str>>,
    agent: Option<u32>,
    dialect: &'static dyn Dialect,
    /// What its first frame may make of it instead.
    alternative: Option<&'static dyn Dialect>,
    scope: Option<ConversationId>,
}

impl Wish {
    /// What is behind a door, for a device of a kind.
    pub(super) fn new(door: &Door, device: Option<Arc<str>>, agent: Option<u32>) -> Self {
        Self {
            device,
            agent,
            dialect: door.dialect,
            alternative: door.alternative,
            scope: door.scope.flatten(),
        }
    }
}

/// A connection that the hub has taken in, whose socket is being opened.
pub(super) struct Entered {
    stay: Stay,
    user: User,
    alternative: Option<&'static dyn Dialect>,
    /// The place of a client that cannot say it.
    claimed: Option<Claimed>,
}

/// A connection that is served.
pub(super) struct Running {
    reader: Reader<Client>,
    early: Vec<u8>,
    stay: Stay,
}

/// That the hub has a connection. It is let go of when this ends or is dropped.
struct Stay {
    gateway: Arc<Gateway>,
    conn: Arc<Conn>,
    is_over: bool,
}

/// Lets somebody in whose socket is being opened, or has just signed in: at a moment of process time or later.
pub(super) async fn enter(
    gateway: &Arc<Gateway>,
    identity: Identity,
    since: Duration,
    wish: Wish,
) -> Result<Entered> {
    let user = gateway.auth.user_since(&identity.actor.user, since).await?;
    let link = Link::new(Some(Codes::Parlour), gateway.limits.clone(), gateway.metrics.clone());
    let conn = Conn::new(NewConn {
        key: gateway.new_key(),
        identity,
        device: wish.device,
        agent: wish.agent,
        dialect: wish.dialect,
        scope: wish.scope,
        channel: None,
        transport: wish.dialect.name(),
        link,
    });
    let user = session::welcome(gateway, &conn, user)?;
    let stay = Stay { gateway: gateway.clone(), conn, is_over: false };
    let claimed = match &stay.conn.track {
        Some(_) => Some(implicit::prepare(gateway, &stay.conn).await?),
        None => None,
    };
    Ok(Entered { stay, user, alternative: wish.alternative, claimed })
}

impl Entered {
    /// Gives it its socket, greets the client, and begins to send what it missed.
    pub(super) fn begin(self, socket: Upgraded, decoder: Decoder) -> Running {
        let Self { stay, user, alternative, claimed } = self;
        let (gateway, conn) = (&stay.gateway, &stay.conn);
        conn.send_ahead(session::hello(gateway, conn, &user));
        let early = conn.link.attach(socket);
        let client = Client::new(gateway.clone(), conn.clone(), alternative, claimed.is_some());
        let mut reader = Reader::new(gateway.clone(), conn.link.clone(), decoder, client);
        if let Some(claimed) = claimed {
            let (gateway, conn) = (gateway.clone(), conn.clone());
            reader.begin_with(Box::pin(async move {
                Answer::Resumed(implicit::follow(&gateway, &conn, claimed).await)
            }));
        }
        Running { reader, early, stay }
    }
}

impl Running {
    /// Serves the socket until it ends.
    pub(super) async fn serve(&mut self) {
        self.reader.serve(std::mem::take(&mut self.early)).await;
        self.stay.is_over = true;
        // Boxed, so that no connection has room kept for its end.
        Box::pin(leave(&self.stay.gateway, &self.stay.conn)).await;
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if !self.is_over {
            // The client went before its socket was open.
            self.conn.link.abort();
            let (gateway, conn) = (self.gateway.clone(), self.conn.clone());
            self.gateway
                .tasks
                .spawn("end of an entry", async move { leave(&gateway, &conn).await });
        }
    }
}

/// Lets a connection's place wait for its next one, and forgets it.
async fn leave(gateway: &Gateway, conn: &Arc<Conn>) {
    implicit::leave(gateway, conn).await;
    gateway.hub.unregister(conn);
}
