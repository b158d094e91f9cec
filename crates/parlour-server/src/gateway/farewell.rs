//! The end of a socket: what is queued goes out, and the close is clean on both sides.

use std::io;

use parlour_websocket::Decoder;
use tokio::io::Interest;

use super::{connection::BUFFER, link::Link};

/// What is queued goes out, answers to what was accepted included, then the socket is closed.
pub(crate) async fn finish(link: &Link, decoder: &mut Decoder) {
    while !link.is_dead() && link.has_queued() {
        let Some(socket) = link.socket() else { break };
        tokio::select! {
            biased;
            ready = socket.ready(Interest::WRITABLE) => match ready {
                Ok(_) => link.flush(),
                Err(_) => link.abort(),
            },
            // The sweep gives up a socket that takes nothing.
            () = link.woken() => {}
        }
    }
    if !link.is_dead() {
        linger(link, decoder).await;
    }
}

/// After our close frame the client's answer is awaited, so that the end is clean on its side (RFC 6455
/// section 7.1.1); the sweep ends the wait. A client that closed first is not kept.
async fn linger(link: &Link, decoder: &mut Decoder) {
    decoder.ignore_data();
    while !decoder.is_finished() && !link.is_dead() {
        let Some(socket) = link.socket() else { return };
        tokio::select! {
            biased;
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
            () = link.woken() => {}
        }
    }
}
