//! Moving everything from one store to another, and trying an import on a copy.

use std::sync::Arc;

use parlour_core::{
    ClientId, Code, Epoch, Seq, UserId,
    command::{ConversationPatch, MarkTarget, NewConversation, SendMessage},
    model::{ConversationKind, ConversationState, UserState},
    port::store::{
        ProfileUpdate, Store,
        transfer::{Dump, Fault, History, HostUser, ImportOptions},
    },
    testing::{alice, bob, mallory, user},
};
use parlour_store::OpenOptions;

use crate::support::{Folder, Nobody, context, direct, say};

async fn everything(store: &dyn Store) -> Vec<Dump> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let (records, cursor) = store.dump(after, 7).await.unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend(records);
        after = cursor;
    }
}

fn options(epoch: u64) -> ImportOptions {
    ImportOptions {
        source: "host".into(),
        now: 1_000,
        epoch: Epoch(epoch),
        keep_ids: true,
        merge: false,
        leave_out: false,
    }
}

fn named(id: &UserId) -> ProfileUpdate {
    ProfileUpdate {
        id: id.clone(),
        username: Some("Alice".into()),
        name: Some("Alice Archer".into()),
        email: Some("alice@example.org".into()),
        avatar: None,
    }
}

/// Something of every kind that is kept.
async fn fill(store: &Arc<dyn Store>) {
    store.save_user(named(&alice().user), 5).await.unwrap();
    let pair = direct(store).await;
    let first = SendMessage { client_id: ClientId::new("c-1").ok(), ..say(pair, "one") };
    let first = store.append_message(context(&alice()), first).await.unwrap().message;
    store.edit_message(context(&alice()), first.id, "one, edited".into()).await.unwrap();
    let reply = SendMessage { reply_to: Some(first.id), ..say(pair, "two") };
    store.append_message(context(&bob()), reply).await.unwrap();
    let gone = store.append_message(context(&bob()), say(pair, "gone")).await.unwrap().message;
    store.delete_message(context(&bob()), gone.id).await.unwrap();
    store.mark(context(&alice()), pair, MarkTarget::Seq(Seq(3)), true).await.unwrap();
    store.mark(context(&alice()), pair, MarkTarget::Seq(Seq(4)), false).await.unwrap();

    let group = NewConversation {
        kind: ConversationKind::Group,
        participants: vec![bob().user],
        title: Some("Trip".into()),
        subject: Some("trip/1".into()),
        external_id: Some("ext-1".into()),
        metadata: Some("{\"a\":1}".into()),
    };
    let group = store.create_conversation(context(&alice()), group).await.unwrap();
    let group = group.summary.conversation.id;
    store.add_participant(context(&alice()), group, mallory().user, 9).await.unwrap();
    store.append_message(context(&mallory()), say(group, "hello")).await.unwrap();
    store.remove_participant(context(&alice()), group, mallory().user).await.unwrap();
    let patch = ConversationPatch {
        title: Some("Trip to Lisbon".into()),
        state: Some(ConversationState::ReadOnly),
        metadata: Some("".into()),
    };
    store.change_conversation(context(&alice()), group, patch).await.unwrap();
    store.set_block(context(&mallory()), alice().user, true).await.unwrap();
    store.set_user_state(mallory().user, UserState::Banned).await.unwrap();
    store.set_last_seen(vec![(bob().user, 77)]).await.unwrap();
    let host = HostUser { profile: named(&user("77")), created_at: Some(3) };
    store.import_history(options(9), vec![History::User(host)]).await.unwrap();
}

#[tokio::test]
async fn a_dump_restored_elsewhere_is_the_same() {
    let (here, there) = (Folder::new(), Folder::new());
    let (from, to) = (here.open().await, there.open().await);
    fill(&from).await;
    let all = everything(&*from).await;
    for part in all.chunks(4) {
        let report = to.restore(options(4_711), part.to_vec()).await.unwrap();
        assert_eq!(report.problems, []);
    }
    assert_eq!(everything(&*to).await, all);
    // And again, which changes nothing.
    let again = to.restore(options(4_712), all.clone()).await.unwrap();
    assert_eq!((again.known, again.problems.len()), (all.len() as u64, 0));
    assert_eq!(everything(&*to).await, all);

    let memberships = from.memberships(alice().user).await.unwrap();
    for membership in memberships {
        let id = membership.conversation;
        let head = to.heads(vec![id]).await.unwrap()[0];
        assert_eq!((head.last_seq, head.epoch), (membership.last_seq, Epoch(4_711)));
        for viewer in [None, Some(alice().user), Some(bob().user)] {
            let replays = [&from, &to]
                .map(|store| store.replay(viewer.clone(), id, Seq::ZERO, Seq(u64::MAX), 100));
            let [one, other] = replays;
            let (one, other) = (one.await.unwrap(), other.await.unwrap());
            let events = |replay: parlour_core::port::store::Replay| {
                replay.envelopes.into_iter().map(|e| (e.seq, e.at, e.event)).collect::<Vec<_>>()
            };
            assert_eq!(events(one), events(other));
        }
        let one = from.conversation(bob(), id).await.unwrap();
        let other = to.conversation(bob(), id).await.unwrap();
        assert_eq!((one.unread, one.watermark), (other.unread, other.watermark));
        assert_eq!(one.last_message, other.last_message);
    }
    // A client id still means its first message (guarantee G3).
    let pair = direct(&to).await;
    let repeat = SendMessage { client_id: ClientId::new("c-1").ok(), ..say(pair, "one") };
    assert!(to.append_message(context(&alice()), repeat.clone()).await.unwrap().duplicate);
    let other = SendMessage { text: "other".into(), ..repeat };
    let refused = to.append_message(context(&alice()), other).await;
    assert_eq!(refused.unwrap_err().code, Code::Conflict);
    let next = to.append_message(context(&alice()), say(pair, "next")).await.unwrap();
    let used = all.iter().filter_map(|record| match record {
        Dump::Message(message) => Some(message.id),
        _ => None,
    });
    assert!(used.max() < Some(next.message.id), "ids are not given again");
}

#[tokio::test]
async fn a_dump_does_not_overwrite_what_is_there() {
    let (here, there) = (Folder::new(), Folder::new());
    let (from, to) = (here.open().await, there.open().await);
    fill(&from).await;
    let pair = direct(&to).await;
    to.append_message(context(&alice()), say(pair, "mine")).await.unwrap();
    let before = everything(&*to).await;
    let all = everything(&*from).await;
    let report = to.restore(options(1), all.clone()).await.unwrap();
    assert!(report.problems.iter().any(|p| matches!(p.fault, Fault::Taken(_))), "{report:?}");
    assert_eq!(everything(&*to).await, before);
    let empty = Folder::new();
    let empty = empty.open().await;
    let lonely = all.iter().find(|record| matches!(record, Dump::Message(_))).unwrap();
    let report = empty.restore(options(1), vec![lonely.clone()]).await.unwrap();
    assert!(matches!(report.problems[0].fault, Fault::Dangling(_)));
}

#[tokio::test]
async fn what_is_resumed_after_an_interruption_is_another_life() {
    let (here, there) = (Folder::new(), Folder::new());
    let (from, to) = (here.open().await, there.open().await);
    fill(&from).await;
    let all = everything(&*from).await;
    let half = all.iter().position(|record| matches!(record, Dump::Message(_))).unwrap() + 1;
    to.restore(options(100), all[..half].to_vec()).await.unwrap();
    to.restore(options(200), all.clone()).await.unwrap();
    let ids: Vec<_> =
        to.memberships(alice().user).await.unwrap().iter().map(|m| m.conversation).collect();
    let epochs: Vec<_> = to.heads(ids).await.unwrap().iter().map(|head| head.epoch).collect();
    assert_eq!(epochs, [Epoch(200), Epoch(200)], "who saw the half must load anew");
}

#[tokio::test]
async fn a_copy_is_tried_on_while_the_original_is_in_use() {
    let folder = Folder::new();
    let store = folder.open().await;
    fill(&store).await;
    let copy =
        parlour_store::open_copy(&folder.url(), OpenOptions::default(), Arc::new(Nobody)).await;
    let copy = copy.unwrap();
    let all = everything(&*store).await;
    assert_eq!(everything(&*copy).await, all);
    let pair = direct(&copy).await;
    copy.append_message(context(&alice()), say(pair, "only there")).await.unwrap();
    assert_eq!(everything(&*store).await, all);
    let nothing = Folder::new();
    let copy =
        parlour_store::open_copy(&nothing.url(), OpenOptions::default(), Arc::new(Nobody)).await;
    assert_eq!(everything(&*copy.unwrap()).await, []);
    assert!(!nothing.file().exists());
}
