//! Watermarks and what is left to read.

use super::support::{Bench, code, say, words};
use crate::{
    Code, Seq,
    command::MarkTarget,
    event::{Event, Origin},
    model::{ConversationSummary, Watermark},
    port::store::Context,
    testing::{alice, bob, user},
};

fn watermark(delivered: u64, read: u64) -> Watermark {
    Watermark { delivered: Seq(delivered), read: Seq(read) }
}

/// Forward only, to the end at most; reading implies receiving.
pub async fn g12_marks_never_go_back_or_past_the_end(bench: &Bench) {
    let id = bench.direct().await;
    for n in 0..5 {
        bench.send(&alice(), id, &n.to_string()).await;
    }
    let mark =
        |seq, read| bench.store.mark(bench.context(&bob()), id, MarkTarget::Seq(Seq(seq)), read);
    assert_eq!(mark(2, false).await.unwrap(), watermark(2, 0));
    assert_eq!(mark(3, true).await.unwrap(), watermark(3, 3));
    assert_eq!(mark(1, true).await.unwrap(), watermark(3, 3));
    assert_eq!(mark(4, false).await.unwrap(), watermark(4, 3));
    assert_eq!(mark(99, true).await.unwrap(), watermark(5, 5));
    assert_eq!(
        words(&bench.sink.since(6)),
        ["receipt 2 2/0", "receipt 2 3/3", "receipt 2 4/3", "receipt 2 5/5"]
    );
    let summary = bench.summary(&alice(), id).await;
    assert_eq!(summary.participants[1].watermark, watermark(5, 5));
    assert_eq!(summary.conversation.receipts, 4);
}

/// Repetitions, one's own messages, and messages from elsewhere.
pub async fn g12_a_mark_that_moves_nothing_is_silent(bench: &Bench) {
    let (id, elsewhere) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    let foreign = bench.send(&alice(), elsewhere, "elsewhere").await;
    let theirs = bench.send(&alice(), id, "one").await;
    let mark =
        |message| bench.store.mark(bench.context(&bob()), id, MarkTarget::Message(message), true);
    assert_eq!(code(mark(foreign.id).await), Some(Code::NotFound));
    assert_eq!(mark(theirs.id).await.unwrap(), watermark(1, 1));
    let published = bench.sink.len();
    assert_eq!(mark(theirs.id).await.unwrap(), watermark(1, 1));
    let own = bench.store.mark(bench.context(&alice()), id, MarkTarget::Message(theirs.id), true);
    assert_eq!(own.await.unwrap(), watermark(1, 1));
    assert_eq!(bench.sink.len(), published);
}

/// Silently where there was nothing to read, with a receipt where there was.
pub async fn g12_sending_reads_what_was_said_before(bench: &Bench) {
    let id = bench.direct().await;
    bench.send(&alice(), id, "one").await;
    let edited = bench.send(&alice(), id, "two").await;
    bench.edit(&alice(), edited.id, "two!").await.unwrap();
    bench.send(&alice(), id, "three").await;
    assert_eq!(bench.summary(&alice(), id).await.watermark, watermark(4, 4));
    assert!(!bench.sink.all().iter().any(|e| matches!(e.event, Event::Receipt { .. })));

    let origin = Some(Origin { connection: 1, command: 2 });
    let published = bench.sink.len();
    let context = Context { origin, ..bench.context(&bob()) };
    bench.store.append_message(context, say(id, "answer")).await.unwrap();
    let answer = bench.sink.since(published);
    assert_eq!(words(&answer), ["5 created answer", "receipt 2 5/5"]);
    assert_eq!((answer[0].origin, answer[1].origin), (origin, None));
    assert!(
        matches!(answer[1].event, Event::Receipt { from, version: 1, .. } if from == watermark(0, 0))
    );
    assert_eq!(bench.summary(&bob(), id).await.unread, 0);
    assert_eq!(bench.summary(&alice(), id).await.unread, 1);

    let deleted = bench.send(&alice(), id, "gone soon").await;
    bench.delete(&alice(), deleted.id).await.unwrap();
    let published = bench.sink.len();
    bench.send(&bob(), id, "nothing was left to read").await;
    assert_eq!(bench.sink.since(published).len(), 1);
}

/// Others', after the mark, still standing.
pub async fn g12_unread_counts_what_stands_of_others(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let unread = async || bench.summary(&bob(), id).await.unread;
    let mut sent = Vec::new();
    for n in 0..4 {
        sent.push(bench.send(&alice(), id, &n.to_string()).await);
    }
    assert_eq!(unread().await, 4);
    bench.store.add_participant(bench.context(&alice()), id, user("3"), 9).await.unwrap();
    bench.edit(&alice(), sent[0].id, "edited").await.unwrap();
    assert_eq!(unread().await, 4, "only messages count");
    bench.read(&bob(), id, 2).await;
    assert_eq!(unread().await, 2);
    bench.delete(&alice(), sent[3].id).await.unwrap();
    assert_eq!(unread().await, 1);
    bench.delete(&alice(), sent[0].id).await.unwrap();
    assert_eq!(unread().await, 1, "it was read before");
    bench.read(&bob(), id, 99).await;
    assert_eq!(unread().await, 0);
    assert_eq!(bench.summary(&alice(), id).await.unread, 0);
}

/// Nobody counts further than the cap.
pub async fn g12_unread_stops_at_its_cap(bench: &Bench) {
    let id = bench.direct().await;
    let cap = ConversationSummary::UNREAD_CAP;
    let sends = (0..cap + 5)
        .map(|n| bench.store.append_message(bench.context(&alice()), say(id, &n.to_string())));
    for answer in super::join_all(sends.collect::<Vec<_>>()).await {
        answer.unwrap();
    }
    assert_eq!(bench.summary(&bob(), id).await.unread, cap);
    bench.read(&bob(), id, 6).await;
    assert_eq!(bench.summary(&bob(), id).await.unread, cap - 1);
}

/// Who was away asks what moved since his version.
pub async fn g6_receipts_since_a_version(bench: &Bench) {
    let id = bench.group(&alice(), &["2", "3"]).await;
    bench.send(&alice(), id, "one").await;
    bench.send(&alice(), id, "two").await;
    bench.read(&bob(), id, 1).await;
    bench.read(&crate::testing::mallory(), id, 2).await;
    bench.clock.jump(1_000);
    bench.read(&bob(), id, 2).await;
    let since = async |version| bench.store.receipts(id, version).await.unwrap();
    let all = since(0).await;
    assert_eq!(words(&all), ["receipt 3 2/2", "receipt 2 2/2"]);
    let versions: Vec<_> = all
        .iter()
        .map(|envelope| match envelope.event {
            Event::Receipt { version, .. } => (version, envelope.seq, envelope.at),
            _ => panic!("not a receipt"),
        })
        .collect();
    assert_eq!(versions, [(2, None, bench.now() - 1_000), (3, None, bench.now())]);
    assert_eq!(words(&since(2).await), ["receipt 2 2/2"]);
    assert_eq!(since(3).await, []);
    assert_eq!(bench.store.heads(vec![id]).await.unwrap()[0].receipts, 3);
}
