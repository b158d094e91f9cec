//! Editing, taking back, and changing settings.

use super::support::{Bench, code, say, words};
use crate::{
    Code, Seq,
    command::{Actor, ConversationPatch, SendMessage},
    event::Event,
    model::{ConversationState, Role},
    port::store::Page,
    testing::{alice, bob, mallory, user},
};

/// One Change, the old text as a revision; the same text again is none.
pub async fn an_edit_keeps_what_was_said_before(bench: &Bench) {
    let id = bench.direct().await;
    let send = SendMessage { metadata: Some("{}".into()), ..say(id, "one") };
    let sent = bench.store.append_message(bench.context(&alice()), send).await.unwrap().message;
    bench.clock.jump(1_000);
    let edited = bench.edit(&alice(), sent.id, "two").await.unwrap();
    assert!(!edited.duplicate);
    let edited = edited.message;
    assert_eq!((edited.seq, edited.change_seq), (Seq(1), Seq(2)));
    assert_eq!(edited.edited_at, Some(bench.now()));
    assert_eq!(edited.content.as_ref().unwrap().metadata.as_deref(), Some("{}"));

    let published = bench.sink.len();
    let same = bench.edit(&alice(), sent.id, "two").await.unwrap();
    assert!(same.duplicate && same.message == edited);
    assert_eq!(bench.sink.len(), published);

    bench.clock.jump(1_000);
    bench.edit(&alice(), sent.id, "three").await.unwrap();
    let revisions = bench.store.revisions(bob(), sent.id).await.unwrap();
    let said: Vec<_> =
        revisions.iter().map(|r| (r.seq.0, &*r.text, r.at - sent.created_at)).collect();
    assert_eq!(said, [(1, "one", 0), (2, "two", 1_000), (3, "three", 2_000)]);
    let summary = bench.summary(&bob(), id).await;
    assert_eq!(summary.conversation.active_at, sent.created_at, "an edit is no activity");
}

/// Not even an owner or a server edits what somebody else said.
pub async fn only_the_author_edits(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let sent = bench.send(&bob(), id, "mine").await;
    for actor in [alice(), Actor::server(alice().user)] {
        assert_eq!(code(bench.edit(&actor, sent.id, "x").await), Some(Code::Forbidden));
    }
    assert_eq!(code(bench.edit(&mallory(), sent.id, "x").await), Some(Code::NotFound));
    assert!(bench.edit(&bob(), sent.id, "x").await.is_ok());
    bench.delete(&bob(), sent.id).await.unwrap();
    assert_eq!(code(bench.edit(&bob(), sent.id, "y").await), Some(Code::NotFound));
}

/// Neither content nor revisions come back by any read.
pub async fn g21_a_deleted_message_is_gone_everywhere(bench: &Bench) {
    let id = bench.direct().await;
    let send = SendMessage { metadata: Some(r#""secret""#.into()), ..say(id, "secret one") };
    let sent = bench.store.append_message(bench.context(&alice()), send).await.unwrap().message;
    bench.edit(&alice(), sent.id, "secret two").await.unwrap();
    bench.send(&alice(), id, "stays").await;
    let deleted = bench.delete(&alice(), sent.id).await.unwrap();
    assert!(!deleted.duplicate);
    let tombstone = deleted.message;
    assert_eq!((tombstone.seq, tombstone.change_seq), (Seq(1), Seq(4)));
    assert_eq!(tombstone.deleted_at, Some(bench.now()));

    let store = &bench.store;
    let page = store.messages(bob(), id, Page::Newest, 10).await.unwrap();
    let one = store.message(bob(), sent.id).await.unwrap();
    let answers = [
        format!("{page:?}"),
        format!("{one:?}"),
        format!("{:?}", store.revisions(bob(), sent.id).await.unwrap()),
        format!("{:?}", bench.missed(&bob(), id, 0).await),
        format!("{:?}", bench.missed(&bob(), id, 1).await),
        format!("{:?}", bench.summary(&bob(), id).await),
        format!("{:?}", store.conversations(bob().user, None, 9, None).await.unwrap()),
        format!("{:?}", bench.sink.all().last()),
    ];
    for answer in answers {
        assert!(!answer.contains("secret"), "{answer}");
    }
    assert_eq!(page.messages.first(), Some(&one), "its tombstone keeps its place");
    assert_eq!(store.revisions(bob(), sent.id).await.unwrap(), []);
}

/// Deleting what is deleted.
pub async fn deleting_again_changes_nothing(bench: &Bench) {
    let id = bench.direct().await;
    let sent = bench.send(&alice(), id, "x").await;
    let first = bench.delete(&alice(), sent.id).await.unwrap();
    let published = bench.sink.len();
    bench.clock.jump(5_000);
    let again = bench.delete(&alice(), sent.id).await.unwrap();
    assert!(again.duplicate && again.message == first.message);
    assert_eq!(bench.sink.len(), published);
    assert_eq!(bench.summary(&alice(), id).await.last_message, None);
}

/// An admin takes back what others said; in a direct conversation nobody does.
pub async fn managers_delete_in_groups_only(bench: &Bench) {
    let direct = bench.direct().await;
    let sent = bench.send(&bob(), direct, "x").await;
    assert_eq!(code(bench.delete(&alice(), sent.id).await), Some(Code::Forbidden));
    let group = bench.group(&alice(), &["2", "3"]).await;
    let sent = bench.send(&bob(), group, "x").await;
    assert_eq!(code(bench.delete(&mallory(), sent.id).await), Some(Code::Forbidden));
    let deleted = bench.delete(&alice(), sent.id).await.unwrap().message;
    assert_eq!(deleted.sender.id, bob().user);
}

/// Read-only is for managers, closed for nobody; an acknowledged closing cannot be overtaken.
pub async fn state_decides_who_writes(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let mine = bench.send(&bob(), id, "before").await;
    let set = |state| {
        let patch = ConversationPatch { state: Some(state), ..Default::default() };
        bench.store.change_conversation(bench.context(&alice()), id, patch)
    };
    set(ConversationState::ReadOnly).await.unwrap();
    assert_eq!(code(bench.try_send(&bob(), id, "x").await), Some(Code::Forbidden));
    assert_eq!(code(bench.edit(&bob(), mine.id, "x").await), Some(Code::Forbidden));
    assert!(bench.try_send(&alice(), id, "announcement").await.is_ok());
    set(ConversationState::Closed).await.unwrap();
    assert_eq!(code(bench.try_send(&alice(), id, "x").await), Some(Code::Forbidden));
    assert!(bench.delete(&bob(), mine.id).await.is_ok(), "one's own may always be taken back");
    set(ConversationState::Open).await.unwrap();
    assert!(bench.try_send(&bob(), id, "x").await.is_ok());
}

/// One Change for what differs; none when nothing does.
pub async fn settings_change_in_one_step(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let change = |actor: &Actor, patch: ConversationPatch| {
        bench.store.change_conversation(bench.context(actor), id, patch)
    };
    let patch = ConversationPatch {
        title: Some("New".into()),
        state: Some(ConversationState::Open),
        metadata: Some("{}".into()),
    };
    assert_eq!(code(change(&bob(), patch.clone()).await), Some(Code::Forbidden));
    let changed = change(&alice(), patch.clone()).await.unwrap();
    assert_eq!((changed.title.as_deref(), changed.metadata.as_deref()), (Some("New"), Some("{}")));
    assert_eq!(changed.last_seq, Seq(1));
    assert_eq!(words(&bench.sink.since(1)), [r#"1 changed Some("New") None Some("{}")"#]);
    assert_eq!(change(&alice(), patch).await.unwrap(), changed);
    assert_eq!(change(&alice(), ConversationPatch::default()).await.unwrap(), changed);

    let emptied =
        ConversationPatch { title: Some("".into()), state: None, metadata: Some("".into()) };
    let changed = change(&alice(), emptied.clone()).await.unwrap();
    assert_eq!((&changed.title, &changed.metadata), (&None, &None));
    assert_eq!(change(&alice(), emptied).await.unwrap(), changed);
    assert_eq!(bench.summary(&bob(), id).await.conversation, changed);
    assert_eq!(bench.sink.len(), 3);

    let admin = crate::command::RoleChange { conversation: id, user: user("2"), role: Role::Admin };
    bench.store.set_role(bench.context(&alice()), admin).await.unwrap();
    let state = ConversationPatch { state: Some(ConversationState::Closed), ..Default::default() };
    assert!(change(&bob(), state).await.is_ok());
    let direct = bench.direct().await;
    let title = ConversationPatch { title: Some("x".into()), ..Default::default() };
    let refused = bench.store.change_conversation(bench.context(&alice()), direct, title.clone());
    assert_eq!(code(refused.await), Some(Code::Forbidden));
    let server = bench.context(&Actor::server(user("host")));
    assert!(bench.store.change_conversation(server, direct, title).await.is_ok());
    assert!(matches!(
        bench.sink.all().last().unwrap().event,
        Event::ConversationChanged { ref by, .. } if *by == user("host")
    ));
}
