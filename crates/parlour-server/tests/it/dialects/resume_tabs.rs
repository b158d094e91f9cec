//! Several sockets of one client: each has its own place, and none is lost while an old one is not known to be dead.

use std::time::Duration;

use serde_json::json;
use tungstenite::Message;

use super::{ALICE, ALL, BOB, CAROL, Heard, Place, ROOM, Spoken, Stage, rich, said};
use crate::gateway::client::End;

#[test]
fn g5_two_tabs_that_come_back_get_each_its_own_part() {
    let stage = Stage::new();
    for spoken in ALL {
        let [mut one, mut two] = [stage.socket(spoken, ALICE), stage.socket(spoken, ALICE)];
        let texts = ["both", "the second tab", "nobody"];
        stage.say(BOB, texts[0]);
        one.until(texts[0]);
        two.until(texts[0]);
        one.prove();
        one.cut();
        let second = said(stage.say(BOB, texts[1]), BOB, texts[1]);
        two.until(texts[1]);
        two.prove();
        two.cut();
        let third = said(stage.say(BOB, texts[2]), BOB, texts[2]);

        let mut one = stage.socket(spoken, ALICE);
        let mut two = stage.socket(spoken, ALICE);
        let live = said(stage.say(BOB, "live"), BOB, "live");
        let heard = one.durable_until("live");
        assert_eq!(heard, [second, third.clone(), live.clone()], "{}", spoken.name);
        assert_eq!(two.durable_until("live"), [third, live], "{}", spoken.name);
        one.leave();
        two.leave();
    }
}

#[test]
fn g20_an_old_socket_that_only_seems_alive_loses_nothing() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut old = stage.socket(spoken, ALICE);
        stage.say(BOB, "before");
        old.until("before");
        old.prove();
        // From here on nobody reads it, and nobody answers its pings.
        let into_the_void = said(stage.say(BOB, "into the void"), BOB, "into the void");
        let mut new = stage.socket(spoken, ALICE);
        let live = said(stage.say(BOB, "live"), BOB, "live");
        assert_eq!(new.durable_until("live"), [into_the_void, live], "{}", spoken.name);
        old.cut();
        stage.say(BOB, "later");
        assert_eq!(new.durable_until("later").len(), 1, "{}", spoken.name);
        new.leave();
    }
}

/// The store is slow just when a socket begins, and its client, which has heard nothing, comes again: whether the first
/// one's end is noticed or not, the second gets what was missed.
#[test]
fn g5_who_comes_again_while_its_first_socket_begins_misses_nothing() {
    for (spoken, goes) in ALL.into_iter().flat_map(|spoken| [(spoken, true), (spoken, false)]) {
        let stage = Stage::new();
        stage.away_with_proof(spoken, ALICE);
        let missed = said(stage.say(BOB, "missed"), BOB, "missed");
        let connected = |n| format!("parlour_connections{{transport=\"{}\"}} {n}", spoken.name);
        stage.server.wait_for_metric(&connected(0), || {});
        let busy = stage.server.with_a_busy_store();
        let mut first = Some(stage.knocking(spoken, ALICE));
        stage.server.wait_for_metric(&connected(1), || {});
        // How far they get is what this is about, so there is nothing to wait for; were it less, it would be easier.
        let for_a_moment = || std::thread::sleep(Duration::from_millis(200));
        for_a_moment();
        if goes {
            first = None;
        }
        let mut second = std::thread::scope(|scope| {
            let second = scope.spawn(|| stage.arriving(spoken, ALICE, stage.place(ALICE), ""));
            for_a_moment();
            drop(busy);
            second.join().unwrap()
        });
        let live = said(stage.say(BOB, "live"), BOB, "live");
        assert_eq!(second.durable_until("live"), [missed, live], "{}, {goes}", spoken.name);
        drop(first);
    }
}

#[test]
fn a_newer_socket_of_a_device_takes_over_its_place() {
    let stage = Stage::new();
    for spoken in ALL {
        let open = || stage.socket_at(spoken, ALICE, stage.place(ALICE), "&device=phone");
        let mut old = open();
        let one = said(stage.say(BOB, "one"), BOB, "one");
        let mut new = open();
        assert!(matches!(old.end(), End::Closed(4409, _)), "{}", spoken.name);
        let two = said(stage.say(BOB, "two"), BOB, "two");
        assert_eq!(new.durable_until("two"), [one, two], "{}", spoken.name);
        new.prove();
        new.cut();
        // The place of the one that was replaced does not wait beside that of its successor.
        let three = said(stage.say(BOB, "three"), BOB, "three");
        let mut newest = open();
        let four = said(stage.say(BOB, "four"), BOB, "four");
        assert_eq!(newest.durable_until("four"), [three, four], "{}", spoken.name);
        // Another device, and a socket without a name, are others.
        let mut other = stage.socket_at(spoken, ALICE, stage.place(ALICE), "&device=tablet");
        let mut none = stage.socket(spoken, ALICE);
        stage.say(BOB, "five");
        for socket in [&mut newest, &mut other, &mut none] {
            assert_eq!(socket.durable_until("five").len(), 1, "{}", spoken.name);
        }
        for socket in [newest, other, none] {
            socket.leave();
        }
    }
}

/// Opens the next socket in the instant in which it closes the last one, as hooks of existing pages do.
fn churn(stage: &Stage, spoken: Spoken) {
    let mut page = stage.socket(spoken, ALICE);
    let mut before = stage.say(BOB, "first");
    page.until("first");
    for n in 0..20 {
        page.prove();
        page.client.socket.send(Message::Close(None)).unwrap();
        let mut next = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        let text = format!("blip {n}");
        let id = stage.say(BOB, &text);
        let heard = next.durable_until(&text);
        assert_eq!(heard, [said(id, BOB, &text)], "{} after {before}", spoken.name);
        assert!(matches!(page.end(), End::Closed(1000 | 1005, _)));
        before = id;
        page = next;
    }
    page.prove();
    let last = said(stage.say(BOB, "last"), BOB, "last");
    assert_eq!(page.durable_until("last"), [last], "{}", spoken.name);
    page.prove();
    page.leave();
    let mut next = stage.socket(spoken, ALICE);
    assert!(!next.settle().iter().any(Heard::is_durable), "{}: {:?}", spoken.name, next.frames);
    let line = "parlour_connections{transport=\"TRANSPORT\"} 1".replace("TRANSPORT", spoken.name);
    stage.server.wait_for_metric(&line, || {
        next.settle();
    });
    next.leave();
}

#[test]
fn g5_sockets_opened_in_the_instant_in_which_others_are_closed_settle() {
    let stage = Stage::new();
    for spoken in ALL {
        churn(&stage, spoken);
    }
}

#[test]
fn delivered_marks_move_with_the_pong_and_not_before() {
    let stage = Stage::new();
    let group = stage.conversation(BOB, "group", &[ALICE, CAROL]);
    let mut bob = stage.server.live(BOB);
    for spoken in rich().filter(|spoken| spoken.name != "direct") {
        let at = Place { conversation: group, other: None };
        let mut mute = stage.socket_at(spoken, ALICE, at.clone(), "");
        let mut reader = stage.socket_at(spoken, CAROL, at, "");
        let send =
            json!({ "type": "message.send", "conversation_id": group, "content": spoken.name });
        let seq = bob.ask(send)["ok"]["message"]["seq"].as_u64().unwrap();
        let of = |user: &'static str| {
            move |frame: &serde_json::Value| {
                frame["type"] == "receipt"
                    && frame["user_id"] == user
                    && frame["delivered_seq"] == seq
            }
        };
        // The same sweep looks at both; one of them has not answered.
        reader.until(spoken.name);
        reader.prove();
        bob.wait(of(CAROL));
        assert!(!bob.settle().iter().any(of(ALICE)), "{}", spoken.name);
        mute.until(spoken.name);
        mute.prove();
        bob.wait(of(ALICE));
        for socket in [mute, reader] {
            socket.leave();
        }
    }
}

#[test]
fn g5_the_place_of_a_room_is_that_room_s() {
    let stage = Stage::new();
    let group = stage.conversation(BOB, "group", &[ALICE]);
    let there = Place { conversation: group, other: None };
    let mut here = stage.socket(ROOM, ALICE);
    stage.say(BOB, "here");
    here.until("here");
    here.prove();
    here.cut();
    stage.say(BOB, "missed here");
    let mut elsewhere = stage.socket_at(ROOM, ALICE, there, "");
    stage.say_in(group, BOB, "there");
    assert_eq!(elsewhere.durable_until("there").len(), 1);
    let mut here = stage.socket(ROOM, ALICE);
    stage.say(BOB, "live");
    assert_eq!(here.durable_until("live").len(), 2);
}
