//! Groups that are larger than those in which people are told of each other (`limits.signal_participants`).

use serde_json::{Value, json};

use super::{Client, Server, direct, group, is, say};

/// More than three people are a crowd.
const FEW: &[(&str, &str)] = &[("PARLOUR_LIMITS_SIGNAL_PARTICIPANTS", "3")];

/// Alice and Bob, who are live, and a crowd that they are in.
fn crowd_of(server: &Server) -> (Client, Client, u64) {
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let crowd = group(&mut alice, &["2", "3", "4"]);
    bob.wait(is("conversation.created"));
    (alice, bob, crowd)
}

/// Everything about others that nobody has asked for.
fn is_about_others(frame: &Value) -> bool {
    ["presence", "typing", "receipt"].iter().any(|kind| frame["type"] == *kind)
}

/// A socket of a user, and who is there as the answer to its resume says.
fn resumed(server: &Server, user: &str) -> (Client, Value) {
    let (mut client, hello) = Client::connect(server.address(), &server.token(user));
    assert_eq!(hello["limits"]["signal_participants"], 3);
    let answer = client.ask(json!({ "type": "resume", "positions": [] }));
    (client, answer["ok"]["presence"].clone())
}

fn type_in(client: &mut Client, conversation: u64) {
    let typing = json!({ "type": "typing", "conversation_id": conversation, "active": true });
    assert_eq!(client.ask(typing)["ok"], json!({}));
}

fn read(client: &mut Client, conversation: u64, seq: u64) {
    let read = json!({ "type": "read", "conversation_id": conversation, "seq": seq });
    assert_eq!(client.ask(read)["ok"]["read_seq"], seq);
}

#[test]
fn in_a_crowd_people_are_told_what_is_said_and_not_of_each_other() {
    let server = Server::with(FEW);
    let (mut alice, mut bob, crowd) = crowd_of(&server);
    let (mut carol, there) = resumed(&server, "3");
    assert_eq!(there, json!([]));
    type_in(&mut bob, crowd);
    let said = say(&mut alice, crowd, "to all");
    for one in [&mut bob, &mut carol] {
        assert_eq!(one.wait(is("message.created"))["message"]["id"], said["id"]);
    }
    read(&mut bob, crowd, 1);
    // Who said it is told who has read it, but nobody else.
    assert_eq!(alice.wait(is("receipt"))["user_id"], "2");
    for one in [&mut alice, &mut bob, &mut carol] {
        let told = one.settle();
        let of_others =
            told.iter().filter(|frame| is_about_others(frame) && frame["user_id"] != "2");
        assert_eq!(of_others.count(), 0, "{told:?}");
    }
    assert!(!carol.settle().iter().any(is_about_others));
}

#[test]
fn what_the_store_counts_makes_a_crowd_and_a_smaller_group_of_the_same_people_does_not_suffer() {
    let server = Server::with(FEW);
    let (mut alice, mut bob, crowd) = crowd_of(&server);
    let small = group(&mut alice, &["2", "3"]);
    bob.wait(|frame| frame["type"] == "conversation.created" && frame["conversation_id"] == small);
    drop((alice, bob));
    let server = Server::again(server.end(), FEW);
    let (mut alice, _) = resumed(&server, "1");
    let (mut dave, there) = resumed(&server, "4");
    assert_eq!(there, json!([]), "they share the crowd only");
    let (mut bob, there) = resumed(&server, "2");
    assert_eq!(there.as_array().map(Vec::len), Some(1), "{there}");
    assert_eq!(alice.wait(is("presence"))["user_id"], "2");
    type_in(&mut bob, crowd);
    type_in(&mut bob, small);
    assert_eq!(alice.wait(is("typing"))["conversation_id"], small);
    for one in [&mut alice, &mut dave] {
        let told = one.settle();
        assert!(!told.iter().any(is_about_others), "{told:?}");
    }
}

#[test]
fn a_receipt_of_a_crowd_is_not_told_to_who_comes_back() {
    let server = Server::with(FEW);
    let (mut alice, mut bob, crowd) = crowd_of(&server);
    say(&mut alice, crowd, "to all");
    bob.wait(is("message.created"));
    read(&mut bob, crowd, 1);
    let (mut carol, _) = Client::connect(server.address(), &server.token("3"));
    assert_eq!(alice.wait(is("receipt"))["user_id"], "2");
    let (_, known) = server.get(&format!("/api/v1/conversations/{crowd}"), &server.token("3"));
    let epoch = known["epoch"].clone();
    let from = json!({ "conversation_id": crowd, "epoch": epoch, "seq": 0, "receipts": 0 });
    carol.ask(json!({ "type": "resume", "positions": [from] }));
    let replay = carol.wait(is("replay"));
    let kinds: Vec<_> = replay["events"].as_array().unwrap().iter().map(|e| &e["type"]).collect();
    assert_eq!(kinds, ["message.created"]);
}

#[test]
fn a_group_becomes_a_crowd_as_it_grows_and_stops_being_one() {
    let server = Server::with(FEW);
    let (mut alice, mut bob) = (server.live("1"), server.live("2"));
    let id = group(&mut alice, &["2", "3"]);
    bob.wait(is("conversation.created"));
    type_in(&mut bob, id);
    assert_eq!(alice.wait(is("typing"))["active"], true);
    let member = |kind: &str| json!({ "type": kind, "conversation_id": id, "user_id": "4" });
    assert_eq!(alice.ask(member("participant.add"))["ok"]["added"], true);
    let (mut carol, there) = resumed(&server, "3");
    assert_eq!(there, json!([]));
    type_in(&mut carol, id);
    let told = alice.settle();
    assert!(
        !told.iter().any(|frame| is_about_others(frame) && frame["user_id"] == "3"),
        "{told:?}"
    );
    assert!(alice.ask(member("participant.remove"))["ok"].is_object());
    type_in(&mut carol, id);
    assert_eq!(alice.wait(|frame| frame["user_id"] == "3")["type"], "typing");
}

#[test]
fn a_direct_conversation_is_never_a_crowd() {
    let server = Server::with(&[("PARLOUR_LIMITS_SIGNAL_PARTICIPANTS", "0")]);
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = server.live("2");
    assert_eq!(alice.wait(is("presence"))["user_id"], "2");
    type_in(&mut bob, conversation);
    assert_eq!(alice.wait(is("typing"))["user_id"], "2");
}
