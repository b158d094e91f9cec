//! Reading message by message: receipts of lists, the ids that a receipt covers, who has read what, what is unread.

use super::support::{Bench, client, direct_with, join_all, say, words};
use crate::{
    ConversationId, MessageId, Seq, UserId,
    command::{Actor, NewConversation, SendMessage},
    event::{Covered, Envelope, Event, Origin},
    model::{MessageKind, Watermark},
    port::store::{Context, Standing, UnreadPage},
    testing::{alice, bob, mallory, user},
};

fn watermark(delivered: u64, read: u64) -> Watermark {
    Watermark { delivered: Seq(delivered), read: Seq(read) }
}

/// The ids that a receipt names, with their senders.
fn covered(envelope: &Envelope) -> Vec<(MessageId, &UserId)> {
    match &envelope.event {
        Event::Receipt { covered, .. } => {
            covered.iter().map(|covered| (covered.message, &covered.sender)).collect()
        }
        other => panic!("no receipt: {other:?}"),
    }
}

async fn mark(bench: &Bench, actor: &Actor, only: Option<ConversationId>, ids: &[MessageId]) {
    bench.store.mark_messages(bench.context(actor), only, ids.to_vec()).await.unwrap();
}

/// Others' messages that stand, once each, in order; nothing where only the delivered mark moves.
pub async fn g12_a_receipt_names_what_it_newly_covers(bench: &Bench) {
    let id = bench.group(&alice(), &["2", "3"]).await;
    let one = bench.send(&alice(), id, "one").await;
    let gone = bench.send(&alice(), id, "gone").await;
    let three = bench.send(&mallory(), id, "three").await;
    let own = bench.send(&bob(), id, "own").await;
    assert_eq!(covered(&bench.sink.all()[4]), [(one.id, &user("1")), (gone.id, &user("1"))]);
    bench.delete(&alice(), gone.id).await.unwrap();
    let published = bench.sink.len();
    bench
        .store
        .mark(bench.context(&alice()), id, crate::command::MarkTarget::Seq(Seq(5)), false)
        .await
        .unwrap();
    bench.read(&alice(), id, 3).await;
    bench.read(&alice(), id, 5).await;
    bench.read(&mallory(), id, 4).await;
    let receipts = bench.sink.since(published);
    assert_eq!(
        words(&receipts),
        ["receipt 1 5/2", "receipt 1 5/3", "receipt 1 5/5", "receipt 3 4/4"]
    );
    assert_eq!(covered(&receipts[0]), []);
    assert_eq!(covered(&receipts[1]), [(three.id, &user("3"))]);
    assert_eq!(covered(&receipts[2]), [(own.id, &user("2"))]);
    assert_eq!(covered(&receipts[3]), [(own.id, &user("2"))]);
    let told = bench.store.receipts(id, 0).await.unwrap();
    assert!(told.iter().all(|envelope| covered(envelope).is_empty()), "it is not kept");
}

/// Whoever answers has read; the newest are named, however many there are.
pub async fn g12_a_receipt_names_so_many_at_most(bench: &Bench) {
    let id = bench.direct().await;
    let sends = (0..Covered::MOST + 3)
        .map(|n| bench.store.append_message(bench.context(&alice()), say(id, &n.to_string())));
    let sent: Vec<_> = join_all(sends.collect::<Vec<_>>()).await;
    let mut ids: Vec<_> = sent.into_iter().map(|sent| sent.unwrap().message.id).collect();
    ids.sort();
    let published = bench.sink.len();
    bench.send(&bob(), id, "answer").await;
    let answer = bench.sink.since(published);
    let named: Vec<_> = covered(&answer[1]).iter().map(|(id, _)| *id).collect();
    assert_eq!(named, ids[3..]);
}

/// In every conversation, to the newest of others; what is unknown, own or foreign says nothing.
pub async fn g12_marking_messages_reads_up_to_each(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&alice(), &["2", "3"]).await);
    let elsewhere = bench.direct_of(&alice(), &mallory()).await;
    let foreign = bench.send(&alice(), elsewhere, "foreign").await.id;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(bench.send(&alice(), one, &n.to_string()).await.id);
    }
    let others = [
        bench.send(&alice(), other, "a").await.id,
        bench.send(&mallory(), other, "b").await.id,
        bench.send(&bob(), other, "own").await.id,
        bench.send(&mallory(), other, "c").await.id,
    ];
    // What the system says in his name is his own, though he has not read it.
    let system = SendMessage { kind: MessageKind::System, ..say(other, "system") };
    let context = bench.context(&Actor::server(bob().user));
    let system = bench.store.append_message(context, system).await.unwrap().message.id;
    let published = bench.sink.len();
    let junk = [
        foreign,
        MessageId(0),
        MessageId(u64::MAX),
        MessageId(1 << 40),
        others[2],
        others[1],
        system,
    ];
    mark(bench, &bob(), None, &junk).await;
    mark(bench, &bob(), Some(one), &others).await;
    mark(bench, &bob(), Some(ConversationId(99)), &ids).await;
    mark(bench, &bob(), None, &[]).await;
    mark(bench, &Actor::user(user("9")), None, &ids).await;
    assert_eq!(words(&bench.sink.since(published)), [""; 0], "nothing of this says anything");

    let origin = Some(Origin { connection: 4, command: 0 });
    let context = Context { origin, ..bench.context(&bob()) };
    let all = vec![ids[2], others[3], foreign, ids[0], others[2], ids[2]];
    bench.store.mark_messages(context, None, all).await.unwrap();
    let mut receipts = bench.sink.since(published);
    receipts.sort_by_key(|receipt| receipt.conversation);
    assert_eq!(words(&receipts), ["receipt 2 3/3", "receipt 2 4/4"]);
    assert!(receipts.iter().all(|receipt| receipt.origin == origin));
    let first: Vec<_> = covered(&receipts[0]).iter().map(|(id, _)| *id).collect();
    assert_eq!(first, ids[..3]);
    assert_eq!(covered(&receipts[1]), [(others[3], &user("3"))]);
    mark(bench, &bob(), Some(one), &[ids[1], others[3], ids[3]]).await;
    assert_eq!(words(&bench.sink.since(published + 2)), ["receipt 2 4/4"]);
}

/// A client that sends the whole page again on every frame costs no writing.
pub async fn g12_marking_what_is_read_writes_nothing(bench: &Bench) {
    let id = bench.direct().await;
    let mut ids = Vec::new();
    for n in 0..50 {
        let sender = if n % 2 == 0 { alice() } else { bob() };
        ids.push(bench.send(&sender, id, &n.to_string()).await.id);
    }
    mark(bench, &bob(), None, &ids).await;
    let (writes, published) = (bench.store.stats().writes, bench.sink.len());
    for _ in 0..20 {
        mark(bench, &bob(), None, &ids).await;
        mark(bench, &bob(), Some(id), &ids).await;
    }
    assert_eq!((bench.store.stats().writes, bench.sink.len()), (writes, published));
}

/// Over all conversations, oldest first, in pages of any size.
pub async fn g12_unread_messages_are_read_in_pages(bench: &Bench) {
    let (one, other) = (bench.direct().await, bench.group(&alice(), &["2", "3"]).await);
    let mut expected = Vec::new();
    for n in 0..9 {
        let (sender, id) = if n % 3 == 0 { (mallory(), other) } else { (alice(), one) };
        expected.push(bench.send(&sender, id, &n.to_string()).await.id);
    }
    let unread = async |actor: &Actor, after, limit| {
        bench.store.unread(actor.user.clone(), after, limit).await.unwrap()
    };
    let gone = expected.remove(4);
    bench.delete(&alice(), gone).await.unwrap();
    for limit in 1..=9 {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = unread(&bob(), after, limit).await;
            assert_eq!(page.count, 8, "in pages of {limit}");
            assert!(page.messages.len() <= limit);
            all.extend(page.messages.iter().map(|message| message.id));
            assert!(all.len() <= expected.len(), "in pages of {limit}: {all:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(all, expected, "in pages of {limit}");
    }
    assert_eq!(unread(&bob(), None, 2).await.next, Some(expected[1]));
    bench.read(&bob(), one, 3).await;
    let page = unread(&bob(), None, 100).await;
    let texts: Vec<_> = page.messages.iter().map(|m| m.content.clone().unwrap().text).collect();
    assert_eq!(
        texts.iter().map(|text| &**text).collect::<Vec<_>>(),
        ["0", "3", "5", "6", "7", "8"]
    );
    assert_eq!(page.count, 6);
    let nothing = UnreadPage { messages: Vec::new(), count: 0, next: None };
    assert_eq!(unread(&Actor::user(user("9")), None, 10).await, nothing);
    assert_eq!(unread(&bob(), Some(MessageId(u64::MAX)), 10).await.messages, []);
    bench.store.add_participant(bench.context(&alice()), other, user("4"), 9).await.unwrap();
    assert_eq!(unread(&Actor::user(user("4")), None, 10).await, nothing, "older than he is there");
    bench.store.remove_participant(bench.context(&alice()), other, user("2")).await.unwrap();
    assert_eq!(unread(&bob(), None, 10).await.count, 3, "he is in it no more");
}

/// Who has read what, of everybody at once.
pub async fn standings_tell_who_has_read_what(bench: &Bench) {
    let id = bench.group(&alice(), &["2", "3"]).await;
    bench.send(&alice(), id, "one").await;
    bench.send(&alice(), id, "two").await;
    bench.read(&bob(), id, 1).await;
    bench.store.add_participant(bench.context(&alice()), id, user("4"), 9).await.unwrap();
    let standings = bench.store.standings(id).await.unwrap();
    let stands =
        |id, joined, watermark| Standing { user: user(id), joined_seq: Seq(joined), watermark };
    assert_eq!(
        standings,
        [
            stands("1", 0, watermark(2, 2)),
            stands("2", 0, watermark(1, 1)),
            stands("3", 0, watermark(0, 0)),
            stands("4", 2, watermark(2, 2)),
        ]
    );
    let readers = |seq| {
        let readers = standings.iter().filter(move |standing| standing.has_read(Seq(seq)));
        readers.map(|standing| standing.user.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((readers(1), readers(2)), (vec!["1", "2"], vec!["1"]), "a newcomer has not read it");
    assert_eq!(bench.store.standings(ConversationId(99)).await.unwrap(), []);
}

/// Who a direct conversation is with, and how far both are.
pub async fn a_membership_names_the_other_one(bench: &Bench) {
    let (direct, group) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    bench.name(&bob().user, "Bob").await;
    bench.send(&bob(), direct, "one").await;
    bench.send(&bob(), direct, "two").await;
    bench.read(&alice(), direct, 1).await;
    let store = &bench.store;
    for mine in [
        store.membership(alice().user, direct).await.unwrap().unwrap(),
        store.memberships(alice().user).await.unwrap().remove(0),
        store.members(direct).await.unwrap().remove(0),
    ] {
        assert_eq!((mine.user, mine.watermark), (user("1"), watermark(1, 1)));
        let peer = mine.peer.unwrap();
        assert_eq!((&*peer.profile.name, peer.read), ("Bob", Seq(2)));
    }
    let bobs = store.membership(bob().user, direct).await.unwrap().unwrap();
    assert_eq!(
        bobs.peer.map(|peer| (peer.profile.id.clone(), peer.read)),
        Some((user("1"), Seq(1)))
    );
    assert_eq!(store.membership(alice().user, group).await.unwrap().unwrap().peer, None);
    assert_eq!(store.members(group).await.unwrap().len(), 2);
}

/// The one without a subject, from either side; looking makes nothing.
pub async fn a_direct_conversation_is_found_by_its_two(bench: &Bench) {
    let between = async |one: &str, other: &str| {
        bench.store.direct_between(user(one), user(other)).await.unwrap()
    };
    assert_eq!(between("1", "2").await, None);
    let new = NewConversation { subject: Some("item/5".into()), ..direct_with(user("2")) };
    bench.store.create_conversation(bench.context(&alice()), new).await.unwrap();
    assert_eq!(between("1", "2").await, None, "that one is about something");
    let id = bench.direct().await;
    assert_eq!((between("1", "2").await, between("2", "1").await), (Some(id), Some(id)));
    assert_eq!((between("1", "3").await, between("1", "1").await), (None, None));
}

/// The client's belief about whom it writes to is checked, and is no part of what it says.
pub async fn m6_a_recipient_must_be_in_it(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let send = |to: &str, text: &str| {
        let recipient = Some(user(to));
        let client_id = Some(client("c"));
        let message = SendMessage { recipient, client_id, ..say(id, text) };
        bench.store.append_message(bench.context(&alice()), message)
    };
    for wrong in ["1", "3", "no-one"] {
        assert_eq!(super::support::code(send(wrong, "x").await), Some(crate::Code::NotFound));
    }
    assert_eq!(bench.sink.len(), 1, "nothing was stored");
    let sent = send("2", "x").await.unwrap();
    bench.store.remove_participant(bench.context(&alice()), id, user("2")).await.unwrap();
    let again = send("3", "x").await.unwrap();
    assert!(again.duplicate && again.message == sent.message, "it is no part of the content");
}

/// The first one stays; nobody's other conversation is in its way.
pub async fn a_message_gives_its_conversation_a_subject(bench: &Bench) {
    let (direct, group) = (bench.direct().await, bench.group(&alice(), &["2"]).await);
    let about = async |id, subject: &str| {
        let message = SendMessage { subject: Some(subject.into()), ..say(id, "x") };
        bench.store.append_message(bench.context(&alice()), message).await.unwrap();
        bench.store.membership(bob().user, id).await.unwrap().unwrap().subject
    };
    let is = |subject: &str| Some(subject.into());
    assert_eq!(about(group, "").await, None);
    assert_eq!(about(group, "item/5").await, is("item/5"));
    assert_eq!(about(group, "item/6").await, is("item/5"));
    let new = NewConversation { subject: is("item/7"), ..direct_with(user("1")) };
    let made = bench.store.create_conversation(bench.context(&bob()), new.clone()).await.unwrap();
    let seventh = made.summary.conversation.id;
    assert_eq!(about(direct, "item/7").await, None, "the two have another one about it");
    let between = async || bench.store.direct_between(user("1"), user("2")).await.unwrap();
    assert_eq!(between().await, Some(direct));
    assert_eq!(about(direct, "item/8").await, is("item/8"));
    assert_eq!(between().await, Some(direct), "who writes to the user alone still finds it");
    for (subject, id) in [("item/7", seventh), ("item/8", direct)] {
        let new = NewConversation { subject: is(subject), ..new.clone() };
        let found = bench.store.create_conversation(bench.context(&bob()), new).await.unwrap();
        assert_eq!((found.created, found.summary.conversation.id), (false, id), "{subject}");
    }
    let system = SendMessage { kind: MessageKind::System, ..say(bench.direct().await, "new") };
    bench.store.append_message(bench.context(&Actor::server(user("9"))), system).await.unwrap();
}
