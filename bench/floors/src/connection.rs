//! One connection: what it says is relayed, at once or when it is stored.

use std::{cell::RefCell, future::poll_fn, pin::Pin, rc::Rc, task::Poll};

use parlour_websocket::{Decoder, Limits, Message};
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use crate::{
    door,
    hub::{Hub, Peer},
    store::Store,
    wire::Said,
};

thread_local! {
    /// What all connections read into.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Serves a connection until it ends.
pub(crate) async fn serve(hub: Rc<Hub>, store: Option<Rc<Store>>, mut stream: TcpStream) {
    let Ok((guest, early)) = door::greet(&mut stream).await else { return };
    let (reader, writer) = stream.into_split();
    let peer = Rc::new(Peer::new(&guest, writer));
    hub.join(&peer);
    let mut talk = Talk { hub, store, peer, decoder: Decoder::server(Limits::default()) };
    talk.listen(reader, early).await;
    talk.hub.leave(&talk.peer);
}

/// The state of a connection between two reads.
struct Talk {
    hub: Rc<Hub>,
    store: Option<Rc<Store>>,
    peer: Rc<Peer>,
    decoder: Decoder,
}

impl Talk {
    async fn listen(&mut self, mut reader: OwnedReadHalf, mut early: Vec<u8>) {
        let mut open = self.hear(&mut early);
        drop(early);
        while open {
            open = poll_fn(|context| {
                SCRATCH.with_borrow_mut(|scratch| {
                    let mut buffer = ReadBuf::new(scratch);
                    // Not `try_read`: after a short read this one knows that nothing is left, and does not ask again.
                    match Pin::new(&mut reader).poll_read(context, &mut buffer) {
                        Poll::Pending => Poll::Pending,
                        Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                            Poll::Ready(self.hear(buffer.filled_mut()))
                        }
                        Poll::Ready(_) => Poll::Ready(false),
                    }
                })
            })
            .await;
        }
    }

    /// Does what one read brought. Whether the connection goes on.
    fn hear(&mut self, mut bytes: &mut [u8]) -> bool {
        let Self { hub, store, peer, decoder } = self;
        let goes_on = loop {
            match decoder.next(&mut bytes) {
                Ok(Some(Message::Text(text))) => match (Said::read(text), &store) {
                    (Some(Said::Text(to, text)), None) => {
                        hub.text(peer.user, to, text);
                        hub.ok(peer);
                    }
                    (Some(Said::Text(to, text)), Some(store)) => store.add(peer, to, text),
                    (Some(Said::Typing(to)), _) => {
                        hub.typing(peer.user, to);
                        hub.ok(peer);
                    }
                    (None, _) => break false,
                },
                Ok(Some(message)) => {
                    if let Some(answer) = message.answer() {
                        hub.push(peer, |out| out.extend_from_slice(answer.as_bytes()));
                    }
                }
                Ok(None) => break !decoder.is_finished(),
                Err(_) => break false,
            }
        };
        hub.flush_soon();
        goes_on
    }
}
