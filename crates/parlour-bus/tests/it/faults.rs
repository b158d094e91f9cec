//! One server that dies, freezes, forgets, or is flooded.

use std::time::{Duration, Instant};

use parlour_core::{
    Code,
    port::bus::{Bus as _, BusMessage, Hint, Topic},
};
use parlour_engines::{Redis, skip};

use crate::rig::{Process, Processes, conversation, head, until};

#[tokio::test]
async fn g8_a_server_that_was_killed_is_used_again() {
    let Some(mut redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
    for round in 1..=3 {
        redis.kill().unwrap();
        until("bad health", || !a.bus.is_healthy() && !b.bus.is_healthy()).await;
        let started = Instant::now();
        // It does not hang without Redis: a second, and it goes on.
        b.bus.listen(vec![conversation(round + 1)]).await;
        assert!(started.elapsed() < Duration::from_secs(2));
        let before = b.ear.lagged();
        redis.restart().unwrap();
        until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
        until("word of the gap", || b.ear.lagged() > before).await;
        a.reaches(&b, &conversation(1)).await;
        a.reaches(&b, &conversation(round + 1)).await;
    }
    assert!(b.counters.read().reconnects >= 3);
}

#[tokio::test]
async fn g8_a_server_that_comes_late_is_used_then() {
    let Some(mut redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    redis.kill().unwrap();
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.start(), processes.start());
    let started = Instant::now();
    b.bus.listen(vec![conversation(1)]).await;
    assert!((900..2_000).contains(&started.elapsed().as_millis()) && !b.bus.is_healthy());
    redis.restart().unwrap();
    until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    // It was told that it listens while it did not.
    until("word of the gap", || b.ear.lagged() > 0).await;
    a.reaches(&b, &conversation(1)).await;
}

#[tokio::test]
async fn g8_a_frozen_server_is_noticed_and_used_again() {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    redis.process().unwrap().freeze().unwrap();
    let frozen = Instant::now();
    until("bad health", || !a.bus.is_healthy()).await;
    assert!(frozen.elapsed() < Duration::from_secs(5), "{:?}", frozen.elapsed());
    let has_left = |process: &Process| process.counters.read().reconnects > 0;
    until("both to give it up", || has_left(&a) && has_left(&b)).await;
    assert!(frozen.elapsed() < Duration::from_secs(8), "{:?}", frozen.elapsed());
    let before = b.ear.lagged();
    redis.process().unwrap().thaw().unwrap();
    until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    until("word of the gap", || b.ear.lagged() > before).await;
    a.reaches(&b, &conversation(1)).await;
}

/// Nothing of the bus is kept in Redis.
#[tokio::test]
async fn g8_a_flushed_server_changes_nothing() {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
    assert_eq!(Redis::cli(redis.port(), &["DBSIZE"]).unwrap(), "0");
    Redis::cli(redis.port(), &["FLUSHALL"]).unwrap();
    a.reaches(&b, &conversation(1)).await;
    assert_eq!((b.ear.lagged(), b.counters.read().reconnects), (0, 0));
}

/// A reader that Redis gives up because too much waits for it is connected anew, and told.
#[tokio::test]
async fn g8_an_overrun_is_told() {
    let limit = ["--client-output-buffer-limit", "pubsub 256kb 0 0"];
    let Some(redis) = Redis::start(&limit).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    let before = b.ear.lagged();
    let payload = vec![7; 1_000_000];
    let flood =
        |_| BusMessage { topic: conversation(1), hint: Hint::Channel(payload.clone().into()) };
    // As much at once is more than sockets hold, whoever reads.
    a.bus.publish((0..7).map(flood).collect()).unwrap();
    until("word of the gap", || b.ear.lagged() > before).await;
    until("health", || a.bus.is_healthy() && b.bus.is_healthy()).await;
    a.reaches(&b, &conversation(1)).await;
}

#[tokio::test]
async fn what_waits_is_bounded_and_given_up() {
    let Some(mut redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let a = processes.ready().await;
    redis.kill().unwrap();
    until("bad health", || !a.bus.is_healthy()).await;
    let message = |seq| BusMessage { topic: conversation(seq), hint: head(seq) };
    let many = parlour_bus::MOST_WAITING as u64 + 1_000;
    let refused = a.bus.publish((0..many).map(message).collect()).unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    let counts = a.counters.read();
    assert_eq!(counts.published, parlour_bus::MOST_WAITING as u64);
    assert_eq!(counts.dropped, 1_000);
}

/// Hints that wait while Redis is away for a moment are told after all; twice rather than not at all.
#[tokio::test]
async fn what_waits_for_a_moment_is_told() {
    let Some(mut redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let a = processes.ready().await;
    redis.kill().unwrap();
    until("bad health", || !a.bus.is_healthy()).await;
    a.say(&Topic::Everyone, head(77));
    redis.restart().unwrap();
    until("health", || a.bus.is_healthy()).await;
    until("the frame on its way", || a.counters.read().frames > 0).await;
}

/// Whoever else writes there does no harm, and is counted.
#[tokio::test]
async fn l1_what_others_write_there_is_counted_and_passed_over() {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    let large = "redis.call('PUBLISH', 'test:everyone', string.rep('x', 2000000))";
    Redis::cli(redis.port(), &["EVAL", large, "0"]).unwrap();
    for bytes in ["", "hello", "\u{1}123456789\u{1}\u{7f}", "\u{2}123456789"] {
        Redis::cli(redis.port(), &["PUBLISH", "test:everyone", bytes]).unwrap();
    }
    until("a count", || b.counters.read().unreadable + b.counters.read().unknown >= 5).await;
    a.say(&Topic::Everyone, Hint::Alive);
    until("the next hint", || b.ear.hints() == [Hint::Alive]).await;
    assert_eq!(b.counters.read().reconnects, 0);
}

/// What is said last is written before the driver ends.
#[tokio::test]
async fn last_words_are_written() {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let b = processes.ready().await;
    let url = redis.url();
    let options = parlour_bus::RedisOptions { url: &url, prefix: "test", authorities: None };
    let node = parlour_core::NodeId(u64::MAX);
    let ear = std::sync::Arc::new(parlour_core::testing::bus_suite::Ear::default());
    let (bus, driver) = parlour_bus::RedisBus::new(options, node, ear).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let talk = async {
        until("health", || bus.is_healthy()).await;
        let words = |seq| BusMessage { topic: Topic::Everyone, hint: head(seq) };
        bus.publish((0..10_000).map(words).collect()).unwrap();
        let leaving = BusMessage { topic: Topic::Everyone, hint: Hint::Leaving };
        bus.publish(vec![leaving]).unwrap();
        stop.send(()).unwrap();
    };
    let run = driver.run(async { _ = stopped.await });
    tokio::join!(run, talk);
    until("the last word", || b.ear.hints().last() == Some(&Hint::Leaving)).await;
    assert_eq!(b.ear.hints().len(), 10_001);
}
