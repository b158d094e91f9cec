//! How much goes through: run by hand, `cargo test --release -p parlour-bus -- --ignored --nocapture measure`.

use std::time::{Duration, Instant};

use parlour_bus::codec;
use parlour_core::{
    ConversationId, NodeId, Seq,
    port::bus::{BusMessage, Hint},
};
use parlour_engines::{Redis, skip};
use serde_json::json;

use crate::rig::{Processes, conversation, until};

/// Seconds of processor time that a process has used.
fn cpu(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn head(id: u64) -> BusMessage {
    let conversation = ConversationId(id);
    let hint = Hint::Head { conversation, seq: Seq(id) };
    BusMessage { topic: parlour_core::port::bus::Topic::Conversation(conversation), hint }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it prints figures and asserts none: cargo test -p parlour-bus measure -- --ignored --nocapture"]
async fn measure_throughput() {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let processes = Processes::new(redis.url(), vec![redis.port()]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen((1..5_000).map(conversation).collect()).await;
    let pid = redis.process().unwrap().pid().to_string();
    for (batch, pause) in [(1, 1_000), (1, 100), (10, 1_000), (50, 1_000), (1_000, 0)] {
        let before = (a.counters.read(), b.counters.read(), cpu("self"), cpu(&pid));
        let started = Instant::now();
        let mut sent = 0_u64;
        while started.elapsed() < Duration::from_secs(3) {
            let many = (0..batch).map(|number| head(1 + (sent + number) * 7 % 4_999)).collect();
            match a.bus.publish(many) {
                Ok(()) => sent += batch,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
            match pause {
                0 => tokio::task::yield_now().await,
                pause => tokio::time::sleep(Duration::from_micros(pause)).await,
            }
        }
        until("the queue's end", || {
            let (now, then) = (b.counters.read().received, before.1.received);
            now - then + 1_000 >= sent
        })
        .await;
        let seconds = started.elapsed().as_secs_f64();
        let (now, heard) = (a.counters.read(), b.counters.read().received - before.1.received);
        let frames = now.frames - before.0.frames;
        let per_thousand = |seconds: f64| 1_000_000.0 * seconds / heard as f64;
        println!(
            "{batch} each {pause} us: {:.0} hints/s, {:.1} hints a frame, ms of processor for 1,000: both \
             processes {:.2}, Redis {:.2}; lost {}",
            heard as f64 / seconds,
            (now.published - before.0.published) as f64 / frames as f64,
            per_thousand(cpu("self") - before.2),
            per_thousand(cpu(&pid) - before.3),
            sent.saturating_sub(heard),
        );
    }
}

/// Why the envelope is not JSON.
#[test]
#[ignore = "it prints figures and asserts none: cargo test -p parlour-bus measure -- --ignored --nocapture"]
fn measure_the_codec() {
    let hints: Vec<_> = (0..50).map(|id| head(1_000_000 + id).hint).collect();
    let rounds = 20_000;
    let started = Instant::now();
    let mut bytes = 0;
    for _ in 0..rounds {
        let frames = codec::encode(NodeId(7), &hints).unwrap();
        bytes = frames[0].len();
        assert_eq!(codec::decode(&frames[0]).unwrap().filter(Result::is_ok).count(), 50);
    }
    let binary = started.elapsed();
    let heads = hints.iter().map(|hint| match hint {
        Hint::Head { conversation, seq } => json!({"k": "head", "c": conversation.0, "s": seq.0}),
        _ => json!(null),
    });
    let frame = json!({"v": 1, "from": "0000000000000007", "h": heads.collect::<Vec<_>>()});
    let started = Instant::now();
    let mut length = 0;
    for _ in 0..rounds / 10 {
        let text = serde_json::to_vec(&frame).unwrap();
        length = text.len();
        let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(read["h"].as_array().unwrap().len(), 50);
    }
    println!(
        "50 heads: binary {bytes} bytes {:?}, JSON {length} bytes {:?}",
        binary / rounds,
        started.elapsed() / (rounds / 10)
    );
}
