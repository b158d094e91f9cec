//! One event is written once, however many listen.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll},
};

use parking_lot::Mutex;
use parlour_core::{Epoch, Error, command::Reply, testing};
use parlour_wire::{Caller, Hello, Request, Sink, Tag};
use tokio::io::{Interest, Ready};

use super::*;
use crate::gateway::{
    compression::{Agreed, Compression},
    hub::test_conn::conn,
    socket::{Socket, Transport},
    upgrade::Upgraded,
};

/// Says the same of everything, and counts how often it is asked to.
struct Saying {
    texts: &'static [&'static str],
    asked: AtomicUsize,
}

impl Saying {
    const fn new(texts: &'static [&'static str]) -> Self {
        Self { texts, asked: AtomicUsize::new(0) }
    }
}

impl Dialect for Saying {
    fn name(&self) -> &'static str {
        "saying"
    }

    fn decode(&self, _: &str, _: &Caller<'_>, _: &mut Vec<Request>) {}

    fn hello(&self, _: &Hello<'_>, _: &mut dyn Sink) {}

    fn encode(&self, _: &Envelope, _: Audience, _: &Scene<'_>, out: &mut dyn Sink) {
        self.asked.fetch_add(1, Relaxed);
        for text in self.texts {
            out.frame().extend_from_slice(text.as_bytes());
        }
    }

    fn variant(&self, _: &Envelope, audience: Audience) -> Variant {
        Variant::Shared(u8::from(audience == Audience::Sender))
    }

    fn reply(&self, _: &Tag, _: &Result<Reply, Error>, _: &Scene<'_>, _: &mut dyn Sink) {}
}

/// What compression makes smaller.
const LONG: &str = "hohohohohohohohohohohohohohohohohohohoho";

static TERSE: Saying = Saying::new(&["{}"]);
static WORDY: Saying = Saying::new(&["one", "two", LONG]);

/// A socket that notes what is written to it: each write with its pieces.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<Vec<Vec<u8>>>>>);

impl Noting {
    fn opened(&self, compression: Option<Agreed>) -> Upgraded {
        let stream = Socket::Other(Box::new(self.clone()));
        Upgraded { stream, answer: b"HTTP".to_vec(), early: Vec::new(), compression }
    }

    fn writes(&self) -> Vec<Vec<Vec<u8>>> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Transport for Noting {
    fn poll_ready(&self, _: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(if interest.is_writable() { Ready::WRITABLE } else { Ready::EMPTY }))
    }

    fn try_read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.lock().push(slices.iter().map(|slice| slice.to_vec()).collect());
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn hang_up(&self) {}
}

fn typing() -> Envelope {
    let profile = Arc::new(parlour_core::model::Profile::bare(testing::user("1")));
    Envelope {
        conversation: Some(ConversationId(1)),
        epoch: Epoch(1),
        seq: None,
        at: 0,
        origin: None,
        event: Event::Typing { user: profile, active: true },
    }
}

#[test]
fn an_event_is_written_once_for_each_dialect_and_variant_however_many_listen() {
    let envelope = typing();
    let settings = Settings::default();
    let scene = Scene { place: None, read: &[], settings: &settings };
    let mut encoder = Encoder::new(&envelope, scene);
    let mut dirty = Vec::new();
    let mut listeners: Vec<_> =
        (1..=50).map(|n| conn(&TERSE, &(n % 5).to_string(), None)).collect();
    listeners.extend((0..50).map(|_| conn(&TERSE, "7", Some("private-conversation.1"))));
    for listener in &listeners {
        assert!(encoder.send(listener, &mut dirty));
    }
    assert_eq!(TERSE.asked.load(Relaxed), 2, "one for the typist's own, one for all others");
    assert_eq!(dirty.len(), 100);
    assert_eq!(encoder.made.len(), 3, "and one with the name of the channel that 50 share");
    let last = listeners[99].link.pop().map(|item| item.frame.payload().to_vec());
    assert_eq!(last.unwrap(), br#"{,"channel":"private-conversation.1"}"#);
}

#[test]
fn several_frames_wait_as_one_piece_unless_each_is_compressed_or_taken_by_itself() {
    let envelope = typing();
    let settings = Settings::default();
    let mut encoder =
        Encoder::new(&envelope, Scene { place: None, read: &[], settings: &settings });
    let mut hears = |compression: Option<Compression>| {
        let (conn, socket) = (conn(&WORDY, "2", None), Noting::default());
        let agreed = compression.and_then(|compression| compression.agree("permessage-deflate"));
        conn.link.attach(socket.opened(agreed));
        assert_eq!(socket.writes(), [[b"HTTP"]]);
        assert!(encoder.send(&conn, &mut Vec::new()));
        conn.link.flush();
        socket.writes().concat()
    };
    assert_eq!(hears(None), [[b"\x81\x03one\x81\x03two\x81\x28", LONG.as_bytes()].concat()]);
    let pieces = hears(Some(Compression { min_bytes: 10 }));
    assert_eq!(pieces[..2], [b"\x81\x03one", b"\x81\x03two"]);
    assert_eq!((pieces.len(), pieces[2][0]), (3, 0xc1), "only the longest is compressed");

    let stream = conn(&WORDY, "3", None);
    assert!(encoder.send(&stream, &mut Vec::new()));
    let taken: Vec<_> = std::iter::from_fn(|| stream.link.pop()).collect();
    let payloads: Vec<_> = taken.iter().map(|item| item.frame.payload()).collect();
    assert_eq!(payloads, [b"one", b"two", LONG.as_bytes()]);
}

#[test]
fn what_waits_for_a_socket_goes_out_with_the_answer_that_opens_it() {
    let (conn, socket) = (conn(&TERSE, "2", None), Noting::default());
    for frame in [Frame::text("hello"), Frame::text("well")] {
        conn.link.send(frame);
    }
    conn.link.attach(socket.opened(None));
    let pieces = [&b"HTTP"[..], b"\x81\x05hello", b"\x81\x04well"].map(<[u8]>::to_vec);
    assert_eq!(socket.writes(), [pieces]);
    conn.link.send(Frame::text("on"));
    assert_eq!(socket.writes(), [[b"\x81\x02on"]]);
}
