//! The same message over REST and sockets: to the letter, once, with who has read it.

use serde_json::{Value, json};

use super::{group, history, is, say_many, socket, start};
use crate::support::{Person, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_rest_and_sockets_show_the_same_message() {
    let server = start().await;
    let (alice, bob, maria) = (server.alice(), server.bob(), server.person("m-7", "Maria"));
    let id = group(&server).await;
    let mut room = socket(&bob, &format!("/ws/chat/{id}/"), "room");
    let mut inbox = socket(&bob, "/ws/chat/", "inbox");
    inbox.wait(is("connection_established"));

    let path = history(id);
    let first =
        json!({"content": "Hé \u{1f600} <b>\n", "client_id": "c0ffee", "attachments": null});
    let answered = [
        alice.post(&path, &first).await,
        maria.post(&format!("{path}/"), &json!({"content": "two", "attachments": []})).await,
    ];
    let mut marias = socket(&maria, &format!("/ws/chat/{id}/"), "room");
    marias.send(&json!({"type": "chat_message", "content": "three"}));
    let mut framed: Vec<_> = (0..3).map(|_| room.wait(is("chat_message"))).collect();
    let told: Vec<_> = (0..3).map(|_| inbox.wait(is("new_message"))).collect();

    for (answer, frame) in answered.into_iter().zip(&framed) {
        assert_eq!((answer.status, &answer.body), (201, frame));
    }
    // Who answers has read: the sockets are told it after the message, REST shows it in its place.
    let receipt = room.wait(is("read_receipt"));
    assert_eq!(receipt["message_id"], framed[0]["message_id"]);
    framed[0]["read_by"] = json!([receipt["user_id"]]);
    for slash in ["", "/"] {
        let page = bob.get(&format!("{path}{slash}")).await.ok();
        assert_eq!(page["results"], json!(framed), "to the letter");
        assert_eq!(page["count"], 3);
        assert_eq!((&page["next"], &page["previous"]), (&Value::Null, &Value::Null));
        let unread = bob.get(&format!("/api/v1/messages/unread{slash}")).await.ok();
        assert_eq!(unread["results"], json!(told), "to the letter");
        assert_eq!(unread["count"], 3);
    }
    let senders: Vec<_> = framed.iter().map(|frame| frame["sender_id"].clone()).collect();
    assert_eq!(senders, [json!(1), json!("m-7"), json!("m-7")]);
    let native = alice.get(&format!("/api/v1/conversations/{id}/messages")).await.ok();
    for (frame, object) in framed.iter().zip(native["results"].as_array().unwrap()) {
        for (ours, theirs) in
            [("message_id", "id"), ("created_at", "created_at"), ("content", "content")]
        {
            assert_eq!(frame[ours], object[theirs]);
        }
        assert_eq!(frame["sender_name"], object["sender"]["name"]);
    }
    // An edit is in both as well, under the same id and time.
    let edit = json!({"content": "2"});
    let second = &framed[1]["message_id"];
    maria.call("PATCH", &format!("/api/v1/messages/{second}"), &edit).await.ok();
    room.wait(is("message_edited"));
    let page = bob.get(&path).await.ok();
    let expected = json!({"content": "2", "is_edited": true});
    let mut edited = framed[1].clone();
    edited.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
    assert_eq!(page["results"][1], edited);
    drop((room, inbox, marias));
    server.stop().await;
}

#[tokio::test]
async fn g3_a_send_in_their_shape_is_stored_once() {
    let server = start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let id = alice.direct("2").await;
    let path = history(id);
    let first = alice.post(&path, &json!({"content": "Hello", "client_id": "c"})).await.ok();
    bob.get(&path).await.ok();
    let read = json!({"message_id": first["message_id"]});
    assert_eq!(bob.post(&format!("/api/v1/conversations/{id}/read"), &read).await.status, 204);
    for same in ["client_id", "tempId", "temp_id"] {
        let again = alice.post(&format!("{path}/"), &json!({"content": "Hello", same: "c"})).await;
        assert_eq!((again.status, &again.body["message_id"]), (200, &first["message_id"]));
        assert_eq!(again.body["read_by"], json!([2]), "as it is now");
    }
    let native = format!("/api/v1/conversations/{id}/messages");
    let again = alice.post(&native, &json!({"content": "Hello", "client_id": "c"})).await;
    assert_eq!((again.status, &again.body["id"]), (200, &first["message_id"]));
    let other = json!({"content": "Bye", "client_id": "c"});
    alice.post(&path, &other).await.refused(409, "conflict");
    for (body, status, code) in [
        (json!({"content": " "}), 422, "empty"),
        (json!({"text": "x"}), 400, "invalid_frame"),
        (json!({"content": "a\u{0}b"}), 400, "invalid_frame"),
        (json!({"content": "x".repeat(16 * 1024 + 1)}), 413, "too_long"),
        (json!({"content": "x", "attachments": [{"id": 1}]}), 400, "invalid_frame"),
    ] {
        alice.post(&path, &body).await.refused(status, code);
    }
    let message = format!("/api/v1/messages/{}", first["message_id"]);
    assert_eq!(alice.delete(&message).await.status, 204);
    let gone = alice.post(&path, &json!({"content": "Hello", "client_id": "c"})).await;
    let expected = json!({"type": "message_deleted", "message_id": first["message_id"]});
    assert_eq!((gone.status, gone.body), (200, expected));
    assert_eq!(alice.get(&path).await.ok()["results"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn g12_read_by_is_who_has_read_it_now() {
    let server = start().await;
    let (alice, bob, maria) = (server.alice(), server.bob(), server.person("m-7", "Maria"));
    let id = group(&server).await;
    let path = history(id);
    let said = say_many(&alice, id, 3).await;
    let read_by = async |person: &Person<'_>| {
        let page = person.get(&path).await.ok();
        let results = page["results"].as_array().unwrap().clone();
        results.iter().map(|message| message["read_by"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(read_by(&bob).await, [json!([]), json!([]), json!([])], "looking reads nothing");
    let mark = format!("/api/v1/conversations/{id}/read");
    bob.post(&mark, &json!({"message_id": said[1]})).await;
    maria.post(&mark, &json!({"message_id": said[0]})).await;
    let expected = [json!([2, "m-7"]), json!([2]), json!([])];
    for person in [&alice, &bob, &maria] {
        assert_eq!(read_by(person).await, expected);
    }
    // A newcomer's mark is past what was said before him; he has not read it. Who answers has read.
    alice.post(&format!("/api/conversations/{id}/participants"), &json!({"user_id": 9})).await.ok();
    maria.say(id, "yes").await;
    let everybody = [json!([2, "m-7"]), json!([2, "m-7"]), json!(["m-7"]), json!([])];
    assert_eq!(read_by(&alice).await, everybody);
    let newcomer = server.person("9", "Nina");
    assert_eq!(read_by(&newcomer).await, [json!([])], "he sees what came after him");
    assert_eq!(newcomer.get(&path).await.ok()["count"], 1);
    let list = alice.get("/api/conversations").await.ok();
    assert_eq!(list["results"][0]["last_message"]["read_by"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m7_plain_times_are_in_the_configured_zone() {
    let zone = "Asia/Kathmandu";
    let server = Setup::new().with("dialects.time_zone", zone).start().await;
    let alice = server.alice();
    let id = alice.direct("2").await;
    let mut plain = socket(&server.bob(), &format!("/ws/chat/{id}/"), "plain");
    let said = alice.say(id, "hello").await;
    let frame = plain.wait(|frame| frame["message"] == "hello");
    let at: jiff::Timestamp = said["created_at"].as_str().unwrap().parse().unwrap();
    let there = at.in_tz(zone).unwrap().strftime(" %-d, %Y, %I:%M %p").to_string();
    assert!(frame["timestamp"].as_str().unwrap().ends_with(&there), "{frame} {there}");
    drop(plain);
    server.stop().await;
}
