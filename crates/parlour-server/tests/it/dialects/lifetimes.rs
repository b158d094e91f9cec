//! Edits and deletions, rates, and how sockets end: each for its own reason, with its own code.

use std::time::{Duration, Instant};

use super::{ALICE, ALL, BOB, Heard, INBOX, Place, Socket, Stage, rich, said};
use crate::gateway::{
    client::{Client, End},
    server::now,
};

#[test]
fn edits_and_deletions_reach_everybody_the_editing_socket_too() {
    let stage = Stage::new();
    for spoken in rich() {
        let mut here = stage.socket(spoken, ALICE);
        let mut others = [stage.socket(spoken, ALICE), stage.socket(spoken, BOB)];
        let id = here.said("frist");
        here.edit(id, "first");
        let edited = Heard::Edited(id, "first".to_owned());
        here.wait(|heard| *heard == edited);
        here.delete(id);
        here.wait(|heard| *heard == Heard::Deleted(id));
        for other in &mut others {
            stage.say(BOB, "marker");
            let all = [said(id, ALICE, "frist"), edited.clone(), Heard::Deleted(id)];
            assert_eq!(other.durable_until("marker")[..3], all, "{}", spoken.name);
        }
        // What is gone cannot be changed, and that it is gone is no error.
        here.edit(id, "back");
        here.wait(|heard| matches!(heard, Heard::Error(_) | Heard::Deleted(_)));
        here.delete(id);
        here.settle();
        assert!(!stage.history(BOB).iter().any(|(_, text)| text == "back"));
        let after = others[1].settle();
        assert!(!after.contains(&Heard::Deleted(id)), "{}: told once", spoken.name);
        for frame in &others[1].frames {
            assert!(!frame.to_string().contains("back"), "{frame}");
        }
        for socket in others.into_iter().chain([here]) {
            socket.leave();
        }
    }
}

#[test]
fn an_edit_keeps_the_time_and_the_place_of_its_message() {
    let stage = Stage::new();
    for spoken in rich() {
        let mut alice = stage.socket(spoken, ALICE);
        let id = alice.said("one");
        alice.said("two");
        alice.edit(id, "one, edited");
        alice.wait(|heard| matches!(heard, Heard::Edited(..)));
        let frame = alice.frames.last().unwrap().clone();
        match spoken.name {
            "direct" => assert!(frame["message"]["created_at"].is_string(), "{frame}"),
            _ => {
                assert!(frame["edited_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{frame}");
            }
        }
        if spoken.name == "room" {
            assert_eq!(frame["is_edited"], true);
        }
        alice.leave();
    }
}

#[test]
fn i1_past_the_rate_sends_are_refused_with_a_time_and_the_socket_stays() {
    for spoken in ALL {
        let stage = Stage::with(&[
            ("PARLOUR_RATE_LIMITS", "on"),
            ("PARLOUR_LIMITS_SENDS_BURST", "3"),
            ("PARLOUR_LIMITS_SENDS_PER_SECOND", "1"),
        ]);
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        for n in 0..12 {
            alice.say_as(&format!("{n}"), "client_id", &format!("c{n}"));
        }
        let refused = alice.refused("rate_limited");
        assert!(refused["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{refused}");
        assert!(refused["client_id"].as_str().is_some_and(|id| id.starts_with('c')), "{refused}");
        assert_eq!(refused["limit"], "sends", "{refused}");
        alice.settle();
        let stored = stage.history(ALICE).len();
        assert!((3..=5).contains(&stored), "{}: {stored}", spoken.name);
        bob.said("others are not concerned");
        // In time it goes again, with the same name.
        let until = Instant::now() + Duration::from_secs(10);
        while !stage.history(BOB).iter().any(|(_, text)| text == "11") {
            assert!(Instant::now() < until, "{}: refused for ever", spoken.name);
            std::thread::park_timeout(Duration::from_millis(300));
            alice.say_as("11", "client_id", "c11");
            alice.settle();
        }
    }
}

#[test]
fn i3_who_ignores_a_hundred_refusals_is_sent_away() {
    for spoken in ALL {
        let stage = Stage::with(&[("PARLOUR_RATE_LIMITS", "on")]);
        let mut alice = stage.socket(spoken, ALICE);
        let mut tab = stage.socket(spoken, ALICE);
        for n in 0..260 {
            let frame = spoken.say(&alice.at, ALICE, &n.to_string()).to_string();
            let sent = alice.client.socket.send(tungstenite::Message::text(frame));
            if sent.is_err() {
                break;
            }
        }
        let End::Closed(code, reason) = alice.end() else { panic!("cut without a word") };
        assert_eq!(code, 4429, "{}", spoken.name);
        assert!(reason.starts_with("retry_after_ms="), "{reason}");
        tab.settle();
    }
}

#[test]
fn g23_a_sign_in_ends_when_it_says() {
    let stage = Stage::new();
    let ends = now() + 3;
    let token = stage.server.token_until(ALICE, ends);
    let mut sockets: Vec<_> = ALL
        .into_iter()
        .map(|spoken| {
            let path = format!("{}?dialect={}&token={token}", spoken.path(stage.talk), spoken.name);
            let client = Client::open(stage.server.address(), &path, &[]).unwrap().0;
            Socket::new(client, spoken, ALICE, stage.place(ALICE))
        })
        .collect();
    for socket in &mut sockets {
        assert_eq!(socket.end(), End::Closed(4401, "expired".to_owned()), "{}", socket.spoken.name);
        assert!(now() >= ends && now() <= ends + 3, "{}", socket.spoken.name);
        let unknown = socket.frames.iter().find(|frame| frame["type"] == "expiring");
        assert_eq!(unknown, None, "{}: these clients have no word for it", socket.spoken.name);
    }
}

#[test]
fn a_device_has_one_socket_in_each_dialect_and_conversation() {
    let stage = Stage::new();
    let group = stage.conversation(ALICE, "group", &[BOB]);
    let open = |spoken, more: &str| stage.socket_at(spoken, ALICE, stage.place(ALICE), more);
    let mut all: Vec<_> = ALL.into_iter().map(|spoken| open(spoken, "&device=phone")).collect();
    let there = Place { conversation: group, other: None };
    all.push(stage.socket_at(super::ROOM, ALICE, there, "&device=phone"));
    all.push(open(INBOX, "&device=tablet"));
    all.push(open(INBOX, ""));
    all.push(open(INBOX, ""));
    for socket in &mut all {
        socket.settle();
    }
    let mut newer = open(INBOX, "&device=phone");
    assert_eq!(all[1].end(), End::Closed(4409, "replaced".to_owned()));
    all.remove(1);
    newer.settle();
    for socket in &mut all {
        socket.settle();
    }
    let long = format!("/ws/chat/?device={}&token={}", "x".repeat(65), stage.server.token(ALICE));
    assert_eq!(stage.knock(&long, &[]), super::Knock::Refused(413));
}

#[test]
fn a_goodbye_is_answered_and_the_connection_closed_at_once() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let mut alice = stage.socket(spoken, ALICE);
            let began = Instant::now();
            alice.client.socket.close(None).unwrap();
            assert!(matches!(alice.end(), End::Closed(1000 | 1005, _)));
            assert_eq!(alice.end(), End::Cut, "the end of the stream follows the answer");
            quickest = quickest.min(began.elapsed());
        }
        assert!(quickest < Duration::from_millis(50), "{}: {quickest:?}", spoken.name);
    }
}

#[test]
fn g9_a_client_that_never_reads_is_given_up_and_slows_nobody() {
    let stage = Stage::with(&[
        ("PARLOUR_LIMITS_QUEUE_FRAMES", "50"),
        ("PARLOUR_LIMITS_QUEUE_BYTES", "262144"),
    ]);
    for spoken in ALL {
        let line = "parlour_closes_total{code=\"4508\"}";
        let before = metric(&stage, line);
        let slow = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let text = "x".repeat(16_000);
        let mut count = 0;
        while metric(&stage, line) == before {
            for _ in 0..50 {
                bob.said(&text);
                count += 1;
            }
            assert!(count < 2_000, "{}: everything fits", spoken.name);
        }
        drop(slow);
        // What it missed waits for it, with a word of warning where it is much.
        let mut back = stage.socket(spoken, ALICE);
        let last = bob.said("the last one");
        back.wait(|heard| *heard == said(last, BOB, "the last one"));
        back.leave();
        bob.leave();
    }
}

/// The figure of a line of the metrics page; 0 where it is not there yet.
fn metric(stage: &Stage, name: &str) -> u64 {
    let page = stage.server.exchange("GET", "/metrics", "", None).body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or(0)
}

#[test]
fn g18_the_end_of_the_server_comes_with_a_time_to_return_in() {
    let stage = Stage::new();
    let mut sockets: Vec<_> = ALL.into_iter().map(|spoken| stage.socket(spoken, ALICE)).collect();
    stage.server.stop();
    for socket in &mut sockets {
        let End::Closed(1012, reason) = socket.end() else {
            panic!("{}: not told to come back", socket.spoken.name)
        };
        assert!(reason.starts_with("retry_after_ms="), "{reason}");
        assert!(!socket.frames.iter().any(|frame| frame["type"] == "restarting"));
    }
}
