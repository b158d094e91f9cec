//! Saying something: once for ever, to whom, and how the sender learns of it (guarantees G3, G4 and M6).

use serde_json::{Value, json};

use super::{
    ALICE, ALL, BOB, CAROL, DIRECT, Heard, INBOX, PLAIN, Place, ROOM, Spoken, Stage, said,
};
use crate::gateway::server::Server;

#[test]
fn own_messages_come_as_each_dialect_s_clients_expect_them() {
    let stage = Stage::new();
    for spoken in ALL {
        let [mut here, mut elsewhere] = [stage.socket(spoken, ALICE), stage.socket(spoken, ALICE)];
        let mut bob = stage.socket(spoken, BOB);
        let texts: Vec<_> = (0..10).map(|n| format!("{} {n}", spoken.name)).collect();
        for text in &texts {
            here.say(text);
        }
        let ids: Vec<_> = texts.iter().map(|text| here.own(text)).collect();
        let all: Vec<_> = ids.iter().zip(&texts).map(|(id, text)| said(*id, ALICE, text)).collect();
        for other in [&mut elsewhere, &mut bob] {
            assert_eq!(other.durable_until(&texts[9]), all, "{}", spoken.name);
        }
        // The sending socket of `inbox` is told that they are stored; the others see them arrive.
        let sent = here.frames.iter().filter(|frame| frame["type"] == "message_sent").count();
        assert_eq!(sent, if spoken == INBOX { 10 } else { 0 }, "{}", spoken.name);
        assert!(!here.settle().iter().any(Heard::is_durable), "{}", spoken.name);
        for socket in [here, elsewhere, bob] {
            socket.leave();
        }
    }
}

#[test]
fn g3_a_name_makes_a_send_the_same_one_in_every_dialect_and_over_rest() {
    let stage = Stage::new();
    let mut sockets: Vec<_> = ALL.into_iter().map(|spoken| stage.socket(spoken, ALICE)).collect();
    let mut bob = stage.socket(ROOM, BOB);
    let rest = format!("/api/v1/conversations/{}/messages", stage.talk);
    for (first, field) in ["client_id", "tempId", "temp_id", "client_id"].into_iter().enumerate() {
        let (text, name) = (format!("once {first}"), format!("name {first}"));
        sockets[first].say_as(&text, field, &name);
        let id = sockets[first].own(&text);
        assert_eq!(bob.durable_until(&text), [said(id, ALICE, &text)]);
        for other in &mut sockets {
            // What it heard as another socket of the sender is not the answer.
            other.settle();
            for field in ["client_id", "tempId", "temp_id"] {
                other.say_as(&text, field, &name);
                assert_eq!(other.own(&text), id, "{} {field}", other.spoken.name);
            }
            other.say_as("something else", field, &name);
            let refused = other.refused("conflict");
            assert_eq!(refused["client_id"], name);
        }
        let body = json!({ "content": text, "client_id": name });
        assert_eq!(stage.post(ALICE, &rest, &body)["id"], id);
        let mut other = body.clone();
        other["content"] = json!("something else");
        let (status, _) =
            stage.server.call("POST", &rest, &stage.server.token(ALICE), Some(&other));
        assert_eq!(status, 409);
    }
    let body = json!({ "content": "from REST", "client_id": "rest" });
    let id = stage.post(ALICE, &rest, &body)["id"].as_u64().unwrap();
    for socket in &mut sockets {
        socket.wait(|heard| heard.says("from REST"));
        socket.say_as("from REST", "client_id", "rest");
        assert_eq!(socket.own("from REST"), id, "{}", socket.spoken.name);
    }
    assert_eq!(stage.history(BOB).len(), 5);
    stage.say(ALICE, "marker");
    let heard = bob.durable_until("marker");
    assert_eq!(heard.len(), 2, "the repetitions are nothing to others: {heard:?}");
}

#[test]
fn g3_two_sends_without_a_name_are_two() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut alice = stage.socket(spoken, ALICE);
        let [one, two] = [alice.said("twice"), alice.said("twice")];
        assert_ne!(one, two, "{}", spoken.name);
        alice.leave();
    }
    assert_eq!(stage.history(BOB).len(), 2 * ALL.len());
}

#[test]
fn g3_a_repeated_send_is_answered_after_an_edit_and_a_deletion_too() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut alice = stage.socket(spoken, ALICE);
        alice.say_as("frist", "client_id", spoken.name);
        let id = alice.own("frist");
        stage.edit(ALICE, id, "first");
        alice.say_as("frist", "client_id", spoken.name);
        let again = alice.own("first");
        assert_eq!(again, id, "{}", spoken.name);
        stage.delete(ALICE, id);
        alice.settle();
        alice.say_as("frist", "client_id", spoken.name);
        let count = stage.history(BOB).iter().filter(|(known, _)| *known >= id).count();
        assert_eq!(count, usize::from(stage.history(BOB).iter().any(|(known, _)| *known == id)));
        assert!(!alice.settle().iter().any(|heard| heard.says("frist")), "{}", spoken.name);
        alice.leave();
    }
}

#[test]
fn m6_a_receiver_is_enough_and_makes_one_conversation() {
    for spoken in [DIRECT, INBOX] {
        let stage = Stage::new();
        let at = Place { conversation: 0, other: Some(CAROL.to_owned()) };
        let mut alice = stage.socket_at(spoken, ALICE, at, "");
        let mut carol = stage.socket(spoken, CAROL);
        let frame = match spoken.name {
            "direct" => json!({ "type": "message", "receiver": 3, "content": "hello" }),
            _ => json!({ "type": "chat_message", "receiver_id": "3", "text": "hello" }),
        };
        alice.send(&frame);
        let first = alice.own("hello");
        assert_eq!(carol.durable_until("hello"), [said(first, ALICE, "hello")], "{}", spoken.name);
        let mut frame = frame;
        frame["conversation_id"] = Value::Null;
        alice.send(&frame);
        alice.own("hello");
        carol.wait(|heard| heard.says("hello"));
        // She answers in the same conversation.
        carol.at.other = Some(ALICE.to_owned());
        carol.at.conversation = stage.conversation(CAROL, "direct", &[ALICE]);
        carol.said("hello yourself");
        alice.wait(|heard| heard.says("hello yourself"));
        assert_eq!(stage.history_of(carol.at.conversation, ALICE).len(), 3, "{}", spoken.name);
        let (_, page) = stage.server.get("/api/v1/conversations", &stage.server.token(CAROL));
        assert_eq!(page["results"].as_array().unwrap().len(), 1, "{}", spoken.name);
    }
}

#[test]
fn m6_nobody_is_written_to_who_is_not_there_and_not_oneself() {
    // Once alice and bob are known, the server makes nobody up any more.
    let known = Stage::new().server.end();
    let stage = Stage::on(Server::again(known, &[("PARLOUR_TRUST_HOST_USERS", "off")]));
    for spoken in [DIRECT, INBOX] {
        let mut alice = stage.socket(spoken, ALICE);
        for (receiver, code) in [(json!(777), "not_found"), (json!(1), "invalid_frame")] {
            let frame = match spoken.name {
                "direct" => json!({ "type": "message", "receiver": receiver, "content": "x" }),
                _ => json!({ "type": "chat_message", "receiver_id": receiver, "text": "x" }),
            };
            alice.send(&frame);
            alice.refused(code);
        }
        alice.leave();
    }
    let (_, page) = stage.server.get("/api/v1/conversations", &stage.server.token(ALICE));
    assert_eq!(page["results"].as_array().unwrap().len(), 1);
}

#[test]
fn m6_given_both_the_receiver_must_be_in_the_conversation() {
    let stage = Stage::new();
    let mut inbox = stage.socket(INBOX, ALICE);
    for receiver in [json!(3), json!(1), json!("nobody")] {
        inbox.send(&json!({ "type": "chat_message", "conversation_id": stage.talk, "receiver_id": receiver, "text": "x", "client_id": "c" }));
        assert_eq!(inbox.refused("not_found")["client_id"], "c");
    }
    let mut plain = stage.socket(PLAIN, ALICE);
    plain.send(&json!({ "message": "x", "sender_id": 1, "recipient_id": 3 }));
    plain.refused("not_found");
    assert_eq!(stage.history(BOB), []);
    // In a group each of the others is one.
    let group = stage.conversation(ALICE, "group", &[BOB, CAROL]);
    inbox.send(&json!({ "type": "chat_message", "conversation_id": group, "receiver_id": 3, "text": "to the group" }));
    inbox.own("to the group");
    assert_eq!(stage.history_of(group, CAROL).len(), 1);
}

#[test]
fn what_a_plain_frame_is_about_is_kept() {
    let stage = Stage::new();
    let subject = json!({ "kind": "direct", "participants": [BOB], "subject": "item/5" });
    let talk = stage.post(ALICE, "/api/v1/conversations", &subject)["id"].as_u64().unwrap();
    let at = Place { conversation: talk, other: Some(BOB.to_owned()) };
    let mut alice = stage.socket_at(PLAIN, ALICE, at, "");
    alice.said("about five");
    assert_eq!(alice.frames.last().unwrap()["item_id"], 5);
    let mut frame = alice.spoken.say(&alice.at, ALICE, "about seven");
    frame["item_id"] = json!(7);
    alice.send(&frame);
    alice.own("about seven");
    let last = alice.frames.last().unwrap();
    assert_eq!(last["item_id"], 7);
    assert_eq!(last["image"], Value::Null);
    let stamp = last["timestamp"].as_str().unwrap();
    assert!(stamp.ends_with("AM") || stamp.ends_with("PM"), "{stamp}");
}

#[test]
fn groups_are_not_shown_to_direct_and_their_ends_are_nothing_to_it() {
    let stage = Stage::new();
    let group = stage.conversation(BOB, "group", &[ALICE]);
    let mut alice = stage.socket(DIRECT, ALICE);
    let secret = stage.say_in(group, BOB, "for the group");
    stage.edit(BOB, secret, "edited");
    stage.delete(BOB, secret);
    let mut bob = stage.server.live(BOB);
    bob.ask(json!({ "type": "typing", "conversation_id": group, "active": true }));
    bob.ask(json!({ "type": "read", "conversation_id": group, "seq": 1 }));
    stage.say(BOB, "between us");
    let heard = alice.until("between us");
    assert_eq!(heard.len(), 1, "{:?}", alice.frames);
    // However much was said there, its return is quiet.
    alice.prove();
    alice.cut();
    for n in 0..205 {
        bob.ask(
            json!({ "type": "message.send", "conversation_id": group, "content": format!("{n}") }),
        );
    }
    let mut alice = stage.arriving(DIRECT, ALICE, stage.place(ALICE), "");
    alice.settle();
    stage.say(BOB, "again between us");
    alice.until("again between us");
    assert!(!alice.frames.iter().any(|f| f["type"] == "resync"), "{:?}", alice.frames);
}

/// Everybody sends at the same time; everybody sees one order.
fn orders(stage: &Stage, dialects: &[Spoken]) {
    let mut alices: Vec<_> = dialects.iter().map(|spoken| stage.socket(*spoken, ALICE)).collect();
    let mut bobs: Vec<_> = dialects.iter().map(|spoken| stage.socket(*spoken, BOB)).collect();
    for n in 0..15 {
        for socket in alices.iter_mut().chain(&mut bobs) {
            let text = format!("{} {} {n}", socket.user, socket.spoken.name);
            socket.say(&text);
        }
    }
    let total = 15 * 2 * dialects.len();
    let mut orders = Vec::new();
    for socket in alices.iter_mut().chain(&mut bobs) {
        let mut ids = Vec::new();
        while ids.len() < total {
            match socket.wait(Heard::is_durable) {
                Heard::Said { id, .. } | Heard::Sent(id) => ids.push(id),
                other => panic!("{other:?}"),
            }
        }
        orders.push((socket.spoken.name, ids));
    }
    for (name, order) in &orders {
        assert_eq!(*order, orders[0].1, "{name}");
        assert!(order.is_sorted(), "{name}");
    }
}

#[test]
fn g4_everybody_sees_one_order_in_every_dialect() {
    orders(&Stage::new(), &ALL);
}
