//! Coming and going: who sees what, and who owns the group.

use super::support::{Bench, code, words};
use crate::{
    Code, ConversationId, Seq,
    command::{Actor, RoleChange},
    model::{ConversationKind, Role},
    port::store::Page,
    testing::{alice, bob, mallory, user},
};

async fn add(bench: &Bench, by: &Actor, id: ConversationId, who: &str) -> crate::Result<bool> {
    bench.store.add_participant(bench.context(by), id, user(who), 100).await
}

async fn remove(bench: &Bench, by: &Actor, id: ConversationId, who: &str) -> crate::Result<()> {
    bench.store.remove_participant(bench.context(by), id, user(who)).await
}

async fn set(
    bench: &Bench,
    by: &Actor,
    id: ConversationId,
    who: &str,
    role: Role,
) -> crate::Result<()> {
    let change = RoleChange { conversation: id, user: user(who), role };
    bench.store.set_role(bench.context(by), change).await
}

async fn roles(bench: &Bench, id: ConversationId) -> Vec<(String, Role)> {
    let server = Actor::server(user("host"));
    let all = bench.store.participants(server, id, None, 100).await.unwrap();
    all.iter().map(|p| (p.profile.id.to_string(), p.role)).collect()
}

fn named(expected: &[(&str, Role)]) -> Vec<(String, Role)> {
    expected.iter().map(|(id, role)| ((*id).to_owned(), *role)).collect()
}

/// After the removal is answered, nothing above it reaches him by any read, and he can do nothing.
pub async fn g10_who_was_removed_sees_nothing_more(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let sent = bench.send(&alice(), id, "before").await;
    remove(bench, &alice(), id, "2").await.unwrap();
    bench.send(&alice(), id, "after").await;
    let store = &bench.store;
    assert_eq!(code(store.conversation(bob(), id).await), Some(Code::NotFound));
    assert_eq!(code(store.messages(bob(), id, Page::Newest, 9).await), Some(Code::NotFound));
    assert_eq!(code(store.message(bob(), sent.id).await), Some(Code::NotFound));
    assert_eq!(code(bench.try_send(&bob(), id, "x").await), Some(Code::NotFound));
    assert_eq!(bench.missed(&bob(), id, 0).await.envelopes, []);
    assert_eq!(store.memberships(bob().user).await.unwrap(), []);
    assert_eq!(store.conversations(bob().user, None, 9, None).await.unwrap(), []);
    assert_eq!(store.receipts(id, 0).await.unwrap(), []);
    assert_eq!(code(remove(bench, &alice(), id, "2").await), Some(Code::NotFound));
}

/// He sees the part that he was there for, his leaving, and what comes after his return.
pub async fn g10_who_returns_sees_his_own_times_only(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let first = bench.send(&alice(), id, "there").await;
    remove(bench, &bob(), id, "2").await.unwrap();
    let hidden = bench.send(&alice(), id, "hidden").await;
    let other = bench.send(&alice(), id, "hidden too").await;
    assert!(add(bench, &alice(), id, "2").await.unwrap());
    bench.send(&alice(), id, "back").await;
    assert_eq!(
        bench.missed_words(&bob(), id, 0).await,
        ["1 created there", "2 left 2 by 2", "5 joined 2 by 1", "6 created back"]
    );
    bench.edit(&alice(), first.id, "there!").await.unwrap();
    bench.edit(&alice(), hidden.id, "hidden!").await.unwrap();
    bench.delete(&alice(), other.id).await.unwrap();
    assert_eq!(
        bench.missed_words(&bob(), id, 2).await,
        ["5 joined 2 by 1", "6 created back", "7 edited there!"]
    );
    assert_eq!(bench.missed(&bob(), id, 7).await.covered, Seq(9));
    let store = &bench.store;
    let seqs = async |page, limit| {
        let page = store.messages(bob(), id, page, limit).await.unwrap();
        let seqs: Vec<_> = page.messages.iter().map(|message| message.seq.0).collect();
        (seqs, page.has_before, page.has_after)
    };
    assert_eq!(seqs(Page::Newest, 9).await, (vec![1, 6], false, false));
    assert_eq!(seqs(Page::Newest, 1).await, (vec![6], true, false));
    assert_eq!(seqs(Page::Before(Seq(6)), 9).await, (vec![1], false, true));
    assert_eq!(seqs(Page::After(Seq(1)), 9).await, (vec![6], true, false));
    assert_eq!(code(store.message(bob(), hidden.id).await), Some(Code::NotFound));
    assert!(store.message(bob(), first.id).await.is_ok());
    let summary = bench.summary(&bob(), id).await;
    assert_eq!((summary.joined_seq, summary.unread), (Seq(4), 1));
    assert!(!format!("{summary:?}").contains("hidden"));
}

/// History from before one's joining is not one's own, even when it changes later.
pub async fn a_newcomer_sees_nothing_older(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let old = bench.send(&alice(), id, "old").await;
    assert!(add(bench, &alice(), id, "3").await.unwrap());
    bench.edit(&alice(), old.id, "old, edited").await.unwrap();
    assert_eq!(bench.missed_words(&mallory(), id, 0).await, ["2 joined 3 by 1"]);
    let summary = bench.summary(&mallory(), id).await;
    assert_eq!((summary.unread, summary.last_message), (0, None));
    assert_eq!(summary.watermark.read, Seq(1));
    assert_eq!(code(bench.edit(&mallory(), old.id, "x").await), Some(Code::NotFound));
    let page = bench.store.messages(mallory(), id, Page::Newest, 9).await.unwrap();
    assert!(page.messages.is_empty() && !page.has_before);
    let joined = bench.store.membership(mallory().user, id).await.unwrap().unwrap();
    assert_eq!(joined.joined_seq, Seq(1));
}

/// First the longest-standing admin, then the longest-standing member.
pub async fn a_leaving_owner_is_succeeded(bench: &Bench) {
    let id = bench.group(&alice(), &["2", "3"]).await;
    add(bench, &alice(), id, "0").await.unwrap();
    set(bench, &alice(), id, "3", Role::Admin).await.unwrap();
    let published = bench.sink.len();
    remove(bench, &alice(), id, "1").await.unwrap();
    assert_eq!(words(&bench.sink.since(published)), ["3 role 3 Owner", "4 left 1 by 1"]);
    remove(bench, &mallory(), id, "3").await.unwrap();
    let expected = [("0", Role::Member), ("2", Role::Owner)];
    assert_eq!(roles(bench, id).await, named(&expected), "bob was there before 0");
    assert_eq!(code(remove(bench, &Actor::user(user("0")), id, "2").await), Some(Code::Forbidden));
    remove(bench, &Actor::server(user("host")), id, "2").await.unwrap();
    assert_eq!(roles(bench, id).await, named(&[("0", Role::Owner)]));
}

/// Owners name admins and hand the group over; others do not.
pub async fn roles_are_given_and_handed_over(bench: &Bench) {
    let id = bench.group(&alice(), &["2", "3"]).await;
    assert_eq!(code(set(bench, &bob(), id, "3", Role::Admin).await), Some(Code::Forbidden));
    set(bench, &alice(), id, "2", Role::Admin).await.unwrap();
    assert_eq!(code(set(bench, &bob(), id, "3", Role::Admin).await), Some(Code::Forbidden));
    assert_eq!(code(set(bench, &alice(), id, "77", Role::Admin).await), Some(Code::NotFound));
    assert_eq!(code(set(bench, &alice(), id, "1", Role::Member).await), Some(Code::Forbidden));
    let server = Actor::server(user("host"));
    assert_eq!(code(set(bench, &server, id, "1", Role::Member).await), Some(Code::Conflict));
    let published = bench.sink.len();
    set(bench, &alice(), id, "2", Role::Owner).await.unwrap();
    assert_eq!(words(&bench.sink.since(published)), ["2 role 1 Admin", "3 role 2 Owner"]);
    let expected = [("1", Role::Admin), ("2", Role::Owner), ("3", Role::Member)];
    assert_eq!(roles(bench, id).await, named(&expected));
    set(bench, &server, id, "3", Role::Member).await.unwrap();
    assert_eq!(bench.sink.len(), published + 2, "the same role again is no Change");
    let direct = bench.direct().await;
    assert_eq!(code(set(bench, &server, direct, "1", Role::Admin).await), Some(Code::Forbidden));
}

/// Full is full, again is nothing, unknown needs trust.
pub async fn adding_is_bounded_and_repeatable(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let add_most =
        |who: &str, most| bench.store.add_participant(bench.context(&alice()), id, user(who), most);
    assert_eq!(code(add_most("3", 2).await), Some(Code::Limit));
    assert!(!add_most("2", 2).await.unwrap(), "who is there already needs no room");
    assert!(add_most("3", 3).await.unwrap());
    let published = bench.sink.len();
    assert!(!add_most("3", 3).await.unwrap());
    assert_eq!(bench.sink.len(), published);
    let distrust = crate::port::store::Context { create_users: false, ..bench.context(&alice()) };
    let unknown = bench.store.add_participant(distrust, id, user("77"), 9).await;
    assert_eq!(code(unknown), Some(Code::NotFound));
    assert_eq!(bench.store.user(user("77")).await.unwrap(), None);
    assert_eq!(code(add(bench, &bob(), id, "4").await), Some(Code::Forbidden));
    assert_eq!(code(remove(bench, &bob(), id, "3").await), Some(Code::Forbidden));
    let direct = bench.direct().await;
    assert_eq!(code(add(bench, &alice(), direct, "4").await), Some(Code::Forbidden));
    assert_eq!(code(remove(bench, &alice(), direct, "1").await), Some(Code::Forbidden));
}

/// Neither by adding nor by making a group; only the blocked one's own try is refused.
pub async fn nobody_is_brought_together_with_whom_he_blocked(bench: &Bench) {
    let id = bench.group(&alice(), &["3"]).await;
    bench.store.set_block(bench.context(&bob()), alice().user, true).await.unwrap();
    assert_eq!(code(add(bench, &alice(), id, "2").await), Some(Code::Blocked));
    for kind in [ConversationKind::Group, ConversationKind::Direct] {
        let new =
            crate::command::NewConversation { kind, ..super::support::direct_with(bob().user) };
        let made = bench.store.create_conversation(bench.context(&alice()), new).await;
        assert_eq!(code(made), Some(Code::Blocked), "{kind:?}");
    }
    let new = super::support::direct_with(alice().user);
    let made = bench.store.create_conversation(bench.context(&bob()), new).await;
    assert_eq!(code(made), Some(Code::Blocked), "nor can the blocker begin one");
    assert_eq!(code(add(bench, &mallory(), id, "2").await), Some(Code::Forbidden));
    bench.store.set_block(bench.context(&bob()), alice().user, false).await.unwrap();
    assert!(add(bench, &alice(), id, "2").await.unwrap());
}

/// The last one leaves; a server brings somebody in again.
pub async fn an_empty_group_gets_a_new_owner(bench: &Bench) {
    let id = bench.group(&alice(), &[]).await;
    remove(bench, &alice(), id, "1").await.unwrap();
    assert_eq!(bench.store.members(id).await.unwrap(), []);
    assert!(add(bench, &Actor::server(user("host")), id, "2").await.unwrap());
    assert_eq!(roles(bench, id).await, named(&[("2", Role::Owner)]));
}
