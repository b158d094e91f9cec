//! The task of one socket: reads, hands on what was asked, writes what could not be written at once.

use std::{
    cell::RefCell,
    io,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use parlour_core::port::BoxFuture;
use parlour_websocket::{Decoder, Limits as FrameLimits};
use tokio::{io::Interest, task::yield_now};

use super::{
    Gateway,
    compression::Agreed,
    farewell,
    heard::{Heard, understand},
    link::Link,
};

/// What one thread reads into, for all of its connections.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    pub(super) static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// A decoder for a socket, with the limits in force.
pub(crate) fn decoder(gateway: &Gateway, compression: Option<Agreed>) -> Decoder {
    let decoder = Decoder::server(FrameLimits {
        max_message_bytes: gateway.limits.frame_bytes,
        max_fragments: gateway.limits.fragments,
    });
    match compression {
        Some(_) => decoder.with_deflate(),
        None => decoder,
    }
}

/// What the texts of a socket mean, and what is done about them.
pub(crate) trait Speaker {
    /// What a text asks.
    type Asked;
    /// How work that took a while ended.
    type Answer: Send + 'static;

    /// Understands a text. Called while the shared buffer is borrowed: it must not wait, write or read.
    fn read(&self, text: &str) -> Self::Asked;

    /// Understands a message that is no text. `None`: there are none in its protocol, and the socket ends.
    fn read_binary(&self, _: &[u8]) -> Option<Self::Asked> {
        None
    }

    /// Does what was asked. Work that takes a while goes into `open`, and ends in [`Speaker::answer`], in order.
    fn handle(&mut self, asked: Self::Asked, open: &mut Open<Self::Answer>);

    /// Work has ended.
    fn answer(&mut self, answer: Self::Answer);

    /// Whether it may be asked something now: it may not before its resume is over, and while too much is open.
    fn is_ready(&self, open: usize) -> bool;

    /// Nothing is open any more.
    fn idle(&mut self) {}

    /// Something about the socket has changed.
    fn woken(&mut self) {}

    /// Writes what it has put into other sockets' queues.
    fn write(&mut self) {}

    /// Whether that may wait until others who can be read too have put in theirs: with several sockets, for whom
    /// others have something at the same moment, it is worth it.
    fn gathers(&self) -> bool {
        false
    }
}

/// Work that is under way, in the order in which it was asked for. Most clients wait for one answer before they ask
/// again, so one alone needs no queue.
pub(crate) enum Open<A> {
    Nothing,
    One(BoxFuture<'static, A>),
    Several(Box<FuturesOrdered<BoxFuture<'static, A>>>),
}

impl<A: Send + 'static> Open<A> {
    /// Adds work.
    pub(crate) fn push(&mut self, work: BoxFuture<'static, A>) {
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::One(work),
            Self::One(first) => Self::Several(Box::new([first, work].into_iter().collect())),
            Self::Several(mut all) => {
                all.push_back(work);
                Self::Several(all)
            }
        };
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(_) => 1,
            Self::Several(all) => all.len(),
        }
    }

    /// How the first of it ends. `None`: there is nothing.
    async fn next(&mut self) -> Option<A> {
        let answer = match self {
            Self::Nothing => None,
            Self::One(work) => Some(work.await),
            Self::Several(all) => all.next().await,
        };
        match self {
            Self::Several(all) if !all.is_empty() => {}
            _ => *self = Self::Nothing,
        }
        answer
    }
}

/// The reading side of a socket. Its state between two reads is this struct and nothing else.
pub(crate) struct Reader<S: Speaker> {
    gateway: Arc<Gateway>,
    link: Arc<Link>,
    decoder: Decoder,
    speaker: S,
    open: Open<S::Answer>,
}

impl<S: Speaker> Reader<S> {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        link: Arc<Link>,
        decoder: Decoder,
        speaker: S,
    ) -> Self {
        Self { gateway, link, decoder, speaker, open: Open::Nothing }
    }

    /// Adds work that is to be done before anything is read.
    pub(crate) fn begin_with(&mut self, work: BoxFuture<'static, S::Answer>) {
        self.open.push(work);
    }

    /// Serves until the socket has ended; `unread` is what came right behind the handshake.
    pub(crate) async fn serve(&mut self, unread: Vec<u8>) {
        self.listen(unread).await;
        // What was under way is of no use to anybody now.
        self.open = Open::Nothing;
        farewell::finish(&self.link, &mut self.decoder).await;
        self.link.hang_up();
    }

    async fn listen(&mut self, mut unread: Vec<u8>) {
        let link = self.link.clone();
        // Waited for across turns: to begin anew at each costs a place in a list, under a lock.
        let mut woken = pin!(link.woken());
        while !link.is_closing() {
            if !unread.is_empty() && self.speaker.is_ready(self.open.len()) {
                unread = self.take(&mut unread);
                // What is short on the wire may have been long work.
                yield_now().await;
                self.speaker.write();
                continue;
            }
            let interest = self.interest();
            let has_open = self.open.len() > 0;
            // In this order: what is under way ends before more is asked.
            let ready = tokio::select! {
                biased;
                () = &mut woken => {
                    woken.set(link.woken());
                    self.speaker.woken();
                    continue;
                }
                answer = self.open.next(), if has_open => {
                    self.answer(answer);
                    continue;
                }
                ready = ready(&link, interest), if interest.is_some() => ready,
            };
            match ready {
                Ok(ready) => {
                    if ready.is_writable() && link.wants_write() {
                        link.flush();
                    }
                    if ready.is_readable() || ready.is_read_closed() {
                        unread = self.read();
                    }
                    if self.speaker.gathers() {
                        yield_now().await;
                    }
                    self.speaker.write();
                }
                Err(_) => link.abort(),
            }
        }
    }

    /// What remains of it.
    pub(crate) fn into_speaker(self) -> S {
        self.speaker
    }

    /// What to wait for: nothing is read while too many commands are open.
    fn interest(&self) -> Option<Interest> {
        match (self.speaker.is_ready(self.open.len()), self.link.wants_write()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// Reads once, and gives back what is left for later. Nothing of the shared buffer outlives this call.
    fn read(&mut self) -> Vec<u8> {
        let read = BUFFER.with_borrow_mut(|buffer| {
            let read = self.link.socket().map(|socket| socket.try_read(buffer));
            match read? {
                Ok(0) => {
                    self.link.abort();
                    None
                }
                Ok(count) => {
                    let bytes = buffer.get_mut(..count).unwrap_or_default();
                    Some(self.understand(bytes))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(_) => {
                    self.link.abort();
                    None
                }
            }
        });
        let Some((heard, unread)) = read else { return Vec::new() };
        self.handle(heard);
        unread
    }

    /// Deals with what was read before, and gives back what is left for later.
    fn take(&mut self, bytes: &mut [u8]) -> Vec<u8> {
        let (heard, unread) = self.understand(bytes);
        self.handle(heard);
        unread
    }

    fn understand(&mut self, mut bytes: &mut [u8]) -> (Vec<Heard<S::Asked>>, Vec<u8>) {
        let speaker = &self.speaker;
        let (text, binary) =
            (|text: &str| speaker.read(text), |bytes: &[u8]| speaker.read_binary(bytes));
        let heard = understand(&mut self.decoder, &self.link, &mut bytes, text, binary);
        (heard, bytes.to_vec())
    }

    fn handle(&mut self, heard: Vec<Heard<S::Asked>>) {
        let now = self.gateway.seconds();
        let timing = &self.link.timing;
        timing.heard.store(now, Relaxed);
        timing.pinged.store(0, Relaxed);
        let since = if self.decoder.is_mid_message() { now.max(1) } else { 0 };
        let started = timing.message_since.load(Relaxed);
        if since == 0 || started == 0 {
            timing.message_since.store(since, Relaxed);
        }
        for heard in heard {
            if self.link.is_closing() {
                return;
            }
            match heard {
                Heard::Said(asked) => self.speaker.handle(asked, &mut self.open),
                Heard::Answer(frame) => self.link.send(frame),
                Heard::Close(answer) => self.link.part(answer),
                Heard::Broken(close) => self.link.close(&close),
            }
        }
    }

    fn answer(&mut self, answer: Option<S::Answer>) {
        if let Some(answer) = answer {
            self.speaker.answer(answer);
        }
        if self.open.len() == 0 {
            self.speaker.idle();
        }
    }
}

async fn ready(link: &Link, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match (link.socket(), interest) {
        (Some(socket), Some(interest)) => socket.ready(interest).await,
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_answered_in_the_order_in_which_it_was_asked_for() {
        let mut open = Open::Nothing;
        assert_eq!(open.next().await, None);
        for round in 0..3 {
            let mut ends = Vec::new();
            for number in 0..=round {
                let (end, ended) = oneshot::channel::<()>();
                let work = async move {
                    let _ended = ended.await;
                    number
                };
                open.push(Box::pin(work));
                ends.push(end);
                // What is under way may have been waited for already when more is asked.
                assert_eq!(open.next().now_or_never(), None);
            }
            assert_eq!(open.len(), ends.len());
            while let Some(last) = ends.pop() {
                last.send(()).unwrap();
            }
            for number in 0..=round {
                assert_eq!(open.next().await, Some(number));
            }
            assert_eq!((open.len(), open.next().await), (0, None));
        }
    }
}
