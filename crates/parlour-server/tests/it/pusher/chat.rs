//! The chat on channels: what is said elsewhere arrives, and what is said here goes everywhere.

use serde_json::{Value, json};

use super::{Stage, errors, inner, is};
use crate::gateway::{direct, group, say};

const ONE: &str = "private-user.1";
const TWO: &str = "private-user.2";

#[test]
fn m7_what_is_said_elsewhere_arrives_on_every_channel_of_the_chat() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = stage.user("2");
    let private = format!("private-conversation.{conversation}");
    let presence = format!("presence-conversation.{conversation}");
    bob.join(&private, None);
    let roster = bob.join(&presence, Some(&json!({ "user_id": "2" })));
    assert_eq!(roster["presence"]["ids"], json!(["2"]));
    let message = alice.ask(json!({
        "type": "message.send", "conversation_id": conversation, "content": "Hello", "client_id": "a-1"
    }));
    let id = message["ok"]["message"]["id"].clone();
    for channel in [TWO, &private, &presence] {
        let frame = bob.event("MessageSentEvent", channel);
        let told = inner(&frame);
        assert_eq!((&told["type"], &told["data"]["tempId"]), (&json!("message"), &json!("a-1")));
        let message = &told["data"]["message"];
        assert_eq!((&message["id"], &message["content"]), (&id, &json!("Hello")));
        assert_eq!(message["sender"], json!({ "id": 1, "name": "1", "email": "" }));
        assert_eq!(
            (&message["conversation_id"], &message["sender_id"]),
            (&json!(conversation), &json!(1))
        );
        for field in ["type", "attachments", "created_at", "updated_at"] {
            assert!(!message[field].is_null(), "{message}");
        }
        assert_eq!(message["is_read"], false);
    }
    alice.ask(json!({ "type": "message.edit", "message_id": id, "content": "Hi" }));
    let edited = bob.chat("MessageEditedEvent", TWO);
    assert_eq!((&edited["message"]["content"], &edited["seq"]), (&json!("Hi"), &json!(2)));
    alice.ask(json!({ "type": "message.delete", "message_id": id }));
    let deleted = bob.chat("MessageDeletedEvent", TWO);
    assert_eq!((&deleted["message_id"], &deleted["message"]["content"]), (&id, &Value::Null));
}

#[test]
fn typing_receipts_and_presence_have_their_events() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = stage.user("2");
    // Signals flow once what was stored has been caught up with.
    say(&mut alice, conversation, "live");
    bob.event("MessageSentEvent", TWO);
    alice.ask(json!({ "type": "typing", "conversation_id": conversation, "active": true }));
    let typing = bob.chat("UserIsTypingEvent", TWO);
    let person = json!({ "id": 1, "name": "1", "email": "" });
    assert_eq!(typing, json!({ "conversation_id": conversation, "user": person }));
    let id = say(&mut alice, conversation, "Hello")["id"].clone();
    bob.chat("UserStoppedTypingEvent", TWO);
    let path = format!("/api/v1/conversations/{conversation}/read");
    let token = stage.server.token("2");
    let mut own = stage.user("1");
    assert_eq!(stage.server.call("POST", &path, &token, Some(&json!({ "message_id": id }))).0, 204);
    let read = own.chat("MessagesReadEvent", ONE);
    assert_eq!((&read["conversation_id"], &read["reader_id"]), (&json!(conversation), &json!(2)));
    assert_eq!(read["message_ids"].as_array().unwrap().last(), Some(&id));
    assert_eq!(bob.chat("MessagesReadEvent", TWO), read);
    // Somebody else of his conversations comes.
    group(&mut alice, &["2", "3"]);
    let _carol = stage.server.live("3");
    let status = bob.chat("UserStatusEvent", TWO);
    assert_eq!((&status["user_id"], &status["status"]), (&json!(3), &json!("online")));
}

#[test]
fn what_is_said_on_a_channel_is_carried_out() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let (mut bob, mut tab) = (stage.user("2"), stage.user("2"));
    let private = format!("private-conversation.{conversation}");
    bob.join(&private, None);
    let named = json!({ "conversation_id": conversation, "is_typing": true });
    bob.whisper("client-typing", TWO, &named);
    let typing = alice.wait(|frame| frame["type"] == "typing");
    assert_eq!((&typing["user_id"], &typing["active"]), (&json!("2"), &json!(true)));
    let sent = json!({ "conversation_id": conversation, "content": "Hello", "tempId": "t-1" });
    bob.whisper("client-message", TWO, &sent);
    let arrived = alice.wait(|frame| frame["type"] == "message.created");
    assert_eq!(arrived["message"]["client_id"], "t-1");
    for (socket, channel) in [(&mut bob, TWO), (&mut tab, TWO)] {
        let told = socket.chat("MessageSentEvent", channel);
        assert_eq!((&told["tempId"], &told["message"]["sender_id"]), (&json!("t-1"), &json!(2)));
    }
    bob.chat("MessageSentEvent", &private);
    // Again: the first one, to the sender alone.
    bob.whisper("client-message", TWO, &sent);
    let told = bob.chat("MessageSentEvent", TWO);
    assert_eq!(told["message"]["id"], arrived["message"]["id"]);
    // The conversation's own channel needs no id.
    bob.whisper("client-message", &private, &json!("{\"content\":\"There\"}"));
    assert_eq!(bob.chat("MessageSentEvent", &private)["message"]["content"], "There");
    bob.whisper("client-typing", &private, &json!({ "is_typing": true }));
    // Nothing of it went to others as it was.
    let mut seen = tab.settle();
    seen.extend(bob.settle());
    assert!(!seen.iter().any(|f| f["event"].as_str().unwrap().starts_with("client-")), "{seen:?}");
}

#[test]
fn what_says_nothing_new_is_dropped_without_a_word() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let (mut bob, mut tab) = (stage.user("2"), stage.user("2"));
    bob.whisper("client-typing", TWO, &json!({}));
    bob.whisper("client-message", TWO, &json!({ "content": "no conversation" }));
    for name in ["id", "messageId", "message_id"] {
        let mut echo = json!({ "conversation_id": conversation, "content": "echo" });
        echo[name] = json!(101);
        bob.whisper("client-message", TWO, &echo);
    }
    assert!(bob.settle().is_empty() && tab.settle().is_empty());
    let page = stage
        .server
        .get(&format!("/api/v1/conversations/{conversation}/messages"), &stage.server.token("2"));
    assert_eq!(page.1["results"], json!([]));
}

#[test]
fn what_cannot_be_carried_out_is_told_and_the_connection_stays() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let foreign = direct(&mut alice, "3");
    let conversation = direct(&mut alice, "2");
    let mut bob = stage.user("2");
    let mut refused = |data: Value, code: &str| {
        bob.whisper("client-message", TWO, &data);
        let error = bob.client.wait(is("pusher:error", None));
        assert_eq!((&error["data"]["code"], &error["data"]["error"]), (&Value::Null, &json!(code)));
        error
    };
    let theirs = refused(json!({ "conversation_id": foreign, "content": "x" }), "not_found");
    let none = refused(json!({ "conversation_id": 4_711, "content": "x" }), "not_found");
    assert_eq!(theirs, none);
    refused(json!({ "conversation_id": conversation, "content": " " }), "empty");
    refused(json!({ "conversation_id": conversation, "content": 7 }), "invalid_frame");
    let long = json!({ "conversation_id": conversation, "content": "x", "tempId": "y".repeat(65) });
    refused(long, "too_long");
    let error =
        refused(json!({ "conversation_id": foreign, "content": "x", "tempId": "t" }), "not_found");
    assert_eq!(error["data"]["tempId"], "t");
    bob.whisper(
        "client-message",
        TWO,
        &json!({ "conversation_id": conversation, "content": "ok" }),
    );
    assert_eq!(bob.chat("MessageSentEvent", TWO)["message"]["content"], "ok");
    assert!(errors(&bob.settle()).is_empty());
}

#[test]
fn g11_a_conversation_s_channel_is_for_its_participants() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let (private, presence) = (
        format!("private-conversation.{conversation}"),
        format!("presence-conversation.{conversation}"),
    );
    // Nobody is known on this connection, whatever its application signs.
    let mut nobody = stage.socket();
    nobody.subscribe(&private, None);
    let unknown = nobody.event("pusher:subscription_error", &private)["data"].clone();
    assert_eq!((&unknown["type"], &unknown["status"]), (&json!("AuthError"), &json!(403)));
    // Somebody else is.
    let mut mallory = stage.user("3");
    for channel in [&*private, "private-conversation.4711"] {
        mallory.subscribe(channel, None);
        let refusal = mallory.event("pusher:subscription_error", channel)["data"].clone();
        assert_eq!(refusal, unknown, "{channel}");
    }
    for channel in [&*presence, "presence-conversation.4711"] {
        mallory.subscribe(channel, Some(&json!({ "user_id": "3" })));
        let refusal = mallory.event("pusher:subscription_error", channel)["data"].clone();
        assert_eq!(refusal, unknown, "{channel}");
    }
    say(&mut alice, conversation, "secret-marker");
    stage.publish(&private, "e", "secret-marker");
    stage.publish(&presence, "e", "secret-marker");
    mallory.whisper("client-typing", &private, &json!({}));
    let mut seen = mallory.settle();
    seen.extend(nobody.settle());
    assert!(!seen.iter().any(|frame| frame.to_string().contains("secret-marker")), "{seen:?}");
    assert!(alice.settle().iter().all(|frame| frame["type"] != "typing"));
    // He may ask again, in vain, and does not block himself.
    mallory.subscribe(&private, None);
    mallory.event("pusher:subscription_error", &private);
}

#[test]
fn who_was_allowed_a_channel_by_this_server_acts_there_as_himself() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let channel = format!("private-conversation.{conversation}");
    let mut bob = stage.socket();
    let (status, answer) = stage.broadcasting("2", &bob.id, &channel);
    assert_eq!(status, 200, "{answer}");
    bob.send("pusher:subscribe", &json!({ "channel": channel, "auth": answer["auth"] }));
    bob.joined(&channel);
    bob.whisper("client-message", &channel, &json!({ "content": "Hello" }));
    let arrived = alice.wait(|frame| frame["type"] == "message.created");
    assert_eq!(arrived["message"]["sender_id"], "2");
    let presence = format!("presence-conversation.{conversation}");
    let (_, answer) = stage.broadcasting("2", &bob.id, &presence);
    let mut data = answer.clone();
    data["channel"] = json!(presence);
    bob.send("pusher:subscribe", &data);
    assert_eq!(bob.joined(&presence)["presence"]["ids"], json!(["2"]));
    // What it signs for one connection serves no other.
    let mut other = stage.socket();
    other.send("pusher:subscribe", &json!({ "channel": channel, "auth": answer["auth"] }));
    assert_eq!(other.event("pusher:subscription_error", &channel)["data"]["status"], 401);
}

#[test]
fn who_is_signed_in_has_his_conversations_channels() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let channel = format!("private-conversation.{conversation}");
    let mut bob = stage.socket();
    bob.sign_in(&json!({ "id": "2" }));
    bob.join(&channel, None);
    say(&mut alice, conversation, "Hello");
    assert_eq!(bob.chat("MessageSentEvent", &channel)["message"]["content"], "Hello");
    let mut mallory = stage.socket();
    mallory.sign_in(&json!({ "id": "3" }));
    mallory.subscribe(&channel, None);
    assert_eq!(mallory.event("pusher:subscription_error", &channel)["data"]["status"], 403);
}

#[test]
fn only_the_first_application_carries_the_chat() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut other = stage.socket_of(super::OTHER);
    other.join("private-user.2", None);
    other.join(&format!("private-conversation.{conversation}"), None);
    say(&mut alice, conversation, "secret-marker");
    let seen = other.settle();
    assert!(!seen.iter().any(|frame| frame.to_string().contains("secret-marker")), "{seen:?}");
}
