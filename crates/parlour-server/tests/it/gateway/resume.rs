//! Coming back: everything that was missed, once, in order; or plainly told to load anew.

use serde_json::{Value, json};

use super::{Client, Server, direct, group, is, say};

fn resume(client: &mut Client, positions: &Value) -> Value {
    client.ask(json!({ "type": "resume", "positions": positions }))["ok"].clone()
}

/// A place of whoever asks, in the present life of the log.
fn place(server: &Server, conversation: u64, seq: u64) -> Value {
    let (_, known) =
        server.get(&format!("/api/v1/conversations/{conversation}"), &server.token("1"));
    json!({ "conversation_id": conversation, "epoch": known["epoch"].as_u64().unwrap_or(1), "seq": seq, "receipts": 0 })
}

#[test]
fn g6_changes_made_while_away_come_in_their_present_state() {
    let server = Server::start();
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let kept = say(&mut alice, conversation, "kept")["id"].clone();
    let gone = say(&mut alice, conversation, "gone")["id"].clone();
    let known = say(&mut alice, conversation, "known")["id"].clone();
    alice.ask(json!({ "type": "message.edit", "message_id": kept, "content": "kept, edited" }));
    alice.ask(json!({ "type": "message.delete", "message_id": gone }));
    alice.ask(json!({ "type": "message.edit", "message_id": known, "content": "known, edited" }));

    // Somebody who has nothing gets each message once, as it is now.
    let (mut bob, _) = Client::connect(server.address(), &server.token("2"));
    let resumed = resume(&mut bob, &json!([place(&server, conversation, 0)]));
    let replay = bob.wait(is("replay"));
    assert_eq!((&replay["after"], &replay["up_to"]), (&json!(0), &json!(6)));
    let events = replay["events"].as_array().unwrap();
    let told: Vec<_> =
        events.iter().map(|e| (e["type"].as_str().unwrap(), e["seq"].as_u64().unwrap())).collect();
    assert_eq!(told, [("message.created", 4), ("message.deleted", 5), ("message.created", 6)]);
    assert!(!replay.to_string().contains("\"gone\""));
    assert_eq!(resumed["conversations"][0]["seq"], 6);

    // Somebody who had the first three gets what changed about them.
    let (mut bob, _) = Client::connect(server.address(), &server.token("2"));
    resume(&mut bob, &json!([place(&server, conversation, 3)]));
    let replay = bob.wait(is("replay"));
    let told: Vec<_> =
        replay["events"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect();
    assert_eq!(told, ["message.edited", "message.deleted", "message.edited"]);
}

#[test]
fn g7_what_cannot_be_replayed_is_said() {
    let server = Server::with(&[("PARLOUR_LIMITS_RESUME_PER_CONVERSATION", "5")]);
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    for n in 0..8 {
        say(&mut alice, conversation, &n.to_string());
    }
    let check = |position: Value, reason: &str| {
        let (mut bob, _) = Client::connect(server.address(), &server.token("2"));
        let resumed = resume(&mut bob, &json!([position]));
        assert_eq!(
            resumed["resync"],
            json!([{ "conversation_id": conversation, "reason": reason }])
        );
        assert!(!bob.settle().iter().any(is("replay")));
    };
    check(place(&server, conversation, 2), "too_long");
    check(place(&server, conversation, 9), "future");
    let mut restored = place(&server, conversation, 8);
    restored["epoch"] = json!(7);
    check(restored, "epoch");

    let (mut bob, _) = Client::connect(server.address(), &server.token("2"));
    let resumed =
        resume(&mut bob, &json!([place(&server, conversation, 3), place(&server, 4_711, 1)]));
    assert_eq!((&resumed["gone"], &resumed["resync"]), (&json!([4_711]), &json!([])));
    assert_eq!(bob.wait(is("replay"))["up_to"], 8);
}

#[test]
fn g10_a_removed_participant_resumes_nothing() {
    let server = Server::start();
    let mut alice = server.live("1");
    let conversation = group(&mut alice, &["2", "3"]);
    say(&mut alice, conversation, "seen");
    alice.ask(
        json!({ "type": "participant.remove", "conversation_id": conversation, "user_id": "3" }),
    );
    say(&mut alice, conversation, "secret-marker-2");
    let (mut carol, _) = Client::connect(server.address(), &server.token("3"));
    let resumed = resume(&mut carol, &json!([place(&server, conversation, 1)]));
    assert_eq!(resumed["gone"], json!([conversation]));
    assert_eq!(resumed["conversations"], json!([]));
    assert!(carol.settle().iter().all(|frame| !frame.to_string().contains("secret-marker")));
}

/// Clients come and go while others write; whoever is here at the end has everything once and in order.
#[test]
fn g5_nothing_is_lost_or_doubled_however_often_somebody_drops() {
    let server = Server::start();
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let address = server.address();
    let token = server.token("1");
    let writer = std::thread::spawn(move || {
        let mut alice = Client::live(address, &token);
        for n in 1..=600 {
            say(&mut alice, conversation, &n.to_string());
        }
    });
    let (mut position, mut texts) = (0, Vec::new());
    while position < 600 {
        let (mut bob, _) = Client::connect(server.address(), &server.token("2"));
        bob.send(&json!({ "type": "resume", "id": 1, "positions": [place(&server, conversation, position)] }));
        // A few frames, then the connection is dropped without a word.
        for _ in 0..25 {
            let frame = bob.read().unwrap();
            let events = match frame["type"].as_str().unwrap() {
                "replay" => frame["events"].as_array().unwrap().clone(),
                "message.created" => vec![frame],
                _ => continue,
            };
            for event in events {
                assert_eq!(event["seq"], position + 1, "a gap or a repeat");
                position += 1;
                texts.push(event["message"]["content"].as_str().unwrap().to_owned());
            }
            if position == 600 {
                break;
            }
        }
    }
    writer.join().unwrap();
    assert_eq!(texts, (1..=600).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn receipts_that_moved_while_away_come_with_the_replay() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let conversation = direct(&mut alice, "2");
    say(&mut alice, conversation, "read me");
    bob.ask(json!({ "type": "read", "conversation_id": conversation, "seq": 1 }));
    let (mut back, _) = Client::connect(server.address(), &server.token("1"));
    resume(&mut back, &json!([place(&server, conversation, 1)]));
    let replay = back.wait(is("replay"));
    let receipts: Vec<_> =
        replay["events"].as_array().unwrap().iter().filter(|e| e["type"] == "receipt").collect();
    assert!(receipts.iter().any(|r| r["user_id"] == "2" && r["read_seq"] == 1), "{replay}");
    assert_eq!(replay["up_to"], 1);
}
