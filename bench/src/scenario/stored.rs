//! A database that grows: messages between pairs, and what REST reads of it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use parlour_harness::load::{Latencies, Watch};

use super::{Setting, measured, talk};
use crate::{
    figures::Figures,
    rest::Caller,
    targets::{
        Cast, Start,
        history::{self, BIGGEST, READER, UNREAD_BY_READER},
    },
    traffic::Pace,
};

/// Requests of one kind, at least; more while there is time.
const REQUESTS: u64 = 200;

/// What is in a page that is not empty.
const PAGE: &str = r#""results":[{"#;

/// As `pairs-1`, with so many messages in the database; and the reader's conversations, pages and unread messages over REST.
pub(super) fn growth(setting: &Setting<'_>, messages: usize) -> Result<Figures> {
    let (messages, pairs) = (messages as u64, setting.size.pairs);
    let folder = setting.stored.borrow_mut().copy(messages, setting.pinned)?;
    let start = Start { folder, ..Start::new(Cast { pairs, room: 0 }, setting.pinned)? };
    let (running, mut clients) = setting.start_as(start)?;
    let address = *running.addresses().first().context("the target has no address")?;
    let mut caller = Caller::new(address, READER)?;
    let time = setting.size.time / 4;

    // First what is read, while nothing else was said.
    let (pages, length) =
        (format!("/api/v1/conversations/{BIGGEST}/messages"), history::in_biggest(messages));
    let lists = repeated(&mut caller, time, PAGE, |_| "/api/v1/conversations".to_owned())?;
    let newest = repeated(&mut caller, time, PAGE, |_| pages.clone())?;
    let middle = repeated(&mut caller, time, PAGE, |count| {
        format!("{pages}?before={}", in_the_middle(length, count))
    })?;
    let count = format!(r#""count":{UNREAD_BY_READER},"#);
    let unread =
        repeated(&mut caller, time, &count, |_| "/api/v1/messages/unread?limit=1".to_owned())?;

    clients.connect(0..2 * pairs)?;
    let plan = talk::plan(setting, (0..2 * pairs).step_by(2).collect(), false, Pace::Closed(1));
    let (mut figures, _) = measured(&running, &mut clients, &plan)?;
    let read = [("list", lists), ("newest", newest), ("middle", middle), ("unread", unread)];
    for (what, [half, most]) in read {
        figures.more.insert(format!("{what}_p50_ms"), half);
        figures.more.insert(format!("{what}_p99_ms"), most);
    }
    Ok(figures)
}

/// A seq in the middle half of a conversation, another one each time.
const fn in_the_middle(length: u64, count: u64) -> u64 {
    // Far from its neighbours, as a multiple of a large prime is.
    length / 4 + count * 1_000_003 % (length / 2)
}

/// Asks again and again, and gives p50 and p99 of the time until the whole answer is there.
fn repeated(
    caller: &mut Caller,
    time: Duration,
    expected: &str,
    path: impl Fn(u64) -> String,
) -> Result<[f64; 2]> {
    let (watch, mut latencies, mut count) = (Watch::start(), Latencies::default(), 0);
    while count <= REQUESTS || watch.elapsed() < time {
        let (path, begun) = (path(count), watch.micros());
        let body = caller.get(&path)?;
        let arrived = watch.micros();
        let is_good = memchr::memmem::find(body, expected.as_bytes()).is_some();
        ensure!(is_good, "{path}: {}", String::from_utf8_lossy(body));
        // The first makes the server ready for it.
        if count > 0 {
            latencies.add(begun, arrived);
        }
        count += 1;
    }
    <[f64; 2]>::try_from(latencies.per_mille(&[500, 990])).ok().context("no answers")
}
