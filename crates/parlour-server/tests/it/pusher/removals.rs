//! What ends somebody's part in the chat ends it on channels, too, and at once.

use serde_json::json;

use super::{End, Stage, is};
use crate::gateway::{group, say, server::now};

#[test]
fn g10_who_is_removed_loses_the_channel_and_nothing_else() {
    let stage = Stage::start();
    let mut alice = stage.server.live("1");
    let conversation = group(&mut alice, &["2", "3"]);
    let private = format!("private-conversation.{conversation}");
    let presence = format!("presence-conversation.{conversation}");
    let (mut bob, mut carol) = (stage.user("2"), stage.user("3"));
    for (socket, id) in [(&mut bob, "2"), (&mut carol, "3")] {
        socket.join(&private, None);
        socket.join(&presence, Some(&json!({ "user_id": id })));
    }
    alice.ask(json!({
        "type": "participant.remove", "conversation_id": conversation, "user_id": "3"
    }));
    for channel in [&private, &presence] {
        let ended = carol.event("pusher:subscription_error", channel);
        assert_eq!(ended["data"]["status"], 403);
    }
    bob.event("pusher_internal:member_removed", &presence);
    say(&mut alice, conversation, "secret-marker");
    stage.publish(&private, "e", "secret-marker");
    stage.publish(&presence, "e", "secret-marker");
    bob.whisper("client-e", &private, &json!("secret-marker"));
    for channel in [&private, &presence] {
        bob.event("e", channel);
    }
    carol.whisper("client-message", &private, &json!({ "content": "still here" }));
    let seen = carol.settle();
    assert!(!seen.iter().any(|frame| frame.to_string().contains("secret-marker")), "{seen:?}");
    assert_eq!(super::errors(&seen).len(), 1);
    carol.subscribe(&private, None);
    carol.event("pusher:subscription_error", &private);
    // Back in it, and on its channel, with what was said since, but nothing of what he was not there for.
    alice.ask(json!({
        "type": "participant.add", "conversation_id": conversation, "user_id": "3"
    }));
    carol.join(&private, None);
    say(&mut alice, conversation, "welcome back");
    assert_eq!(carol.chat("MessageSentEvent", &private)["message"]["content"], "welcome back");
    let seen = carol.settle();
    assert!(!seen.iter().any(|frame| frame.to_string().contains("secret-marker")), "{seen:?}");
}

#[test]
fn g10_a_sign_in_that_is_revoked_closes_what_it_opened() {
    let stage = Stage::start();
    let token = stage.server.register("dora", "a good password");
    let (_, me) = stage.server.get("/api/v1/me", &token);
    let id = me["id"].as_str().unwrap();
    let channel = format!("private-user.{id}");
    let mut dora = stage.socket();
    let body = json!({ "socket_id": dora.id, "channel_name": channel });
    let (status, answer) = stage.server.call("POST", "/broadcasting/auth", &token, Some(&body));
    assert_eq!(status, 200, "{answer}");
    let mut second = stage.socket();
    let body = json!({ "socket_id": second.id, "channel_name": channel });
    let (_, kept) = stage.server.call("POST", "/broadcasting/auth", &token, Some(&body));
    dora.send("pusher:subscribe", &json!({ "channel": channel, "auth": answer["auth"] }));
    dora.joined(&channel);
    stage.server.log_out(&token);
    assert!(matches!(dora.client.end(), End::Closed(4009, _)));
    // What was allowed before is worth nothing after.
    second.send("pusher:subscribe", &json!({ "channel": channel, "auth": kept["auth"] }));
    let refusal = second.event("pusher:subscription_error", &channel);
    assert_eq!(refusal["data"]["status"], 403);
}

#[test]
fn g23_a_sign_in_that_ends_sends_its_client_for_a_new_one() {
    let stage = Stage::start();
    let mut socket = stage.socket();
    let token = stage.server.token_until("1", now() + 2);
    let body = json!({ "socket_id": socket.id, "channel_name": "private-user.1" });
    let (_, answer) = stage.server.call("POST", "/broadcasting/auth", &token, Some(&body));
    socket
        .send("pusher:subscribe", &json!({ "channel": "private-user.1", "auth": answer["auth"] }));
    socket.joined("private-user.1");
    assert!(matches!(socket.client.end(), End::Closed(4200, _)));
    assert!(!socket.client.seen.iter().any(is("pusher:subscription_error", None)));
}
