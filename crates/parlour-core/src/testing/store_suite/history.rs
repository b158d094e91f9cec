//! Lists for clients that know no tombstones: pages of what stands, and how much there is.

use super::support::{Bench, code};
use crate::{
    Code, ConversationId, Seq, UserId,
    command::Actor,
    port::store::{HistoryFrom, HistoryPage, Page},
    testing::{alice, bob, mallory, user},
};

async fn read(
    bench: &Bench,
    actor: &Actor,
    id: ConversationId,
    from: HistoryFrom,
    limit: usize,
) -> HistoryPage {
    bench.store.history(actor.clone(), id, from, limit).await.unwrap()
}

/// The seqs of a page, whether there is more before and after, and the count.
fn shape(page: &HistoryPage) -> (Vec<u64>, bool, bool, u32) {
    let seqs = page.page.messages.iter().map(|message| message.seq.0).collect();
    (seqs, page.page.has_before, page.page.has_after, page.count)
}

/// Twelve messages of which every third is deleted: seqs 2, 3, 5, 6, 8, 9, 11 and 12 stand.
async fn holed(bench: &Bench) -> ConversationId {
    let id = bench.direct().await;
    for n in 1..=12 {
        let said = bench.send(&alice(), id, &n.to_string()).await;
        assert_eq!(said.seq, Seq(n));
    }
    let all = bench.store.messages(alice(), id, Page::Newest, 99).await.unwrap();
    for message in all.messages.iter().filter(|message| message.seq.0 % 3 == 1) {
        bench.delete(&alice(), message.id).await.unwrap();
    }
    id
}

/// Deleted messages shorten no page, lead to no empty one, and are not counted.
pub async fn g21_history_pages_hold_what_stands(bench: &Bench) {
    let id = holed(bench).await;
    let standing = [2, 3, 5, 6, 8, 9, 11, 12];
    for limit in 1..=9 {
        let (mut found, mut from) = (Vec::new(), HistoryFrom::Place(Page::Newest));
        loop {
            let page = read(bench, &bob(), id, from, limit).await;
            let (seqs, before, after, count) = shape(&page);
            assert_eq!(count, 8);
            assert_eq!(after, !found.is_empty(), "in pages of {limit}");
            assert_eq!(seqs.len(), limit.min(8 - found.len()), "in pages of {limit}");
            found.splice(0..0, seqs);
            assert_eq!(before, found.len() < 8, "in pages of {limit}");
            if !before {
                break;
            }
            from = HistoryFrom::Place(Page::Before(Seq(found[0])));
        }
        assert_eq!(found, standing, "in pages of {limit}");
    }
    let at = async |page| shape(&read(bench, &bob(), id, HistoryFrom::Place(page), 3).await);
    assert_eq!(at(Page::After(Seq(0))).await, (vec![2, 3, 5], false, true, 8));
    assert_eq!(at(Page::After(Seq(4))).await, (vec![5, 6, 8], true, true, 8));
    assert_eq!(at(Page::After(Seq(9))).await, (vec![11, 12], true, false, 8));
    assert_eq!(at(Page::After(Seq(12))).await, (vec![], true, false, 8));
    assert_eq!(at(Page::Before(Seq(2))).await, (vec![], false, true, 8), "a tombstone is nothing");
    let past = async |skip| shape(&read(bench, &bob(), id, HistoryFrom::Past(skip), 3).await);
    assert_eq!(past(0).await, (vec![9, 11, 12], true, false, 8));
    assert_eq!(past(3).await, (vec![5, 6, 8], true, true, 8));
    assert_eq!(past(7).await, (vec![2], false, true, 8));
    for beyond in [8, HistoryPage::COUNT_CAP as usize, usize::MAX] {
        assert_eq!(past(beyond).await, (vec![], false, true, 8), "{beyond}");
    }
}

/// Who was away in between has neither those messages nor their number.
pub async fn g10_history_is_what_one_was_there_for(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let people = |actor: &Actor| bench.context(actor);
    bench.send(&alice(), id, "one").await;
    bench.send(&alice(), id, "two").await;
    bench.store.remove_participant(people(&bob()), id, user("2")).await.unwrap();
    bench.send(&alice(), id, "hidden").await;
    bench.store.add_participant(people(&alice()), id, user("2"), 9).await.unwrap();
    bench.send(&alice(), id, "back").await;
    let page = async |actor: &Actor, from| shape(&read(bench, actor, id, from, 2).await);
    let newest = HistoryFrom::Place(Page::Newest);
    assert_eq!(page(&bob(), newest).await, (vec![2, 6], true, false, 3));
    assert_eq!(page(&bob(), HistoryFrom::Past(1)).await, (vec![1, 2], false, true, 3));
    assert_eq!(page(&bob(), HistoryFrom::Past(2)).await, (vec![1], false, true, 3));
    assert_eq!(page(&bob(), HistoryFrom::Past(3)).await, (vec![], false, true, 3));
    assert_eq!(page(&alice(), newest).await, (vec![4, 6], true, false, 4));
    let server = Actor::server(user("9"));
    assert_eq!(page(&server, newest).await, (vec![4, 6], true, false, 4));
    for stranger in [mallory(), Actor::user(user("9"))] {
        let refused = bench.store.history(stranger.clone(), id, newest, 2).await;
        assert_eq!(code(refused), Some(Code::NotFound));
        let unknown = bench.store.history(stranger, ConversationId(99), newest, 2).await;
        assert_eq!(code(unknown), Some(Code::NotFound));
    }
}

/// Those that one is in now.
pub async fn conversations_are_counted(bench: &Bench) {
    let count = async |user: UserId| bench.store.conversation_count(user).await.unwrap();
    assert_eq!(count(bob().user).await, 0);
    bench.direct().await;
    let group = bench.group(&alice(), &["2", "3"]).await;
    bench.group(&alice(), &["3"]).await;
    assert_eq!((count(alice().user).await, count(bob().user).await), (3, 2));
    bench.store.remove_participant(bench.context(&bob()), group, user("2")).await.unwrap();
    assert_eq!((count(bob().user).await, count(user("nobody")).await), (1, 0));
}
