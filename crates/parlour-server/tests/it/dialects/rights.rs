//! Who may do what: identity comes from the sign-in alone, and what is not one's own looks as if it were not there
//! (guarantees' table E).

use serde_json::json;

use super::{
    ALICE, ALL, BOB, CAROL, DIRECT, Heard, INBOX, MALLORY, PLAIN, Place, ROOM, Stage, rich, said,
};
use crate::gateway::client::End;

/// Everything by which a client might say who it is or when.
const CLAIMS: [&str; 9] =
    ["sender", "user_id", "author", "role", "created_at", "n", "message_id", "is_read", "edited"];

#[test]
fn e3_who_speaks_and_when_is_not_the_frame_s_to_say() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let mut frame = spoken.say(&stage.place(ALICE), ALICE, "as myself");
        for claim in CLAIMS {
            frame[claim] = json!("2");
        }
        if spoken != PLAIN {
            frame["sender_id"] = json!(2);
        }
        frame["id"] = json!(424_242);
        alice.send(&frame);
        let id = alice.own("as myself");
        assert_ne!(id, 424_242);
        assert_eq!(bob.durable_until("as myself"), [said(id, ALICE, "as myself")]);
        assert!(!bob.frames.last().unwrap().to_string().contains("\"role\""));
        alice.leave();
        bob.leave();
    }
    let before = stage.history(BOB).len();
    let mut alice = stage.socket(PLAIN, ALICE);
    for sender in [json!(2), json!("2"), json!("01"), json!("alice")] {
        let frame = json!({ "message": "as somebody else", "sender_id": sender, "client_id": "c" });
        alice.send(&frame);
        assert_eq!(alice.refused("forbidden")["client_id"], "c");
    }
    alice.send(&json!({ "message": "as myself, in a text", "sender_id": "1" }));
    alice.own("as myself, in a text");
    assert_eq!(stage.history(BOB).len(), before + 1);
}

#[test]
fn e5_messages_of_others_are_not_one_s_own_to_change() {
    let stage = Stage::new();
    let elsewhere = stage.conversation(BOB, "direct", &[CAROL]);
    let foreign = stage.say_in(elsewhere, BOB, "not hers to see");
    let group = stage.conversation(ALICE, "group", &[CAROL]);
    stage.say_in(group, CAROL, "hers to moderate");
    for spoken in rich() {
        let theirs = stage.say(BOB, "his");
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        alice.edit(theirs, "hers now");
        alice.refused("forbidden");
        alice.delete(theirs);
        alice.refused("forbidden");
        // What one may not see looks like what there is not.
        let mut errors = Vec::new();
        for message in [foreign, 999_999] {
            alice.edit(message, "x");
            errors.push(alice.refused("not_found"));
            alice.delete(message);
            errors.push(alice.refused("not_found"));
        }
        assert_eq!(errors[0], errors[2], "{}", spoken.name);
        assert_eq!(errors[1], errors[3], "{}", spoken.name);
        stage.say(ALICE, "marker");
        assert_eq!(bob.until("marker").iter().filter(|h| h.is_durable()).count(), 1);
        alice.leave();
        bob.leave();
    }
    assert!(stage.history(BOB).iter().all(|(_, text)| text != "hers now" && text != "(deleted)"));
    assert_eq!(stage.history_of(elsewhere, BOB).len(), 1);
}

#[test]
fn e2_conversations_of_others_look_like_none() {
    let stage = Stage::new();
    let mut mallory = stage.socket(INBOX, MALLORY);
    let mut alice = stage.socket(INBOX, ALICE);
    let mut answers = Vec::new();
    for conversation in [stage.talk, 999_999] {
        for frame in [
            json!({ "type": "chat_message", "conversation_id": conversation, "text": "x" }),
            json!({ "type": "chat_message", "conversation_id": conversation, "receiver_id": 2, "text": "x" }),
            json!({ "type": "typing_indicator", "conversation_id": conversation, "is_typing": true }),
            json!({ "type": "join_conversation", "conversation_id": conversation }),
            json!({ "type": "leave_conversation", "conversation_id": conversation }),
        ] {
            mallory.send(&frame);
            answers.push(mallory.refused("not_found"));
        }
    }
    assert_eq!(answers[..5], answers[5..]);
    stage.say(BOB, "marker");
    assert_eq!(alice.until("marker").len(), 2, "a greeting and the marker: {:?}", alice.frames);
    mallory.settle();
    assert!(!mallory.frames.iter().any(|f| f.to_string().contains("marker")));
}

#[test]
fn e8_receipts_cover_what_one_may_see_and_never_go_back() {
    let stage = Stage::new();
    let elsewhere = stage.conversation(BOB, "direct", &[CAROL]);
    let foreign = stage.say_in(elsewhere, BOB, "not hers to read");
    for spoken in rich() {
        let ids: Vec<_> = (0..3).map(|n| stage.say(BOB, &format!("{n}"))).collect();
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let own = alice.said("her own");
        alice.read_up_to(&[foreign, 999_999, own, 0]);
        alice.read_up_to(&[ids[1]]);
        alice.read_up_to(&[ids[0]]);
        alice.read_up_to(&[ids[2]]);
        let mut covered = Vec::new();
        while !covered.contains(&ids[2]) {
            match bob.wait(|heard| matches!(heard, Heard::Read(..))) {
                Heard::Read(named, by) => {
                    assert_eq!(by, ALICE);
                    covered.extend(named);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(covered, ids, "{}: each once, and nothing else", spoken.name);
        assert!(!alice.settle().iter().any(|heard| matches!(heard, Heard::Error(_))));
        alice.leave();
        bob.leave();
    }
}

#[test]
fn e12_who_is_removed_gets_nothing_more() {
    for spoken in [INBOX, ROOM, PLAIN] {
        let stage = Stage::new();
        let group = stage.conversation(ALICE, "group", &[BOB, CAROL]);
        let at = Place { conversation: group, other: None };
        let mut bob = stage.socket_at(spoken, BOB, at.clone(), "");
        let mut alice = stage.socket_at(spoken, ALICE, at.clone(), "");
        let before = alice.said("before");
        bob.wait(|heard| heard.says("before"));
        stage.remove(ALICE, group, BOB);
        alice.said("after he left");
        if spoken.scoped {
            assert_eq!(bob.end(), End::Closed(4403, "removed".to_owned()), "{}", spoken.name);
            let path = format!(
                "{}?dialect={}&token={}",
                spoken.path(group),
                spoken.name,
                stage.server.token(BOB)
            );
            stage.knock(&path, &[]).is_refusal(spoken, 403, 4403, "a conversation that he left");
        } else {
            bob.send(&spoken.say(&at, BOB, "from outside"));
            bob.refused("not_found");
            bob.edit(before, "x");
            bob.refused("not_found");
            stage.say(ALICE, "between us");
            bob.until("between us");
        }
        let text = format!("{:?}", bob.frames);
        assert!(!text.contains("after he left"), "{}: {text}", spoken.name);
        assert_eq!(stage.history_of(group, ALICE).len(), 2, "{}", spoken.name);
    }
}

#[test]
fn e12_a_removal_comes_after_what_was_said_before_it() {
    for spoken in [ROOM, PLAIN] {
        let stage = Stage::new();
        let group = stage.conversation(ALICE, "group", &[BOB]);
        let mut bob = stage.socket_at(spoken, BOB, Place { conversation: group, other: None }, "");
        let mut alice = stage.server.live(ALICE);
        // In one frame, so that they are stored and told together.
        let mut batch: Vec<_> = (0..10)
            .map(|n| json!({ "type": "message.send", "id": 100 + n, "conversation_id": group, "content": format!("{n}") }))
            .collect();
        batch.push(json!({ "type": "participant.remove", "id": 200, "conversation_id": group, "user_id": BOB }));
        alice.send(&json!(batch));
        assert_eq!(bob.end(), End::Closed(4403, "removed".to_owned()), "{}", spoken.name);
        let texts = bob.heard.iter().filter(|heard| heard.is_durable()).count();
        assert_eq!(texts, 10, "{}: {:?}", spoken.name, bob.heard);
    }
}

#[test]
fn e14_between_two_of_whom_one_has_blocked_the_other_nothing_passes() {
    for spoken in ALL {
        let stage = Stage::with(&[("PARLOUR_LIMITS_PRESENCE_GRACE", "1s")]);
        let (status, answer) =
            stage.server.call("PUT", "/api/v1/me/blocks/2", &stage.server.token(ALICE), None);
        assert!((200..300).contains(&status), "{status} {answer}");
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        bob.say_as("can you hear me", "client_id", "c");
        assert_eq!(bob.refused("blocked")["client_id"], "c");
        alice.say("neither can she");
        alice.refused("blocked");
        if spoken.rich {
            bob.typing(true);
        }
        bob.settle();
        bob.leave();
        let mut bob = stage.socket(spoken, BOB);
        let carol = stage.conversation(CAROL, "direct", &[ALICE]);
        stage.say_in(carol, CAROL, "x");
        bob.settle();
        assert_eq!(alice.settle().iter().filter(|h| matches!(h, Heard::Typing(..))).count(), 0);
        for socket in [&alice, &bob] {
            let text = format!("{:?}", socket.frames);
            assert!(!text.contains("user_status"), "{}: {text}", spoken.name);
        }
        assert_eq!(stage.history(ALICE), []);
    }
}

#[test]
fn e17_typing_is_the_typist_s_own() {
    for spoken in rich() {
        let stage = Stage::new();
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let mut frame = spoken.typing(&stage.place(ALICE), true);
        for claim in ["user_id", "sender_id"] {
            frame[claim] = json!(9);
        }
        frame["username"] = json!("somebody else");
        alice.send(&frame);
        let heard = bob.wait(|heard| matches!(heard, Heard::Typing(..)));
        assert_eq!(heard, Heard::Typing(ALICE.to_owned(), true), "{}", spoken.name);
        assert!(!format!("{:?}", bob.frames).contains("somebody else"));
    }
}

#[test]
fn g11_a_stranger_s_socket_is_silent() {
    let stage = Stage::new();
    let mut mallory = [stage.socket(DIRECT, MALLORY), stage.socket(INBOX, MALLORY)];
    let mut alice = stage.socket(INBOX, ALICE);
    let id = alice.said("secret-marker");
    alice.typing(true);
    alice.edit(id, "secret-marker again");
    alice.wait(|heard| matches!(heard, Heard::Edited(..)));
    stage.read(BOB, id);
    alice.wait(|heard| matches!(heard, Heard::Read(..)));
    let talk = stage.conversation(MALLORY, "direct", &[CAROL]);
    stage.say_in(talk, CAROL, "to mallory");
    for socket in &mut mallory {
        socket.wait(|heard| heard.says("to mallory"));
        let greetings = usize::from(socket.spoken == INBOX);
        assert_eq!(socket.frames.len(), 1 + greetings, "{:?}", socket.frames);
    }
}
