//! The end of a socket: what is queued goes out, and the close is clean on both sides.

use std::io;

use parlour_websocket::Decoder;
use tokio::io::Interest;

use super::{conn::Conn, connection::BUFFER};

/// What is queued goes out, answers to what was accepted included, then the socket is closed.
pub(super) async fn finish(conn: &Conn, decoder: &mut Decoder) {
    while !conn.is_dead() && conn.has_queued() {
        let Some(socket) = conn.socket() else { break };
        tokio::select! {
            ready = socket.ready(Interest::WRITABLE) => match ready {
                Ok(_) => conn.flush(),
                Err(_) => conn.abort(),
            },
            // The sweep gives up a socket that takes nothing.
            () = conn.woken() => {}
        }
    }
    if !conn.is_dead() {
        linger(conn, decoder).await;
    }
}

/// After our close frame the client's answer is awaited, so that the end is clean on its side (RFC 6455
/// section 7.1.1); the sweep ends the wait. A client that closed first is not kept.
async fn linger(conn: &Conn, decoder: &mut Decoder) {
    while !decoder.is_finished() && !conn.is_dead() {
        let Some(socket) = conn.socket() else { return };
        tokio::select! {
            ready = socket.ready(Interest::READABLE) => {
                if ready.is_err() {
                    return;
                }
                let over = BUFFER.with_borrow_mut(|buffer| match socket.try_read(buffer) {
                    Ok(0) => true,
                    Ok(count) => {
                        let mut input = buffer.get_mut(..count).unwrap_or_default();
                        while let Ok(Some(_)) = decoder.next(&mut input) {}
                        false
                    }
                    Err(error) => error.kind() != io::ErrorKind::WouldBlock,
                });
                if over {
                    return;
                }
            }
            () = conn.woken() => {}
        }
    }
}
