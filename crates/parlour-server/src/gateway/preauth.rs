//! A native socket before its sign-in: it may say `auth`, within ten seconds, and nothing else.

use std::{io, time::Duration};

use parlour_core::{
    Code, Error, Result,
    command::{Command, Identity, Reply},
};
use parlour_websocket::{Decoder, Frame, Message};
use parlour_wire::{Request, Tag, native};
use tokio::{
    io::{AsyncWriteExt as _, Interest},
    time::timeout,
};

use super::{
    Gateway,
    close::{Close, Codes},
    connection,
    frames::frame,
    socket::Socket,
    upgrade::Upgraded,
};

/// How long the goodbye to somebody who did not sign in may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A socket whose owner is known.
pub(super) struct SignedIn {
    pub(super) identity: Identity,
    pub(super) socket: Upgraded,
    pub(super) decoder: Decoder,
}

/// What the first frames of a socket are.
enum First {
    Auth { id: Option<u64>, token: std::sync::Arc<str>, rest: Vec<u8> },
    More,
    Goodbye(Vec<Frame>),
}

/// Waits for the sign-in. `None`: the socket has been closed.
pub(super) async fn wait(gateway: &Gateway, mut socket: Upgraded) -> Option<SignedIn> {
    let mut decoder = connection::decoder(gateway, socket.compression);
    let early = std::mem::take(&mut socket.early);
    let first = async {
        socket.answer().await?;
        first(gateway, &socket.stream, &mut decoder, early).await
    };
    let farewell = match timeout(gateway.limits.auth_timeout, first).await {
        Ok(Ok(First::Auth { id, token, rest })) => match sign_in(gateway, &token).await {
            Ok((identity, reply)) => {
                let frame = answer(id, &Ok(reply));
                // A socket that fails here is found dead by its connection.
                let _unheard = timeout(GOODBYE, say(&mut socket.stream, vec![frame])).await;
                socket.early = rest;
                return Some(SignedIn { identity, socket, decoder });
            }
            Err(error) => vec![refusal(id, error), close(&Close::NOT_AUTHENTICATED)],
        },
        Ok(Ok(First::Goodbye(frames))) => frames,
        Ok(Ok(First::More) | Err(_)) => return None,
        Err(_) => vec![close(&Close::AUTH_TIMEOUT)],
    };
    // Whether the goodbye arrives is the client's business.
    let _unheard = timeout(GOODBYE, say(&mut socket.stream, farewell)).await;
    None
}

/// Tells somebody who may not come in why, by a close code.
pub(super) async fn turn_away(gateway: &Gateway, mut socket: Upgraded, why: &Close) {
    let goodbye = async {
        socket.answer().await?;
        say(&mut socket.stream, vec![close(why)]).await?;
        // The client's answer is awaited, so that the code arrives before the end of the stream does.
        let mut decoder = connection::decoder(gateway, socket.compression);
        decoder.ignore_data();
        let mut read = vec![0; 512];
        while !decoder.is_finished() {
            socket.stream.ready(Interest::READABLE).await?;
            match socket.stream.try_read(&mut read) {
                Ok(0) => break,
                Ok(count) => {
                    let mut input = read.get_mut(..count).unwrap_or_default();
                    while let Ok(Some(_)) = decoder.next(&mut input) {}
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    // Whether the goodbye arrives is the client's business.
    let _unheard = timeout(GOODBYE, goodbye).await;
}

/// Who the token is for, and what he is told; the hello follows from the connection itself.
async fn sign_in(gateway: &Gateway, token: &str) -> Result<(Identity, Reply)> {
    let began = gateway.clock.monotonic();
    let identity = gateway.auth.verify_token(token).await?;
    let user = gateway.auth.user_since(&identity.actor.user, began).await?;
    let user = user.ok_or_else(|| Error::new(Code::NotAuthenticated, "this user is not known"))?;
    let reply = Reply::Authenticated { user: Box::new(user), expires_at: identity.expires_at };
    Ok((identity, reply))
}

async fn first(
    gateway: &Gateway,
    stream: &Socket,
    decoder: &mut Decoder,
    mut early: Vec<u8>,
) -> io::Result<First> {
    loop {
        if !early.is_empty() {
            let first = understand(gateway, decoder, &mut early);
            early.clear();
            if !matches!(first, First::More) {
                return Ok(first);
            }
        }
        stream.ready(Interest::READABLE).await?;
        let mut read = vec![0; 4096];
        match stream.try_read(&mut read) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                read.truncate(count);
                early = read;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn understand(gateway: &Gateway, decoder: &mut Decoder, bytes: &mut [u8]) -> First {
    let mut input = bytes;
    loop {
        let requests = match decoder.next(&mut input) {
            Ok(None) => return First::More,
            Ok(Some(Message::Text(text))) => read(text, gateway),
            Ok(Some(Message::Pong(_))) => continue,
            Ok(Some(Message::Binary(_))) => return First::Goodbye(vec![close(&Close::BINARY)]),
            Ok(Some(message @ (Message::Ping(_) | Message::Close(_)))) => {
                return First::Goodbye(message.answer().into_iter().collect());
            }
            Err(error) => return First::Goodbye(vec![error.close_frame()]),
        };
        let mut requests = requests.into_iter();
        let Some(Request { tag: Tag { id, .. }, command }) = requests.next() else { continue };
        return match command {
            Ok(Command::Authenticate { token }) if requests.next().is_none() => {
                First::Auth { id, token, rest: input.to_vec() }
            }
            _ => {
                let error = Error::new(Code::NotAuthenticated, "sign in first");
                First::Goodbye(vec![refusal(id, error), close(&Close::NOT_AUTHENTICATED)])
            }
        };
    }
}

fn refusal(id: Option<u64>, error: Error) -> Frame {
    answer(id, &Err(error))
}

fn close(close: &Close) -> Frame {
    close.frame(Codes::Parlour)
}

fn read(text: &str, gateway: &Gateway) -> Vec<Request> {
    let mut requests = Vec::new();
    native::read(text, &gateway.limits, &mut requests);
    requests
}

fn answer(id: Option<u64>, outcome: &Result<Reply>) -> Frame {
    frame(|out| native::answer(id, outcome, out))
}

async fn say(stream: &mut Socket, frames: Vec<Frame>) -> io::Result<()> {
    for frame in frames {
        stream.write_all(frame.as_bytes()).await?;
    }
    stream.flush().await
}
