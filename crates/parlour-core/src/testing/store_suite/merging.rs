//! History that is older than what a log has already: it is put into its place, and everything else means what it meant.

use super::{
    support::{Bench, words},
    transfer::{between, conversation, faults, import, import_as, message, options, page, texts},
};
use crate::{
    ConversationId, Epoch, MessageId, Seq,
    model::ConversationKind,
    port::store::transfer::{Fault, History, ImportOptions, Place},
    testing::{alice, bob, mallory, user},
};

/// Older history is refused, or put into its place with everything else meaning what it meant.
pub async fn older_history_is_merged_only_on_demand(bench: &Bench) {
    let group = bench.group(&alice(), &["2"]).await;
    let one = bench.send(&alice(), group, "one").await;
    bench.edit(&alice(), one.id, "one, edited").await.unwrap();
    bench.read(&bob(), group, 2).await;
    bench.clock.advance(std::time::Duration::from_secs(600));
    bench.store.add_participant(bench.context(&alice()), group, user("3"), 10).await.unwrap();
    let two = bench.send(&bob(), group, "two").await;
    let gone = bench.send(&bob(), group, "gone").await;
    bench.delete(&bob(), gone.id).await.unwrap();
    let heads = bench.store.heads(vec![group]).await.unwrap();
    assert_eq!(heads[0].last_seq, Seq(6));

    let external = Place::Conversation("g".into());
    let mut named = conversation("g", ConversationKind::Group, &["1", "2"]);
    named.title = Some("Group".into());
    // The host's own conversation under its id; the one that people made here is the other.
    assert_eq!(import(bench, vec![History::Conversation(named)]).await.conversations, 1);
    let old = |id: &str, text: &str, minutes: i64| {
        let at = two.created_at - minutes * 60_000;
        History::Message(message(id, external.clone(), "2", text, at))
    };
    import(bench, vec![old("100", "b", 5), old("101", "d", 1)]).await;
    let late = || vec![old("102", "a", 9), old("103", "c", 3), old("104", "e", 0)];
    assert_eq!(faults(bench, late()).await, [Fault::Older, Fault::Older]);
    let merged = import_as(bench, ImportOptions { merge: true, ..options(bench) }, late()).await;
    assert_eq!((merged.messages, merged.relived, merged.problems.len()), (3, 1, 0));
    let id = bench.store.message(bob(), MessageId(100)).await.unwrap().conversation;
    let messages = page(bench, &bob(), id).await;
    assert_eq!(texts(&messages), ["a", "b", "c", "d", "e"]);
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    assert_eq!(bench.store.heads(vec![id]).await.unwrap()[0].epoch, Epoch(4_711));
    assert_eq!(bench.store.heads(vec![group]).await.unwrap(), heads, "the other is left alone");
}

/// Merging into a log with edits, deletions, newcomers and marks: everybody still has seen what he had seen.
pub async fn a_merged_log_means_what_it_meant(bench: &Bench) {
    let pair = bench.direct().await;
    let first = bench.send(&alice(), pair, "one").await;
    bench.edit(&alice(), first.id, "one, edited").await.unwrap();
    bench.read(&bob(), pair, 1).await;
    bench.clock.advance(std::time::Duration::from_secs(600));
    let second = bench.send(&alice(), pair, "two").await;
    bench.delete(&alice(), second.id).await.unwrap();
    bench.send(&bob(), pair, "three").await;
    bench.send(&alice(), pair, "four").await;
    let marks = bench.summary(&bob(), pair).await;
    assert_eq!((marks.unread, marks.watermark.read), (1, Seq(5)));

    let old =
        |id: &str, text: &str, at| History::Message(message(id, between("1", "2"), "1", text, at));
    let records = vec![
        old("1000", "older", first.created_at - 60_000),
        old("1001", "oldest", first.created_at - 90_000),
        old("1002", "in between", second.created_at - 1_000),
    ];
    import_as(bench, ImportOptions { merge: true, ..options(bench) }, records).await;
    let messages = page(bench, &bob(), pair).await;
    let seqs: Vec<(u64, u64)> =
        messages.iter().map(|message| (message.seq.0, message.change_seq.0)).collect();
    // one: 1 → 3, its edit 2 → 4; two: 3 → 6, its deletion 4 → 7; three and four: 5 → 8, 6 → 9.
    assert_eq!(seqs, [(1, 1), (2, 2), (3, 4), (5, 5), (6, 7), (8, 8), (9, 9)]);
    assert!(messages.windows(2).all(|pair| pair[0].created_at <= pair[1].created_at));
    let marks = bench.summary(&bob(), pair).await;
    assert_eq!((marks.unread, marks.watermark.read), (1, Seq(8)), "he had read up to his own word");
    assert_eq!(marks.conversation.last_seq, Seq(9));
    let replayed = words(&bench.missed(&bob(), pair, 0).await.envelopes);
    assert_eq!(
        replayed,
        [
            "1 created oldest",
            "2 created older",
            "4 created one, edited",
            "5 created in between",
            "7 deleted -",
            "8 created three",
            "9 created four"
        ]
    );
    let revisions = bench.store.revisions(alice(), first.id).await.unwrap();
    let revisions: Vec<(u64, &str)> = revisions.iter().map(|r| (r.seq.0, &*r.text)).collect();
    assert_eq!(revisions, [(3, "one"), (4, "one, edited")]);
    let next = bench.send(&bob(), pair, "five").await;
    assert_eq!(next.seq, Seq(10), "the log goes on");
}

/// Who joined sees nothing older of what is merged, just as he sees nothing older of what was said.
pub async fn a_newcomer_sees_nothing_that_is_merged_before_him(bench: &Bench) {
    let external = Place::Conversation("room".into());
    let members = conversation("room", ConversationKind::Group, &["1", "2"]);
    let say =
        |id: &str, text: &str, at| History::Message(message(id, external.clone(), "1", text, at));
    let start = bench.now() - 3_600_000;
    import(bench, vec![History::Conversation(members), say("a", "before", start)]).await;
    let id = page_of(bench, "before").await;
    bench.store.add_participant(bench.context(&alice()), id, user("3"), 10).await.unwrap();
    let after = bench.send(&alice(), id, "after").await;
    let records = vec![say("b", "late", start + 60_000)];
    import_as(bench, ImportOptions { merge: true, ..options(bench) }, records).await;
    assert_eq!(texts(&page(bench, &mallory(), id).await), ["after"]);
    assert_eq!(texts(&page(bench, &bob(), id).await), ["before", "late", "after"]);
    let moved = bench.store.message(mallory(), after.id).await.unwrap();
    assert_eq!(moved.seq, Seq(4), "before, late, his joining, after");
    let sees = bench.missed_words(&mallory(), id, 0).await;
    assert_eq!(sees, ["3 joined 3 by 1", "4 created after"]);
}

/// The conversation in which alice reads this text last or first.
async fn page_of(bench: &Bench, text: &str) -> ConversationId {
    let all = bench.store.conversations(alice().user, None, 50, None).await.unwrap();
    for summary in all {
        let id = summary.conversation.id;
        if texts(&page(bench, &alice(), id).await).contains(&text) {
            return id;
        }
    }
    panic!("nobody has said {text}")
}
