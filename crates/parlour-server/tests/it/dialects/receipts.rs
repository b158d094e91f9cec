//! Receipts mean "read up to here": each message is covered once, and what changes nothing costs nothing
//! (guarantee G12, table I4).

use std::collections::BTreeSet;

use serde_json::json;

use super::{ALICE, BOB, CAROL, DIRECT, Heard, INBOX, Place, ROOM, Socket, Spoken, Stage, rich};

/// Takes receipts until all these messages are named; every one that was named, in order.
#[track_caller]
fn covered(socket: &mut Socket, by: &str, all: &[u64]) -> Vec<u64> {
    let mut named = Vec::new();
    while !all.iter().all(|id| named.contains(id)) {
        // Who writes has read, too: receipts of others are not what is waited for.
        match socket.wait(|heard| matches!(heard, Heard::Read(_, reader) if reader == by)) {
            Heard::Read(ids, _) => named.extend(ids),
            other => panic!("{other:?}"),
        }
    }
    named
}

fn is_read_by(heard: &Heard, by: &str) -> bool {
    matches!(heard, Heard::Read(_, reader) if reader == by)
}

#[test]
fn g12_a_receipt_covers_everything_before_it_once() {
    for spoken in rich() {
        let stage = Stage::new();
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let mut laptop = stage.socket(spoken, BOB);
        let ids: Vec<_> = (0..4).map(|n| alice.said(&format!("{n}"))).collect();
        bob.until("3");
        bob.read_up_to(&[ids[2]]);
        assert_eq!(covered(&mut alice, BOB, &ids[..3]), ids[..3], "{}", spoken.name);
        assert_eq!(covered(&mut laptop, BOB, &ids[..3]), ids[..3], "{}", spoken.name);
        // The whole page again and again, as clients send it at every frame.
        for _ in 0..3 {
            bob.read_up_to(&ids);
        }
        assert_eq!(covered(&mut alice, BOB, &ids[3..]), ids[3..], "{}", spoken.name);
        bob.settle();
        alice.said("marker");
        assert!(!alice.settle().iter().any(|heard| matches!(heard, Heard::Read(..))));
        // Whom the table names: all of a room, the authors and the reader's others elsewhere.
        let own = bob.frames.iter().any(|f| matches!(spoken.hear(f), Heard::Read(..)));
        assert_eq!(own, spoken == ROOM, "{}", spoken.name);
    }
}

#[test]
fn g12_a_page_learns_of_its_receipt_over_rest() {
    let stage = Stage::new();
    for spoken in rich() {
        let mut alice = stage.socket(spoken, ALICE);
        let id = alice.said("read me");
        stage.read(BOB, id);
        assert_eq!(covered(&mut alice, BOB, &[id]), [id], "{}", spoken.name);
        alice.leave();
    }
}

/// What somebody has not read.
fn unread(stage: &Stage, user: &str) -> u64 {
    let (_, page) = stage.server.get("/api/v1/conversations", &stage.server.token(user));
    let mut conversations = page["results"].as_array().unwrap().iter();
    let own = conversations.find(|conversation| conversation["id"] == stage.talk).unwrap();
    own["unread_count"].as_u64().unwrap()
}

#[test]
fn g12_receipts_of_every_dialect_move_the_same_mark() {
    let stage = Stage::new();
    for spoken in rich() {
        let ids: Vec<_> = (0..3).map(|n| stage.say(ALICE, &format!("{n}"))).collect();
        assert_eq!(unread(&stage, BOB), 3, "{}", spoken.name);
        let mut alice = stage.socket(INBOX, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        bob.read_up_to(&ids[1..2]);
        covered(&mut alice, BOB, &ids[..2]);
        assert_eq!(unread(&stage, BOB), 1, "{}", spoken.name);
        bob.read_up_to(&ids);
        covered(&mut alice, BOB, &ids[2..]);
        assert_eq!(unread(&stage, BOB), 0, "{}", spoken.name);
        bob.leave();
        alice.leave();
    }
}

#[test]
fn i4_hundreds_of_receipts_that_change_nothing_cost_nothing() {
    // With the rates as they are by default.
    let stage = Stage::with(&[("PARLOUR_RATE_LIMITS", "on")]);
    for spoken in rich() {
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let own = bob.said("his own");
        let id = alice.said(&format!("in {}", spoken.name));
        bob.read_up_to(&[id]);
        covered(&mut alice, BOB, &[id]);
        bob.settle();
        for _ in 0..400 {
            bob.read_up_to(&[id, own]);
        }
        let heard = bob.settle();
        assert!(
            !heard.iter().any(|heard| matches!(heard, Heard::Error(_)) || is_read_by(heard, BOB)),
            "{}: {heard:?}",
            spoken.name
        );
        // Neither is the next send refused.
        bob.said("after them");
        alice.wait(|heard| heard.says("after them"));
        let heard = alice.settle();
        assert!(!heard.iter().any(|heard| is_read_by(heard, BOB)), "{heard:?}");
        alice.leave();
        bob.leave();
    }
}

#[test]
fn g12_a_list_over_many_conversations_is_read_in_each() {
    for spoken in [DIRECT, INBOX] {
        let stage = Stage::new();
        let carols = stage.conversation(CAROL, "direct", &[BOB]);
        let one = stage.say(ALICE, "from alice");
        let two = stage.say_in(carols, CAROL, "from carol");
        let mut alice = stage.socket(spoken, ALICE);
        let mut carol = stage.socket(spoken, CAROL);
        let mut bob = stage.socket(spoken, BOB);
        // Unknown ids, one's own and repetitions among them are no error.
        let own = bob.said("his own");
        bob.read_up_to(&[one, 999_999, two, own, one]);
        assert_eq!(covered(&mut alice, BOB, &[one]), [one], "{}", spoken.name);
        assert_eq!(covered(&mut carol, BOB, &[two]), [two], "{}", spoken.name);
        assert!(!bob.settle().iter().any(|heard| matches!(heard, Heard::Error(_))));
        // More ids than any page has.
        let many: Vec<u64> = (1..=2_000).collect();
        bob.read_up_to(&many);
        assert!(!bob.settle().iter().any(|heard| matches!(heard, Heard::Error(_))));
    }
}

#[test]
fn a_receipt_in_a_room_names_the_newest_two_hundred() {
    let stage = Stage::new();
    let mut alice = stage.server.live(ALICE);
    let ids: Vec<_> = (0..230)
        .map(|n| {
            let send = json!({ "type": "message.send", "conversation_id": stage.talk, "content": format!("{n}") });
            alice.ask(send)["ok"]["message"]["id"].as_u64().unwrap()
        })
        .collect();
    let mut room = stage.socket(ROOM, ALICE);
    let mut bob = stage.socket(ROOM, BOB);
    bob.read_up_to(&ids[229..]);
    assert_eq!(covered(&mut room, BOB, &ids[30..]), ids[30..]);
    stage.say(ALICE, "marker");
    let more = room.until("marker");
    assert_eq!(more.len(), 1, "{more:?}");
}

#[test]
fn in_a_group_the_authors_and_the_whole_room_are_told() {
    let stage = Stage::new();
    let group = stage.conversation(ALICE, "group", &[BOB, CAROL]);
    let at = Place { conversation: group, other: None };
    let open = |spoken: Spoken, user: &str| stage.socket_at(spoken, user, at.clone(), "");
    let [mut alice, mut carol] = [open(INBOX, ALICE), open(INBOX, CAROL)];
    let mut rooms = [open(ROOM, ALICE), open(ROOM, BOB), open(ROOM, CAROL)];
    let mut bob = open(INBOX, BOB);
    let hers = alice.said("alice's");
    let other = carol.said("carol's");
    bob.wait(|heard| heard.says("carol's"));
    bob.read_up_to(&[other]);
    for room in &mut rooms {
        let named: BTreeSet<_> = covered(room, BOB, &[hers, other]).into_iter().collect();
        assert_eq!(named, [hers, other].into(), "{}", room.user);
    }
    for author in [&mut alice, &mut carol] {
        covered(author, BOB, &[hers, other]);
    }
}

#[test]
fn g9_one_receipt_may_be_more_frames_than_may_wait() {
    let stage = Stage::with(&[("PARLOUR_LIMITS_QUEUE_FRAMES", "50")]);
    let mut alice = stage.socket(ROOM, ALICE);
    let mut bob = stage.socket(ROOM, BOB);
    let ids: Vec<_> = (0..120).map(|n| alice.said(&format!("{n}"))).collect();
    bob.until("119");
    bob.read_up_to(&ids[119..]);
    assert_eq!(covered(&mut alice, BOB, &ids), ids);
    alice.said("still here");
    alice.leave();
}
