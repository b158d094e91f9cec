//! A connection's way into the hub and out of it.
//!
//! A client that cannot say where it was is let in before its upgrade is answered: from the moment in which its socket
//! is open it misses nothing, and a socket that follows another one of the same client is open only when that has ended.

use std::sync::Arc;

use parlour_core::{ConversationId, Result, command::Identity, model::User};
use parlour_websocket::Decoder;
use parlour_wire::Dialect;

use super::{
    Gateway,
    client::{Answer, Client},
    conn::{Conn, NewConn},
    connection::Reader,
    doors::Door,
    implicit::{self, Claimed},
    link::{Codes, Link},
    session,
    upgrade::Upgraded,
};

/// What a connection is to be.
pub(super) struct Wish {
    device: Option<Arc<str>>,
    dialect: &'static dyn Dialect,
    /// What its first frame may make of it instead.
    alternative: Option<&'static dyn Dialect>,
    scope: Option<ConversationId>,
}

impl Wish {
    /// What is behind a door, for a device.
    pub(super) fn new(door: &Door, device: Option<Arc<str>>) -> Self {
        Self {
            device,
            dialect: door.dialect,
            alternative: door.alternative,
            scope: door.scope.flatten(),
        }
    }
}

/// A connection that the hub has taken in. It is let go of when this ends or is dropped.
pub(super) struct Entered {
    gateway: Arc<Gateway>,
    conn: Arc<Conn>,
    user: User,
    alternative: Option<&'static dyn Dialect>,
    /// The place of a client that cannot say it.
    claimed: Option<Claimed>,
    is_out: bool,
}

/// Lets somebody in whose socket is being opened, or has just signed in.
pub(super) async fn enter(
    gateway: &Arc<Gateway>,
    identity: Identity,
    wish: Wish,
) -> Result<Entered> {
    let link = Link::new(Some(Codes::Parlour), gateway.limits.clone(), gateway.metrics.clone());
    let conn = Conn::new(NewConn {
        identity,
        device: wish.device,
        dialect: wish.dialect,
        scope: wish.scope,
        channel: None,
        transport: wish.dialect.name(),
        link,
    });
    let user = session::welcome(gateway, &conn).await?;
    let mut entered = Entered {
        gateway: gateway.clone(),
        conn,
        user,
        alternative: wish.alternative,
        claimed: None,
        is_out: false,
    };
    if entered.conn.track.is_some() {
        entered.claimed = Some(implicit::prepare(gateway, &entered.conn).await?);
    }
    Ok(entered)
}

impl Entered {
    /// Serves the socket until it ends.
    pub(super) async fn serve(mut self, socket: Upgraded, decoder: Decoder) {
        let claimed = self.claimed.take();
        let Self { gateway, conn, .. } = &self;
        conn.send_ahead(session::hello(gateway, conn, &self.user));
        conn.link.attach(socket.stream);
        let client =
            Client::new(gateway.clone(), conn.clone(), self.alternative, claimed.is_some());
        let mut reader = Reader::new(gateway.clone(), conn.link.clone(), decoder, client);
        if let Some(claimed) = claimed {
            let (gateway, conn) = (gateway.clone(), conn.clone());
            reader.begin_with(Box::pin(async move {
                Answer::Resumed(implicit::follow(&gateway, &conn, claimed).await)
            }));
        }
        reader.serve(socket.early).await;
        self.is_out = true;
        leave(&self.gateway, &self.conn).await;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.is_out {
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
