//! What happens at one process reaches everybody at the others, once and in order.

use std::thread;

use serde_json::json;

use super::{Several, is, says};
use crate::gateway::{client::Client, direct, group, say};

#[test]
fn g4_two_processes_write_one_log_without_holes() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let (mut alice, mut bob) = (one.live("1"), other.live("2"));
    let conversation = direct(&mut alice, "2");
    bob.wait(is("conversation.created"));
    let (mut watcher_one, mut watcher_other) = (one.live("2"), other.live("1"));
    let speak = |mut client: Client, name: &'static str| {
        thread::spawn(move || {
            for n in 0..40 {
                say(&mut client, conversation, &format!("{name} {n}"));
            }
            client
        })
    };
    let speakers = [speak(alice, "alice"), speak(bob, "bob")];
    let mut logs = Vec::new();
    for watcher in [&mut watcher_one, &mut watcher_other] {
        let mut log = Vec::new();
        for _ in 0..80 {
            let frame = watcher.wait(is("message.created"));
            log.push((frame["seq"].as_u64().unwrap(), frame["message"]["content"].clone()));
        }
        assert_eq!(
            log.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            (1..=80).collect::<Vec<_>>()
        );
        logs.push(log);
    }
    assert_eq!(logs[0], logs[1]);
    for speaker in speakers {
        let mut client = speaker.join().unwrap();
        let others = client.settle().iter().filter(|frame| is("message.created")(frame)).count();
        assert_eq!(others, 40, "each of the other's once");
    }
}

#[test]
fn g3_one_client_id_at_two_processes_is_one_message() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let (mut alice, mut again) = (one.live("1"), other.live("1"));
    let conversation = direct(&mut alice, "2");
    let mut bob = other.live("2");
    for n in 0..20 {
        let send = json!({ "type": "message.send", "conversation_id": conversation, "content": format!("{n}"), "client_id": format!("c{n}") });
        let same = send.clone();
        let asked = thread::spawn(move || (again.ask(same), again));
        let first = alice.ask(send);
        let (second, back) = asked.join().unwrap();
        again = back;
        assert_eq!(first["ok"]["message"]["id"], second["ok"]["message"]["id"], "{first} {second}");
        assert_eq!(first["ok"]["message"]["seq"], n + 1);
        let duplicates = [&first, &second].map(|reply| reply["ok"]["duplicate"] == true);
        assert!(duplicates[0] != duplicates[1], "{first} {second}");
    }
    say(&mut alice, conversation, "last");
    bob.wait(says("last"));
    assert_eq!(bob.seen.iter().filter(|frame| is("message.created")(frame)).count(), 20);
}

#[test]
fn g5_members_come_and_go_over_processes() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let (mut alice, mut bob, mut carol) = (one.live("1"), other.live("2"), other.live("3"));
    // Who is in it from the beginning hears that it was made, and everything after.
    let conversation = group(&mut alice, &["2"]);
    say(&mut alice, conversation, "first");
    assert_eq!(bob.wait(is("conversation.created"))["conversation"]["id"], conversation);
    bob.wait(says("first"));

    let add = json!({ "type": "participant.add", "conversation_id": conversation, "user_id": "3" });
    assert!(alice.ask(add.clone())["ok"].is_object());
    say(&mut alice, conversation, "second");
    for client in [&mut bob, &mut carol] {
        let joined = client.wait(is("participant.joined"));
        assert!(joined.to_string().contains("\"3\""), "{joined}");
        client.wait(says("second"));
    }
    let remove =
        json!({ "type": "participant.remove", "conversation_id": conversation, "user_id": "3" });
    assert!(alice.ask(remove)["ok"].is_object());
    say(&mut alice, conversation, "behind her back");
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.wait(is("participant.left"))["user_id"], "3");
    }
    bob.wait(says("behind her back"));
    assert!(alice.ask(add)["ok"].is_object());
    say(&mut alice, conversation, "third");
    carol.wait(says("third"));
    let told: Vec<_> = carol.seen.iter().filter(|frame| frame["seq"].is_u64()).collect();
    assert!(!told.iter().any(|frame| says("behind her back")(frame)), "{told:?}");
}

#[test]
fn g5_resume_at_another_process() {
    let Some(several) = Several::start(&[]) else { return };
    let (one, other) = (several.server(&[]), several.server(&[]));
    let mut alice = one.live("1");
    let conversation = direct(&mut alice, "2");
    let (mut bob, _) = Client::connect(one.address(), &one.token("2"));
    let resumed = bob.ask(json!({ "type": "resume", "positions": [] }));
    let place = resumed["ok"]["conversations"][0].clone();
    drop(bob);
    for n in 0..5 {
        say(&mut alice, conversation, &n.to_string());
    }
    let (mut bob, _) = Client::connect(other.address(), &other.token("2"));
    bob.ask(json!({ "type": "resume", "positions": [place] }));
    let replay = bob.wait(is("replay"));
    assert_eq!(replay["events"].as_array().unwrap().len(), 5, "{replay}");
    say(&mut alice, conversation, "live");
    bob.wait(says("live"));
}

/// Its process has not heard yet of what another one has written, so neither has the first socket.
#[test]
fn g5_a_second_socket_gets_what_the_first_has_not_heard_of() {
    let Some(several) = Several::start(&[]) else { return };
    // They do not hear each other: only the poll tells.
    let one = several.server(&[("PARLOUR_BUS_PREFIX", "one")]);
    let other = several.server(&[("PARLOUR_BUS_PREFIX", "other")]);
    let mut alice = one.live("1");
    let conversation = direct(&mut alice, "2");
    let path = format!("/ws/chat/{conversation}/?dialect=room&token={}", other.token("2"));
    let open = || Client::open(other.address(), &path, &[]).unwrap().0;
    let mut phones = vec![open()];
    for n in 0..4 {
        let text = format!("number {n}");
        say(&mut alice, conversation, &text);
        // The last one stands still behind a wall, and its client comes again.
        let mut phone = open();
        phone.wait(|frame| frame.to_string().contains(&text));
        phones.push(phone);
    }
}
