//! Making, finding and listing conversations.

use std::time::Duration;

use super::support::{Bench, code, direct_with, join_all};
use crate::{
    Code,
    command::{Actor, NewConversation},
    event::Event,
    model::{ConversationKind, ConversationSummary, Role},
    port::store::{Context, ListCursor, Page},
    testing::{alice, bob, mallory, user},
};

/// Found from either side; another subject is another conversation.
pub async fn one_direct_conversation_for_two_and_a_subject(bench: &Bench) {
    let make = |actor: &Actor, other: &str, subject: Option<&str>| {
        let subject = subject.map(Into::into);
        let new = NewConversation { subject, ..direct_with(user(other)) };
        bench.store.create_conversation(bench.context(actor), new)
    };
    let first = make(&alice(), "2", None).await.unwrap();
    assert!(first.created);
    let found = make(&bob(), "1", None).await.unwrap();
    assert!(!found.created);
    assert_eq!(found.summary.conversation, first.summary.conversation);
    assert_eq!(bench.sink.len(), 1);
    let mut ids = vec![first.summary.conversation.id];
    for subject in ["", "item/5", "item/55"] {
        let other = make(&alice(), "2", Some(subject)).await.unwrap();
        assert!(other.created, "{subject:?}");
        assert_eq!(other.summary.conversation.subject.as_deref(), Some(subject));
        ids.push(other.summary.conversation.id);
    }
    ids.push(make(&alice(), "3", None).await.unwrap().summary.conversation.id);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "ids are never used again");
    assert_eq!(code(make(&alice(), "1", None).await), Some(Code::InvalidFrame), "with oneself");
    let bob_blocks = bench.store.set_block(bench.context(&bob()), alice().user, true).await;
    assert_eq!(bob_blocks.unwrap(), ids[..4]);
    assert!(!make(&alice(), "2", None).await.unwrap().created, "what stands is still found");
}

/// All but one are told that it stands.
pub async fn g3_parallel_creation_makes_one(bench: &Bench) {
    let make = |actor: &Actor, other: &str, external: Option<&str>| {
        let kind = external.map_or(ConversationKind::Direct, |_| ConversationKind::Group);
        let external_id = external.map(Into::into);
        let new = NewConversation { kind, external_id, ..direct_with(user(other)) };
        bench.store.create_conversation(bench.context(actor), new)
    };
    for external in [None, Some("order-1")] {
        let both = (0..20).map(|n| {
            if n % 2 == 0 { make(&alice(), "2", external) } else { make(&bob(), "1", external) }
        });
        let made: Vec<_> = join_all(both).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(made.iter().filter(|made| made.created).count(), 1);
        let id = made[0].summary.conversation.id;
        assert!(made.iter().all(|made| made.summary.conversation.id == id));
    }
}

/// The host's own id leads its participants back, and tells others only that it is taken.
pub async fn an_external_id_is_unique(bench: &Bench) {
    let new = NewConversation {
        kind: ConversationKind::Group,
        external_id: Some("order-7".into()),
        metadata: Some("{}".into()),
        title: Some("Order 7".into()),
        subject: Some("order/7".into()),
        ..direct_with(user("2"))
    };
    let make = |actor: &Actor| bench.store.create_conversation(bench.context(actor), new.clone());
    let made = make(&alice()).await.unwrap();
    let conversation = &made.summary.conversation;
    assert_eq!(conversation.external_id.as_deref(), Some("order-7"));
    assert_eq!(conversation.subject.as_deref(), Some("order/7"));
    assert_eq!(conversation.metadata.as_deref(), Some("{}"));
    let found = make(&bob()).await.unwrap();
    assert!(!found.created && found.summary.conversation == *conversation);
    assert_eq!(found.summary.participants, made.summary.participants);
    assert_eq!(code(make(&mallory()).await), Some(Code::Conflict));
    assert_eq!(bench.sink.len(), 1);
    assert!(matches!(
        &bench.sink.all()[0].event,
        Event::ConversationCreated { conversation: published, participants }
            if **published == *conversation && participants.len() == 2
    ));
    assert_eq!(made.summary.participants[0].role, Role::Owner);
    assert_eq!(made.summary.participants[1].role, Role::Member);
}

/// Without trust nobody is made; with it, bare users are.
pub async fn unknown_participants_need_trust(bench: &Bench) {
    bench.name(&alice().user, "Alice").await;
    let distrust = Context { create_users: false, ..bench.context(&alice()) };
    let refused = bench.store.create_conversation(distrust.clone(), direct_with(user("77"))).await;
    assert_eq!(code(refused), Some(Code::NotFound));
    assert_eq!(bench.store.user(user("77")).await.unwrap(), None);
    assert!(bench.sink.is_empty());
    bench.name(&user("77"), "Seven").await;
    let made = bench.store.create_conversation(distrust, direct_with(user("77"))).await.unwrap();
    assert!(made.created);
    bench
        .store
        .create_conversation(bench.context(&alice()), direct_with(user("78")))
        .await
        .unwrap();
    let bare = bench.store.user(user("78")).await.unwrap().unwrap();
    assert_eq!(&*bare.profile.name, "78");
}

/// Messages move a conversation to the top; nothing else does.
pub async fn the_list_is_in_the_order_of_activity(bench: &Bench) {
    let mut ids = Vec::new();
    for other in ["2", "3", "4"] {
        bench.clock.advance(Duration::from_secs(1));
        ids.push(bench.group(&alice(), &[other]).await);
    }
    let order = async || {
        let list = bench.store.conversations(alice().user, None, 9, None).await.unwrap();
        list.iter().map(|summary| summary.conversation.id).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [ids[2], ids[1], ids[0]]);
    bench.clock.advance(Duration::from_secs(1));
    let sent = bench.send(&alice(), ids[0], "x").await;
    assert_eq!(order().await, [ids[0], ids[2], ids[1]]);
    bench.clock.advance(Duration::from_secs(1));
    bench.send(&bob(), ids[0], "y").await;
    bench.read(&alice(), ids[0], 9).await;
    let second = bench.send(&alice(), ids[1], "x").await;
    bench.clock.advance(Duration::from_secs(1));
    bench.edit(&alice(), sent.id, "edited").await.unwrap();
    bench.store.add_participant(bench.context(&alice()), ids[2], user("5"), 9).await.unwrap();
    bench.delete(&alice(), second.id).await.unwrap();
    assert_eq!(order().await, [ids[1], ids[0], ids[2]], "at the same moment the newer one first");
}

/// Each page begins after the last one's end; nothing is left out or doubled.
pub async fn the_list_is_read_in_pages(bench: &Bench) {
    for n in 0..7 {
        if n % 2 == 0 {
            bench.clock.advance(Duration::from_secs(1));
        }
        bench.group(&alice(), &[&n.to_string()]).await;
    }
    let whole = bench.store.conversations(alice().user, None, 99, None).await.unwrap();
    assert_eq!(whole.len(), 7);
    for limit in 1..=8 {
        let (mut all, mut after): (Vec<ConversationSummary>, _) = (Vec::new(), None);
        loop {
            let page = bench.store.conversations(alice().user, after, limit, None).await.unwrap();
            let Some(last) = page.last() else { break };
            let last = &last.conversation;
            after = Some(ListCursor { active_at: last.active_at, id: last.id });
            assert!(page.len() <= limit);
            all.extend(page);
        }
        assert_eq!(all, whole, "in pages of {limit}");
    }
}

/// By title and by the others' names, not by one's own.
pub async fn the_list_is_searched(bench: &Bench) {
    bench.name(&user("2"), "Émile Zola").await;
    bench.name(&alice().user, "Alice").await;
    let direct = bench.direct().await;
    let group = bench.group(&alice(), &["3"]).await;
    let find = async |query: &str| {
        let list = bench.store.conversations(alice().user, None, 9, Some(query.into())).await;
        list.unwrap().iter().map(|summary| summary.conversation.id).collect::<Vec<_>>()
    };
    assert_eq!(find("éMILE").await, [direct]);
    assert_eq!(find("zol").await, [direct]);
    assert_eq!(find("gROUP").await, [group]);
    assert_eq!(find("alice").await, []);
    assert_eq!(find("%").await, []);
    assert_eq!(find("zol\0").await, []);
    assert_eq!(find("").await.len(), 2);
}

/// All of a large group, in pages; its summary shows the first only.
pub async fn participants_come_in_the_order_of_ids(bench: &Bench) {
    let others: Vec<String> = (10..70).map(|n| n.to_string()).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let id = bench.group(&alice(), &others).await;
    let summary = bench.summary(&alice(), id).await;
    assert_eq!(summary.participant_count, 61);
    assert_eq!(summary.participants.len(), ConversationSummary::SHOWN_PARTICIPANTS);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = bench.store.participants(alice(), id, after, 25).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.profile.id.clone());
        all.extend(page);
    }
    assert_eq!(all.len(), 61);
    assert!(all.windows(2).all(|pair| pair[0].profile.id < pair[1].profile.id));
    assert_eq!(all[..50], summary.participants);
}

/// Without being in it, and without counting as somebody who reads.
pub async fn a_server_sees_every_conversation(bench: &Bench) {
    let id = bench.direct().await;
    let sent = bench.send(&alice(), id, "one").await;
    let server = Actor::server(user("host"));
    let summary = bench.summary(&server, id).await;
    assert_eq!((summary.unread, summary.participant_count), (0, 2));
    assert_eq!(summary.last_message.as_ref(), Some(&*sent));
    let page = bench.store.messages(server.clone(), id, Page::Newest, 9).await.unwrap();
    assert_eq!(page.messages, [sent]);
    assert_eq!(bench.store.user(user("host")).await.unwrap(), None, "reading makes nobody");
}
