//! PostgreSQL plans a statement by how large its tables are when it is planned, and keeps the plan: a database that has just
//! begun to grow must not be gone through from end to end for every step, until the server has counted again.

use std::sync::Arc;

use parlour_core::{
    ClientId, ConversationId, Seq, UserId,
    command::{Actor, MarkTarget, NewConversation, SendMessage},
    model::ConversationKind,
    port::store::{HistoryFrom, Page, ProfileUpdate, SocketKey, Store},
    testing::{store_suite::join_all, user},
};
use parlour_store::OpenOptions;

use crate::{
    postgres::{open_with, process},
    support::{self, context, database, say},
};

/// Pairs of people who come to know each other.
const PAIRS: usize = 120;
/// Of them so many at a time.
const AT_ONCE: usize = 4;

/// What two who have never been there do.
async fn meet(store: &Arc<dyn Store>, n: usize) {
    let (one, other) = (user(&format!("{n}-one")), user(&format!("{n}-other")));
    for id in [&one, &other] {
        let update = ProfileUpdate {
            id: id.clone(),
            username: Some(format!("{id}@").into()),
            name: None,
            email: None,
            avatar: None,
        };
        store.save_user(update, 1).await.unwrap();
    }
    let new = NewConversation {
        kind: ConversationKind::Direct,
        participants: vec![other.clone()],
        title: None,
        subject: None,
        external_id: None,
        metadata: None,
    };
    let by = context(&Actor::user(one.clone()));
    let made = store.create_conversation(by.clone(), new).await.unwrap();
    let talk = made.summary.conversation.id;
    let claimed = support::claim(store, key(&other), 1_000).await;
    let client_id = ClientId::new(&format!("{n}")).ok();
    let said = SendMessage { client_id, ..say(talk, "hello") };
    let said = store.append_message(by.clone(), said).await.unwrap().message;
    store.edit_message(by.clone(), said.id, "hallo".into()).await.unwrap();
    let his = context(&Actor::user(other.clone()));
    store.mark(his.clone(), talk, MarkTarget::Seq(said.seq), true).await.unwrap();
    store.acknowledge_socket(his.clone(), claimed.id, vec![(talk, said.seq)]).await.unwrap();
    store.release_socket(claimed.id, false, 2_000).await.unwrap();
    look(store, &his.actor, &one, talk, said.seq).await;
    store.delete_message(by, said.id).await.unwrap();
    store.set_block(his.clone(), one.clone(), true).await.unwrap();
    store.set_block(his, one, false).await.unwrap();
    store.set_last_seen(vec![(other, 3_000)]).await.unwrap();
}

/// What one of them reads.
async fn look(
    store: &Arc<dyn Store>,
    actor: &Actor,
    other: &UserId,
    talk: ConversationId,
    up_to: Seq,
) {
    let (me, actor) = (actor.user.clone(), || actor.clone());
    store.user(me.clone()).await.unwrap().unwrap();
    store.conversation(actor(), talk).await.unwrap();
    assert_eq!(store.direct_between(me.clone(), other.clone()).await.unwrap(), Some(talk));
    assert_eq!(store.conversations(me.clone(), None, 20, None).await.unwrap().len(), 1);
    assert_eq!(store.conversation_count(me.clone()).await.unwrap(), 1);
    assert_eq!(store.participants(actor(), talk, None, 20).await.unwrap().len(), 2);
    assert_eq!(store.messages(actor(), talk, Page::Newest, 20).await.unwrap().messages.len(), 1);
    store.history(actor(), talk, HistoryFrom::Place(Page::Newest), 20).await.unwrap();
    store.unread(me.clone(), None, 20).await.unwrap();
    store.hidden_from(me.clone()).await.unwrap();
    store.replay(Some(me), talk, Seq::ZERO, up_to, 20).await.unwrap();
}

fn key(user: &UserId) -> SocketKey {
    SocketKey { user: user.clone(), dialect: "room", scope: None, device: None, agent: None }
}

#[tokio::test]
async fn what_has_just_begun_to_grow_is_not_gone_through_from_end_to_end() {
    let Some(database) = database() else { return };
    let store = open_with(&database.url(), OpenOptions { pool: 4, ..process(1) }).await;
    let meetings = (0..AT_ONCE).map(|first| {
        let store = &store;
        async move {
            for n in (first..PAIRS).step_by(AT_ONCE) {
                meet(store, n).await;
            }
        }
    });
    join_all(meetings).await;
    store.close().await;
    // Who has gone has told what he read.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while database.run(others).unwrap() != "0" {
        tokio::task::yield_now().await;
    }
    // What is small may be read whole now and then, but not once for each who comes.
    let gone_through = format!(
        "SELECT relname, seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE seq_tup_read > {PAIRS}"
    );
    assert_eq!(database.run(&gone_through).unwrap(), "");
}
