//! What one connection may do: welcomes it, and carries out its commands.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use parlour_core::{
    Code, ConversationId, Error, Result, UserId,
    command::{Command, NewConversation, Reply, SendMessage},
    event::Origin,
    model::{ConversationKind, MessageKind, User, UserState},
    port::BoxFuture,
};
use parlour_websocket::Frame;
use parlour_wire::Hello;

use super::{Gateway, close::Close, conn::Conn, focus, frames::Frames, resume};

/// How a command is carried out.
pub(crate) enum Executed {
    /// It is done.
    Now(Result<Reply>),
    /// It takes a while; `None` when an event answers it.
    Later(BoxFuture<'static, Option<Result<Reply>>>),
}

impl Gateway {
    /// Whole seconds of process time, never zero: the unit of the deadlines of connections.
    pub(crate) fn seconds(&self) -> u32 {
        self.hub.seconds()
    }
}

/// Takes a connection into the hub, whose user was just read.
///
/// # Errors
/// [`Code::NotAuthenticated`], [`Code::RateLimited`] for too many connections, [`Code::Unavailable`] while the server
/// ends.
pub(super) fn welcome(gateway: &Gateway, conn: &Arc<Conn>, user: Option<User>) -> Result<User> {
    conn.link.timing.heard.store(gateway.seconds(), Relaxed);
    let user = user
        .filter(|user| user.state == UserState::Active)
        .ok_or_else(|| Error::new(Code::NotAuthenticated, "the sign-in is not valid"))?;
    gateway.hub.register(conn, &user.profile).map_err(Error::from)?;
    Ok(user)
}

/// The greeting of a connection.
pub(super) fn hello(gateway: &Gateway, conn: &Conn, user: &User) -> Vec<Frame> {
    let expires_at = conn.sign_in.expires_at.load(Relaxed);
    let hello = Hello {
        session: &format!("c{}", conn.key),
        user,
        now: gateway.clock.now(),
        expires_at: (expires_at != 0).then_some(expires_at),
        limits: &gateway.limits,
        version: env!("CARGO_PKG_VERSION"),
        durability: "full",
    };
    Frames::of(|out| conn.dialect().hello(&hello, out))
}

/// Whether a command counts against the connection's rate. Marks and typing do not: clients send them by the
/// hundred without harm, and they are coalesced instead.
pub(super) const fn is_limited(command: &Command) -> bool {
    !matches!(
        command,
        Command::Mark { .. }
            | Command::MarkMessages { .. }
            | Command::Typing { .. }
            | Command::TypeTo { .. }
            | Command::Ping
    )
}

/// Carries out one command.
pub(crate) fn execute(
    gateway: &Arc<Gateway>,
    conn: &Arc<Conn>,
    id: Option<u64>,
    command: Command,
) -> Executed {
    if gateway.hub.is_draining() {
        let error = Error::new(Code::Unavailable, "the server restarts; come back in a moment");
        return Executed::Now(Err(error));
    }
    match command {
        Command::Ping => Executed::Now(Ok(Reply::Pong(gateway.clock.now()))),
        Command::Typing { conversation, active } => {
            match gateway.hub.typing(conn, conversation, active) {
                Err(error) if error.code == Code::NotFound => {
                    let (gateway, conn) = (gateway.clone(), conn.clone());
                    Executed::Later(Box::pin(async move {
                        Some(type_in_new(&gateway, &conn, conversation, active).await)
                    }))
                }
                told => Executed::Now(told.map(|()| Reply::Done)),
            }
        }
        Command::TypeTo { user, active } => match gateway.hub.direct_with(&conn.user, &user) {
            Some(conversation) => {
                let told = gateway.hub.typing(conn, conversation, active);
                Executed::Now(told.map(|()| Reply::Done))
            }
            None => {
                let (gateway, conn) = (gateway.clone(), conn.clone());
                Executed::Later(Box::pin(async move {
                    Some(type_to(&gateway, &conn, user, active).await)
                }))
            }
        },
        Command::SetAway { away } => {
            gateway.hub.set_away(conn, away);
            Executed::Now(Ok(Reply::Done))
        }
        Command::Resume(positions) => {
            if conn.listening.load(Relaxed) {
                let error = Error::new(Code::Conflict, "this connection has resumed already");
                return Executed::Now(Err(error));
            }
            conn.hold();
            let (gateway, conn) = (gateway.clone(), conn.clone());
            Executed::Later(Box::pin(async move {
                resume::native(&gateway, &conn, id, positions).await.err().map(Err)
            }))
        }
        Command::Authenticate { token } => {
            let (gateway, conn) = (gateway.clone(), conn.clone());
            Executed::Later(Box::pin(
                async move { renew(&gateway, &conn, &token).await.transpose() },
            ))
        }
        stored => {
            let origin = conn
                .is_answered_by_events()
                .then(|| Origin { connection: conn.key, command: id.unwrap_or(0) });
            let (gateway, conn) = (gateway.clone(), conn.clone());
            let read_at = Instant::now();
            let asking = gateway.hub.asks(&conn.user);
            Executed::Later(Box::pin(async move {
                let _until_it_is_committed = asking;
                let outcome = store(&gateway, &conn, origin, stored).await;
                if let Ok(Reply::Message(appended)) = &outcome
                    && !appended.duplicate
                {
                    gateway.metrics.stored_seconds.observe(read_at.elapsed().as_secs_f64());
                    if origin.is_some() {
                        return None;
                    }
                }
                Some(outcome)
            }))
        }
    }
}

/// Somebody types in a conversation that the hub does not know of him: none of his, or one that is so new that the hub
/// is about to learn of it.
async fn type_in_new(
    gateway: &Gateway,
    conn: &Conn,
    conversation: ConversationId,
    active: bool,
) -> Result<Reply> {
    let membership = gateway.chat.store().membership(conn.user.clone(), conversation).await?;
    membership.ok_or_else(Error::not_found)?;
    gateway.inbox.settled().await;
    match gateway.hub.typing(conn, conversation, active) {
        // He has not resumed: nobody sees him, so nobody sees him type.
        Err(error) if error.code == Code::NotFound => Ok(Reply::Done),
        told => told.map(|()| Reply::Done),
    }
}

/// Somebody types to a user with whom the hub knows no conversation of his that is about nothing.
async fn type_to(gateway: &Gateway, conn: &Conn, other: UserId, active: bool) -> Result<Reply> {
    let stands = gateway.chat.store().direct_between(conn.user.clone(), other).await?;
    match stands {
        Some(conversation) => type_in_new(gateway, conn, conversation, active).await,
        // Nobody to tell: typing makes no conversation.
        None => Ok(Reply::Done),
    }
}

/// Carries out what changes the store.
async fn store(
    gateway: &Gateway,
    conn: &Conn,
    origin: Option<Origin>,
    command: Command,
) -> Result<Reply> {
    let (chat, actor) = (&gateway.chat, conn.actor());
    match command {
        Command::SendMessage(message) => {
            chat.send_message(actor, origin, message).await.map(Reply::Message)
        }
        Command::SendTo { user, client_id, text } => {
            // Nothing that cannot be said makes a conversation.
            gateway.limits.check_text(&text)?;
            let conversation = direct_with(gateway, conn, user).await?;
            let message = SendMessage {
                conversation,
                client_id,
                text,
                metadata: None,
                reply_to: None,
                kind: MessageKind::Text,
                recipient: None,
                subject: None,
            };
            chat.send_message(actor, origin, message).await.map(Reply::Message)
        }
        Command::MarkMessages { conversation, messages } => {
            chat.mark_messages(actor, origin, conversation, messages).await.map(|()| Reply::Done)
        }
        Command::Focus { conversation, focused } => {
            focus::focus(gateway, conn, conversation, focused).await
        }
        Command::EditMessage { message, text } => {
            chat.edit_message(actor, origin, message, text).await.map(Reply::Message)
        }
        Command::DeleteMessage { message } => {
            chat.delete_message(actor, origin, message).await.map(Reply::Message)
        }
        Command::Mark { conversation, up_to, read } => {
            chat.mark(actor, origin, conversation, up_to, read).await.map(Reply::Marked)
        }
        Command::CreateConversation(new) => {
            let made = chat.create_conversation(actor, origin, new).await?;
            Ok(Reply::Conversation(Box::new(made)))
        }
        Command::AddParticipant { conversation, user } => {
            chat.add_participant(actor, origin, conversation, user).await.map(Reply::Added)
        }
        Command::RemoveParticipant { conversation, user } => {
            chat.remove_participant(actor, origin, conversation, user).await?;
            Ok(Reply::Done)
        }
        Command::Typing { .. }
        | Command::TypeTo { .. }
        | Command::SetAway { .. }
        | Command::Resume(_)
        | Command::Authenticate { .. }
        | Command::Ping => Ok(Reply::Done),
    }
}

/// The direct conversation with a user; made where there is none.
async fn direct_with(gateway: &Gateway, conn: &Conn, other: UserId) -> Result<ConversationId> {
    if let Some(known) = gateway.hub.direct_with(&conn.user, &other) {
        return Ok(known);
    }
    let stands = gateway.chat.store().direct_between(conn.user.clone(), other.clone()).await?;
    if let Some(conversation) = stands {
        return Ok(conversation);
    }
    let new = NewConversation {
        kind: ConversationKind::Direct,
        participants: vec![other],
        title: None,
        subject: None,
        external_id: None,
        metadata: None,
    };
    let made = gateway.chat.create_conversation(conn.actor(), None, new).await?;
    Ok(made.summary.conversation.id)
}

/// Renews the sign-in. Another user's token, or a bad one, ends the connection (A11, B17); `None` then.
async fn renew(gateway: &Gateway, conn: &Conn, token: &str) -> Result<Option<Reply>> {
    let began = gateway.clock.monotonic();
    let identity = match gateway.auth.verify_token(token).await {
        Ok(identity) if identity.actor == conn.actor() => identity,
        Ok(_) => {
            conn.close(&Close::NOT_AUTHENTICATED);
            return Ok(None);
        }
        Err(error) if error.code == Code::NotAuthenticated => {
            conn.close(&Close::NOT_AUTHENTICATED);
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    conn.renew(identity.expires_at, identity.issued_at);
    let user = gateway.auth.user_since(&conn.user, began).await?;
    let user = user.ok_or_else(Error::not_found)?;
    Ok(Some(Reply::Authenticated { user: Box::new(user), expires_at: identity.expires_at }))
}

/// Writes what only the log may know of a failure.
pub(crate) fn log_failure(error: &Error) {
    if matches!(error.code, Code::Internal | Code::Unavailable | Code::Unknown) {
        tracing::error!(code = error.code.as_str(), ?error, "a command failed");
    }
}
