//! Coming back: what was missed, in its present state, and nothing else.

use super::support::{Bench, words};
use crate::{
    ConversationId, Seq,
    command::{ConversationPatch, MarkTarget, RoleChange},
    model::{ConversationKind, Role},
    port::store::{Page, Replay},
    testing::{alice, bob, mallory, user},
};

/// A message that is new to the viewer comes as created, with its present text.
pub async fn g6_created_and_edited_is_one_entry(bench: &Bench) {
    let id = bench.direct().await;
    let sent = bench.send(&alice(), id, "one").await;
    bench.send(&alice(), id, "other").await;
    bench.edit(&alice(), sent.id, "two").await.unwrap();
    bench.edit(&alice(), sent.id, "three").await.unwrap();
    let missed = bench.missed(&bob(), id, 0).await;
    assert_eq!(words(&missed.envelopes), ["2 created other", "4 created three"]);
    assert_eq!(missed.covered, Seq(4));
}

/// One that the viewer has comes as edited.
pub async fn g6_an_edit_while_away_is_an_edit(bench: &Bench) {
    let id = bench.direct().await;
    let sent = bench.send(&alice(), id, "one").await;
    bench.edit(&alice(), sent.id, "two").await.unwrap();
    bench.edit(&alice(), sent.id, "three").await.unwrap();
    assert_eq!(bench.missed_words(&bob(), id, 1).await, ["3 edited three"]);
    assert_eq!(bench.missed_words(&bob(), id, 2).await, ["3 edited three"]);
    assert_eq!(bench.missed_words(&bob(), id, 3).await, [""; 0]);
}

/// What was there and went again while one was away leaves its tombstone.
pub async fn g6_created_edited_and_deleted_while_away_is_a_tombstone_alone(bench: &Bench) {
    let id = bench.direct().await;
    let sent = bench.send(&alice(), id, "one").await;
    bench.edit(&alice(), sent.id, "two").await.unwrap();
    bench.delete(&alice(), sent.id).await.unwrap();
    for after in 0..3 {
        let missed = bench.missed(&bob(), id, after).await;
        assert_eq!(words(&missed.envelopes), ["3 deleted -"]);
        assert_eq!(missed.covered, Seq(3));
    }
}

/// Every Change that was published is replayed alike, if nothing has superseded it.
pub async fn g6_every_kind_of_change_is_replayed(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let store = &bench.store;
    let context = || bench.context(&alice());
    let sent = bench.send(&alice(), id, "one").await;
    bench.send(&alice(), id, "two").await;
    store.add_participant(context(), id, user("3"), 9).await.unwrap();
    let role = RoleChange { conversation: id, user: user("3"), role: Role::Admin };
    store.set_role(context(), role).await.unwrap();
    let patch = ConversationPatch { title: Some("New".into()), ..Default::default() };
    store.change_conversation(context(), id, patch).await.unwrap();
    store.remove_participant(context(), id, user("3")).await.unwrap();
    bench.edit(&alice(), sent.id, "edited").await.unwrap();
    let published = bench.sink.since(1);
    assert_eq!(
        words(&published),
        [
            "1 created one",
            "2 created two",
            "3 joined 3 by 1",
            "4 role 3 Admin",
            r#"5 changed Some("New") None None"#,
            "6 left 3 by 1",
            "7 edited edited",
        ]
    );
    let missed = bench.missed(&bob(), id, 1).await;
    assert_eq!(missed.envelopes, published[1..]);
}

/// Page by page, whatever their size, to the end.
pub async fn g7_pages_cover_the_whole_range(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let mut sent = Vec::new();
    for n in 0..10 {
        sent.push(bench.send(&alice(), id, &n.to_string()).await);
    }
    bench.edit(&alice(), sent[0].id, "zero").await.unwrap();
    bench.delete(&alice(), sent[1].id).await.unwrap();
    bench.store.add_participant(bench.context(&alice()), id, user("4"), 9).await.unwrap();
    let whole = bench.missed(&bob(), id, 0).await;
    for limit in 1..=12 {
        let (mut after, mut all) = (Seq::ZERO, Vec::new());
        while after < Seq(13) {
            let page = page(bench, id, after, Seq(13), limit).await;
            assert!(page.envelopes.len() <= limit && page.covered > after, "no progress");
            after = page.covered;
            all.extend(page.seen_from(Seq::ZERO).envelopes);
        }
        assert_eq!(all, whole.envelopes, "in pages of {limit}");
    }
    let none = page(bench, id, Seq(3), Seq(13), 0).await;
    assert_eq!((none.envelopes.len(), none.covered), (0, Seq(3)));
    let part = page(bench, id, Seq(3), Seq(5), 10).await;
    assert_eq!(words(&part.envelopes), ["4 created 3", "5 created 4"]);
    assert_eq!(part.covered, Seq(5));
    let first = page(bench, id, Seq(0), Seq(1), 10).await;
    assert_eq!((first.envelopes.len(), first.covered), (0, Seq(1)), "superseded by seq 11");
}

async fn page(bench: &Bench, id: ConversationId, after: Seq, up_to: Seq, limit: usize) -> Replay {
    bench.store.replay(Some(bob().user), id, after, up_to, limit).await.unwrap()
}

/// A place from the future is noticed by what is covered.
pub async fn g7_the_covered_range_never_passes_the_end(bench: &Bench) {
    let id = bench.direct().await;
    bench.send(&alice(), id, "one").await;
    for after in [1, 2, 50, u64::MAX] {
        let missed = bench.missed(&bob(), id, after).await;
        assert_eq!((missed.envelopes.len(), missed.covered), (0, Seq(1)), "after {after}");
    }
}

/// Neither content, nor whether there is any.
pub async fn g11_a_stranger_replays_nothing(bench: &Bench) {
    let id = bench.direct().await;
    bench.send(&alice(), id, "one").await;
    assert_eq!(bench.missed(&mallory(), id, 0).await, Replay::default());
    assert_eq!(bench.missed(&mallory(), ConversationId(99), 0).await, Replay::default());
    assert_eq!(bench.missed(&alice(), ConversationId(99), 0).await, Replay::default());
}

/// Without a viewer nothing is left out, whoever joined when.
pub async fn the_hub_replays_everything(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    bench.send(&alice(), id, "one").await;
    bench.store.remove_participant(bench.context(&bob()), id, bob().user).await.unwrap();
    bench.send(&alice(), id, "two").await;
    let replay = bench.store.replay(None, id, Seq(0), Seq(9), 99).await.unwrap();
    assert_eq!(words(&replay.envelopes), ["1 created one", "2 left 2 by 2", "3 created two"]);
    assert_eq!(replay.covered, Seq(3));
}

/// The figures that resuming and polling start from.
pub async fn heads_and_memberships_tell_where_logs_end(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&bob(), &["1", "3"]).await);
    bench.send(&alice(), one, "x").await;
    bench.send(&alice(), one, "y").await;
    bench.read(&bob(), one, 2).await;
    let store = &bench.store;
    let heads = store.heads(vec![other, ConversationId(99), one]).await.unwrap();
    let figures: Vec<_> =
        heads.iter().map(|head| (head.conversation, head.last_seq.0, head.receipts)).collect();
    assert_eq!(figures, [(other, 0, 0), (one, 2, 1)]);
    assert!(heads.iter().all(|head| head.epoch.0 > 0), "an epoch of zero would be no epoch");

    let mine = store.memberships(alice().user).await.unwrap();
    assert_eq!(mine.iter().map(|m| m.conversation).collect::<Vec<_>>(), [one, other]);
    assert!(mine.iter().all(|m| m.user == alice().user));
    assert_eq!((mine[0].last_seq, mine[0].receipts, mine[0].joined_seq), (Seq(2), 1, Seq(0)));
    assert_eq!((mine[0].kind, mine[1].kind), (ConversationKind::Direct, ConversationKind::Group));
    let bobs = store.membership(bob().user, other).await.unwrap().unwrap();
    assert_eq!(bobs.role, Role::Owner);
    assert_eq!(store.membership(mallory().user, one).await.unwrap(), None);
    let members = store.members(other).await.unwrap();
    let ids: Vec<_> = members.iter().map(|m| m.user.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(members[1], bobs);
    assert_eq!(store.members(ConversationId(99)).await.unwrap(), []);
    let counts = store.participant_counts(vec![other, ConversationId(99), one]).await.unwrap();
    assert_eq!(counts, [(other, 3), (one, 2)]);
}

/// Newest, before and after, with what lies beyond.
pub async fn pages_of_messages_go_both_ways(bench: &Bench) {
    let id = bench.direct().await;
    for n in 1..=7 {
        bench.send(&alice(), id, &n.to_string()).await;
    }
    bench.store.mark(bench.context(&bob()), id, MarkTarget::Seq(Seq(7)), true).await.unwrap();
    let check = async |page, limit, expected: &[u64], before, after| {
        let got = bench.store.messages(bob(), id, page, limit).await.unwrap();
        let seqs: Vec<_> = got.messages.iter().map(|message| message.seq.0).collect();
        assert_eq!(seqs, expected, "{page:?}");
        assert_eq!((got.has_before, got.has_after), (before, after), "{page:?}");
    };
    check(Page::Newest, 3, &[5, 6, 7], true, false).await;
    check(Page::Newest, 7, &[1, 2, 3, 4, 5, 6, 7], false, false).await;
    check(Page::Before(Seq(5)), 3, &[2, 3, 4], true, true).await;
    check(Page::Before(Seq(4)), 3, &[1, 2, 3], false, true).await;
    check(Page::Before(Seq(1)), 3, &[], false, true).await;
    check(Page::After(Seq(2)), 3, &[3, 4, 5], true, true).await;
    check(Page::After(Seq(4)), 3, &[5, 6, 7], true, false).await;
    check(Page::After(Seq(0)), 3, &[1, 2, 3], false, true).await;
    check(Page::After(Seq(7)), 3, &[], true, false).await;
}
