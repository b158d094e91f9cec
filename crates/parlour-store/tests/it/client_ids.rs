//! Client ids over more messages than the store remembers at a time.

use std::sync::Arc;

use parlour_core::{
    ClientId, Code, ConversationId, MessageId,
    command::SendMessage,
    port::store::Store,
    testing::{alice, bob, store_suite::join_all},
};

use crate::{
    durability::copy_of,
    support::{Folder, context, direct, say},
};

/// Messages that are sent at once.
const ROUND: usize = 1_500;

fn named(conversation: ConversationId, n: usize) -> SendMessage {
    // Some come from clients that name nothing.
    let client_id = (!n.is_multiple_of(3)).then(|| ClientId::new(&format!("id {n}")).unwrap());
    SendMessage { client_id, ..say(conversation, &format!("text {n}")) }
}

async fn send(store: &Arc<dyn Store>, conversation: ConversationId, n: usize) -> (MessageId, bool) {
    let sender = if n.is_multiple_of(2) { alice() } else { bob() };
    let sent = store.append_message(context(&sender), named(conversation, n)).await.unwrap();
    (sent.message.id, sent.duplicate)
}

/// Every seventh of those that were sent, and all of the last.
async fn check(store: &Arc<dyn Store>, conversation: ConversationId, sent: &[MessageId]) {
    let last = sent.len().saturating_sub(20)..sent.len();
    for n in (0..sent.len()).step_by(7).chain(last).filter(|n| !n.is_multiple_of(3)) {
        assert_eq!(send(store, conversation, n).await, (sent[n], true), "message {n}");
    }
}

#[tokio::test]
async fn g3_a_client_id_is_known_for_ever_and_through_kills() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let mut sent = Vec::new();
    for _ in 0..8 {
        let fresh = (sent.len()..sent.len() + ROUND).map(|n| send(&store, id, n));
        sent.extend(join_all(fresh).await.into_iter().map(|(message, duplicate)| {
            assert!(!duplicate);
            message
        }));
        check(&store, id, &sent).await;

        let killed = copy_of(&folder);
        let survivor = killed.open().await;
        check(&survivor, id, &sent).await;
        let other = SendMessage { text: "another".into(), ..named(id, 2) };
        let refused = survivor.append_message(context(&alice()), other).await.unwrap_err();
        assert_eq!(refused.code, Code::Conflict);
        survivor.close().await;
    }
    store.close().await;
    check(&folder.open().await, id, &sent).await;
}

/// A file of the time when an index of the messages knew the client ids.
#[tokio::test]
async fn g3_client_ids_from_before_the_table_are_known() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let sent = [send(&store, id, 1).await.0, send(&store, id, 2).await.0];
    store.close().await;
    let old = folder.connect();
    old.execute_batch(
        "DROP TABLE client_ids; DELETE FROM meta WHERE key = 'client_ids'; \
         CREATE UNIQUE INDEX messages_by_client_id ON messages (conversation, sender, client_id) \
           WHERE client_id IS NOT NULL; \
         DELETE FROM meta WHERE key = 'message_ids'; \
         DELETE FROM migrations WHERE version > 5; PRAGMA user_version = 5",
    )
    .unwrap();
    drop(old);
    let store = folder.open().await;
    assert_eq!(send(&store, id, 1).await, (sent[0], true));
    assert_eq!(send(&store, id, 2).await, (sent[1], true));
}
