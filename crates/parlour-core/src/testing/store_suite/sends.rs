//! Saying something: durable, once, in order, and only where one may.

use std::{sync::Arc, time::Duration};

use super::support::{Bench, client, code, join_all, say, words};
use crate::{
    Code, ConversationId, MessageId, Seq,
    command::{Actor, MarkTarget, SendMessage},
    event::Origin,
    model::{MessageKind, Role},
    port::store::{Context, Page},
    testing::{alice, bob, mallory, user},
};

/// What append answered is what every read gives.
pub async fn g1_what_was_answered_can_be_read(bench: &Bench) {
    let id = bench.direct().await;
    let send = SendMessage { metadata: Some(r#"{"a":1}"#.into()), ..say(id, "hello") };
    let stored = bench.store.append_message(bench.context(&alice()), send).await.unwrap();
    assert!(!stored.duplicate);
    let message = stored.message;
    assert_eq!((message.seq, message.change_seq), (Seq(1), Seq(1)));
    assert_eq!(message.sender.id, alice().user);
    assert_eq!(message.created_at, bench.now());
    for actor in [alice(), bob()] {
        assert_eq!(bench.store.message(actor.clone(), message.id).await.unwrap(), message);
        let page = bench.store.messages(actor.clone(), id, Page::Newest, 10).await.unwrap();
        assert_eq!(page.messages, std::slice::from_ref(&message));
        assert!(!page.has_before && !page.has_after);
        let summary = bench.summary(&actor, id).await;
        assert_eq!(summary.last_message.as_ref(), Some(&*message));
        assert_eq!(summary.conversation.last_seq, Seq(1));
        assert_eq!(bench.missed_words(&actor, id, 0).await, ["1 created hello"]);
    }
    assert_eq!(words(&bench.sink.all()), ["0 conversation", "1 created hello"]);
}

/// A repetition gives the same message, whatever happened in between, and publishes nothing.
pub async fn g3_same_client_id_gives_the_first_message_back(bench: &Bench) {
    let id = bench.direct().await;
    let first = bench.send_as(&alice(), id, "c", "hello").await.unwrap();
    let published = bench.sink.len();
    bench.clock.advance(Duration::from_secs(30 * 24 * 3600));
    let again = bench.send_as(&alice(), id, "c", "hello").await.unwrap();
    assert!(again.duplicate && !first.duplicate);
    assert_eq!(again.message, first.message);
    assert_eq!(again.epoch, first.epoch);
    assert_eq!(bench.sink.len(), published);
    assert_eq!(bench.store.stats().duplicates, 1);

    bench.edit(&alice(), first.message.id, "edited").await.unwrap();
    let edited = bench.send_as(&alice(), id, "c", "hello").await.unwrap();
    assert!(edited.duplicate);
    assert_eq!(edited.message.id, first.message.id);
    assert_eq!(edited.message.content.as_ref().unwrap().text.as_ref(), "edited");

    bench.delete(&alice(), first.message.id).await.unwrap();
    let gone = bench.send_as(&alice(), id, "c", "hello").await.unwrap();
    assert!(gone.duplicate && gone.message.content.is_none());
    assert_eq!(code(bench.send_as(&alice(), id, "c", "other").await), Some(Code::Conflict));
}

/// Every part of the content counts, and nothing is stored.
pub async fn g3_same_client_id_with_other_content_is_a_conflict(bench: &Bench) {
    let id = bench.direct().await;
    let target = bench.send(&bob(), id, "target").await;
    let first = SendMessage { client_id: Some(client("c")), ..say(id, "hello") };
    bench.store.append_message(bench.context(&alice()), first.clone()).await.unwrap();
    let published = bench.sink.len();
    let others = [
        SendMessage { text: "other".into(), ..first.clone() },
        SendMessage { metadata: Some("{}".into()), ..first.clone() },
        SendMessage { reply_to: Some(target.id), ..first.clone() },
    ];
    for other in others {
        let refused = bench.store.append_message(bench.context(&alice()), other).await;
        assert_eq!(code(refused), Some(Code::Conflict));
    }
    let server = bench.context(&Actor::server(alice().user));
    let system = SendMessage { kind: MessageKind::System, ..first };
    assert_eq!(code(bench.store.append_message(server, system).await), Some(Code::Conflict));
    assert_eq!(bench.sink.len(), published);
    assert_eq!(bench.summary(&alice(), id).await.conversation.last_seq, Seq(2));
}

/// Repetitions that run side by side.
pub async fn g3_parallel_repeats_make_one_message(bench: &Bench) {
    let id = bench.direct().await;
    let alice = alice();
    let sends = (0..40).map(|_| bench.send_as(&alice, id, "same", "hello"));
    let answers: Vec<_> = join_all(sends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
    assert!(answers.iter().all(|answer| answer.message == answers[0].message));
    assert_eq!(bench.missed_words(&bob(), id, 0).await, ["1 created hello"]);
}

/// The first answer may have been lost: a refusal now would tell that it was not stored (G2).
pub async fn g3_a_repeat_is_answered_even_when_sending_is_not_allowed_any_more(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let first = bench.send_as(&bob(), id, "c", "hello").await.unwrap();
    bench.store.remove_participant(bench.context(&alice()), id, bob().user).await.unwrap();
    let again = bench.send_as(&bob(), id, "c", "hello").await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.message, first.message);
    assert_eq!(code(bench.send_as(&bob(), id, "d", "hello").await), Some(Code::NotFound));
}

/// The same client id elsewhere is another message.
pub async fn g3_client_ids_belong_to_sender_and_conversation(bench: &Bench) {
    let one = bench.direct().await;
    let other = bench.direct_of(&alice(), &mallory()).await;
    let sent = [
        bench.send_as(&alice(), one, "c", "a").await.unwrap(),
        bench.send_as(&bob(), one, "c", "b").await.unwrap(),
        bench.send_as(&alice(), other, "c", "c").await.unwrap(),
    ];
    assert!(sent.iter().all(|sent| !sent.duplicate));
}

/// Many senders at once: no hole, no repetition, everybody reads the same.
pub async fn g4_seqs_are_one_to_n_under_concurrency(bench: &Bench) {
    let group = bench.group(&alice(), &["2", "3"]).await;
    let direct = bench.direct().await;
    let people = [alice(), bob(), mallory()];
    let sends = (0..300_usize).map(|n| {
        let id = if n % 3 == 2 { direct } else { group };
        let actor = people[if id == direct { n % 2 } else { n % 3 }].clone();
        async move { bench.try_send(&actor, id, &format!("m{n}")).await.unwrap().message }
    });
    let stored = join_all(sends).await;
    for (id, count) in [(group, 200), (direct, 100)] {
        let mut mine: Vec<_> = stored.iter().filter(|message| message.conversation == id).collect();
        mine.sort_by_key(|message| message.seq);
        let seqs: Vec<u64> = mine.iter().map(|message| message.seq.0).collect();
        assert_eq!(seqs, (1..=count).collect::<Vec<_>>());
        for reader in [alice(), bob()] {
            let read = bench.store.messages(reader, id, Page::After(Seq(0)), 1_000).await.unwrap();
            assert!(read.messages.iter().eq(mine.iter().copied()));
        }
    }
    let stats = bench.store.stats();
    assert!(stats.writes >= 302, "{stats:?}");
}

/// What one caller asks first comes first, though he does not wait.
pub async fn g4_one_callers_order_is_kept(bench: &Bench) {
    let id = bench.direct().await;
    let sends = (0..100).map(|n| {
        let message = say(id, &n.to_string());
        bench.store.append_message(bench.context(&alice()), message)
    });
    let sends: Vec<_> = sends.collect();
    for (n, answer) in join_all(sends).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().message.seq, Seq(n as u64 + 1));
    }
}

/// After any refusal the log is as it was.
pub async fn g2_a_refused_send_leaves_nothing(bench: &Bench) {
    let id = bench.direct().await;
    bench.send(&alice(), id, "one").await;
    let (published, before) = (bench.sink.len(), bench.summary(&bob(), id).await);
    let missing = SendMessage { reply_to: Some(MessageId(999)), ..say(id, "x") };
    assert_eq!(
        code(bench.store.append_message(bench.context(&alice()), missing).await),
        Some(Code::NotFound)
    );
    assert_eq!(code(bench.try_send(&mallory(), id, "x").await), Some(Code::NotFound));
    bench.store.set_block(bench.context(&bob()), alice().user, true).await.unwrap();
    assert_eq!(code(bench.try_send(&alice(), id, "x").await), Some(Code::Blocked));
    assert_eq!(code(bench.try_send(&bob(), id, "x").await), Some(Code::Blocked));
    assert_eq!(bench.sink.len(), published);
    assert_eq!(bench.summary(&bob(), id).await, before);
}

/// To somebody who is not in it, a conversation is the same as none, on every path.
pub async fn g11_a_stranger_learns_nothing(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let message = bench.send(&alice(), id, "secret").await;
    let published = bench.sink.len();
    let store = &bench.store;
    let stranger = mallory();
    bench.name(&stranger.user, "Mallory").await;
    for (conversation, message) in [(id, message.id), (ConversationId(77), MessageId(77))] {
        let context = || bench.context(&stranger);
        let refused = [
            code(store.conversation(stranger.clone(), conversation).await),
            code(store.participants(stranger.clone(), conversation, None, 9).await),
            code(store.messages(stranger.clone(), conversation, Page::Newest, 9).await),
            code(store.message(stranger.clone(), message).await),
            code(store.revisions(stranger.clone(), message).await),
            code(bench.try_send(&stranger, conversation, "x").await),
            code(bench.edit(&stranger, message, "x").await),
            code(bench.delete(&stranger, message).await),
            code(store.mark(context(), conversation, MarkTarget::Seq(Seq(1)), true).await),
            code(store.mark(context(), conversation, MarkTarget::Message(message), true).await),
            code(store.change_conversation(context(), conversation, Default::default()).await),
            code(store.add_participant(context(), conversation, user("3"), 9).await),
            code(store.remove_participant(context(), conversation, user("1")).await),
            code(store.remove_participant(context(), conversation, user("3")).await),
            code(
                store
                    .set_role(
                        context(),
                        crate::command::RoleChange {
                            conversation,
                            user: user("2"),
                            role: Role::Owner,
                        },
                    )
                    .await,
            ),
        ];
        assert!(refused.iter().all(|code| *code == Some(Code::NotFound)), "{refused:?}");
        assert_eq!(store.membership(stranger.user.clone(), conversation).await.unwrap(), None);
    }
    assert_eq!(store.memberships(stranger.user.clone()).await.unwrap(), []);
    assert_eq!(store.conversations(stranger.user.clone(), None, 9, None).await.unwrap(), []);
    assert_eq!(bench.sink.len(), published);
}

/// The clock jumps an hour either way; stored times do not go back.
pub async fn g17_times_never_go_back_in_a_conversation(bench: &Bench) {
    let id = bench.direct().await;
    let mut last = 0;
    for (n, jump) in [0, 3_600_000, -3_600_000, 5, -7_200_000, 7_200_001].into_iter().enumerate() {
        bench.clock.jump(jump);
        let message = bench.send(&alice(), id, &n.to_string()).await;
        assert!(message.created_at >= last, "message {n}");
        let edited = bench.edit(&alice(), message.id, "edited").await.unwrap().message;
        assert!(edited.edited_at.unwrap() >= message.created_at, "edit {n}");
        last = edited.edited_at.unwrap();
    }
    bench.clock.jump(-3_600_000);
    let published = bench.sink.all();
    assert!(published.iter().zip(published.iter().skip(1)).all(|(a, b)| a.at <= b.at));
}

/// Any message in sight of the same conversation, and no other.
pub async fn a_reply_names_a_message_that_the_sender_sees(bench: &Bench) {
    let id = bench.group(&alice(), &["2"]).await;
    let elsewhere = bench.direct_of(&alice(), &mallory()).await;
    let (old, foreign) =
        (bench.send(&alice(), id, "old").await, bench.send(&alice(), elsewhere, "foreign").await);
    bench.store.add_participant(bench.context(&alice()), id, user("4"), 9).await.unwrap();
    let reply = |actor: Actor, target: MessageId| {
        let message = SendMessage { reply_to: Some(target), ..say(id, "reply") };
        bench.store.append_message(bench.context(&actor), message)
    };
    let answered = reply(bob(), old.id).await.unwrap().message;
    assert_eq!(answered.reply_to, Some(old.id));
    assert_eq!(code(reply(bob(), foreign.id).await), Some(Code::NotFound));
    assert_eq!(code(reply(Actor::user(user("4")), old.id).await), Some(Code::NotFound));
    assert!(reply(Actor::user(user("4")), answered.id).await.is_ok());
    bench.delete(&alice(), old.id).await.unwrap();
    assert!(reply(bob(), old.id).await.is_ok(), "a tombstone is still in sight");
}

/// A system message needs an API key, no participation, and reads nothing for its user.
pub async fn the_system_speaks_through_a_server_only(bench: &Bench) {
    let id = bench.direct().await;
    let system = SendMessage { kind: MessageKind::System, ..say(id, "booking confirmed") };
    let send = |actor: &Actor| bench.store.append_message(bench.context(actor), system.clone());
    assert_eq!(code(send(&alice()).await), Some(Code::Forbidden));
    let from_stranger = send(&Actor::server(user("9"))).await.unwrap().message;
    assert_eq!((from_stranger.kind, &from_stranger.sender.id), (MessageKind::System, &user("9")));
    bench.send(&bob(), id, "unread").await;
    send(&Actor::server(alice().user)).await.unwrap();
    let summary = bench.summary(&alice(), id).await;
    assert_eq!((summary.unread, summary.watermark.read), (2, Seq(0)));
    let text = bench.try_send(&Actor::server(user("9")), id, "as a user").await;
    assert_eq!(code(text), Some(Code::Forbidden));
}

/// Published before answered, with the origin of the command.
pub async fn the_sink_has_it_before_the_caller(bench: &Bench) {
    let id = bench.direct().await;
    let origin = Some(Origin { connection: 7, command: 3 });
    for n in 0..20 {
        let context = Context { origin, ..bench.context(&alice()) };
        let sent = bench.store.append_message(context, say(id, &n.to_string())).await.unwrap();
        let published = bench.sink.all();
        let last = published.last().unwrap();
        assert_eq!(last.seq, Some(sent.message.seq));
        assert_eq!(
            (last.origin, last.epoch, last.at),
            (origin, sent.epoch, sent.message.created_at)
        );
    }
}

/// Numbers that no store gives out.
pub async fn hostile_numbers_name_nothing(bench: &Bench) {
    let id = bench.direct().await;
    bench.send(&alice(), id, "one").await;
    for number in [0, 1 << 53, i64::MAX as u64, u64::MAX] {
        let (conversation, message) = (ConversationId(number), MessageId(number));
        let store = &bench.store;
        assert_eq!(code(store.conversation(alice(), conversation).await), Some(Code::NotFound));
        assert_eq!(code(store.message(alice(), message).await), Some(Code::NotFound));
        assert_eq!(code(bench.try_send(&alice(), conversation, "x").await), Some(Code::NotFound));
        assert_eq!(store.heads(vec![conversation]).await.unwrap(), []);
        for page in [Page::Before(Seq(number)), Page::After(Seq(number))] {
            assert!(store.messages(alice(), id, page, 10).await.unwrap().messages.len() <= 1);
        }
        assert!(bench.missed(&alice(), id, number).await.envelopes.len() <= 1);
        assert_eq!(store.receipts(id, number).await.unwrap(), []);
    }
    assert_eq!(bench.read(&bob(), id, u64::MAX).await.read, Seq(1));
}

/// SQL, quotes, emoji, right-to-left: text is text.
pub async fn odd_text_is_kept_as_it_is(bench: &Bench) {
    let id = bench.direct().await;
    let long = "é".repeat(8_192);
    let texts = ["'; DROP TABLE messages; --", "%_\\", " \n\t ", "🇨🇭👩‍👩‍👧", "\u{202e}abc", &long];
    for text in texts {
        let stored = bench.send(&alice(), id, text).await;
        let read = bench.store.message(bob(), stored.id).await.unwrap();
        assert_eq!(read.content.as_ref().unwrap().text, Arc::from(text));
    }
}
