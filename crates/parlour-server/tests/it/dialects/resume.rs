//! Clients without a cursor come back: what was stored while they were away comes first, once, in order
//! (guarantees G5, G6 and G21).

use super::{ALICE, ALL, BOB, Heard, INBOX, Place, ROOM, Spoken, Stage, rich, said};

#[test]
fn g5_what_was_said_during_a_cut_comes_first_and_once() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut phone = stage.socket(spoken, ALICE);
        stage.say(BOB, "before");
        phone.until("before");
        phone.prove();
        phone.cut();
        let mut away = Vec::new();
        for n in 0..20 {
            // Own messages from elsewhere are as new to this client as those of others.
            let by = if n % 5 == 0 { ALICE } else { BOB };
            let text = format!("away {n}");
            away.push(said(stage.say(by, &text), by, &text));
        }
        let mut phone = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        away.push(said(stage.say(BOB, "live"), BOB, "live"));
        assert_eq!(phone.durable_until("live"), away, "{}", spoken.name);
        stage.say(BOB, "later");
        assert_eq!(phone.durable_until("later").len(), 1, "{}", spoken.name);
        phone.prove();
        phone.cut();

        // What has proof does not come again.
        let mut phone = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        let last = stage.say(BOB, "last");
        assert_eq!(phone.durable_until("last"), [said(last, BOB, "last")], "{}", spoken.name);
    }
}

#[test]
fn g5_what_has_no_proof_comes_again() {
    let stage = Stage::new();
    for spoken in ALL {
        let phone = stage.socket(spoken, ALICE);
        // It reaches the socket, and its client never reads it.
        let one = stage.say(BOB, "one");
        let mut witness = stage.socket(spoken, BOB);
        let two = witness.said("two");
        phone.cut();
        let mut phone = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        let three = witness.said("three");
        let all = [said(one, BOB, "one"), said(two, BOB, "two"), said(three, BOB, "three")];
        assert_eq!(phone.durable_until("three"), all, "{}", spoken.name);
    }
}

/// A client is away while much changes.
fn changed_away(stage: &Stage, spoken: Spoken) {
    let edited = stage.say(BOB, "edited later");
    let deleted = stage.say(BOB, "deleted later");
    let mut phone = stage.socket(spoken, ALICE);
    let known = stage.say(BOB, "known");
    phone.until("known");
    phone.prove();
    phone.cut();

    let first = stage.say(BOB, "said away");
    let gone = stage.say(BOB, "said and taken back away");
    let second = stage.say(BOB, "the second");
    stage.edit(BOB, edited, "edited away");
    stage.edit(BOB, first, "said and edited away");
    stage.delete(BOB, deleted);
    stage.delete(BOB, gone);
    stage.edit(BOB, known, "known, edited away");
    let third = stage.say(ALICE, "my own");
    let mut expected = vec![
        said(first, BOB, "said and edited away"),
        said(second, BOB, "the second"),
        Heard::Edited(edited, "edited away".to_owned()),
        Heard::Deleted(deleted),
        Heard::Deleted(gone),
        Heard::Edited(known, "known, edited away".to_owned()),
        said(third, ALICE, "my own"),
    ];
    let mut phone = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
    let live = stage.say(BOB, "live");
    expected.push(said(live, BOB, "live"));
    expected.retain(|heard| spoken.rich || matches!(heard, Heard::Said { .. }));
    assert_eq!(phone.durable_until("live"), expected, "{}", spoken.name);
    assert!(
        !phone.frames.iter().any(|frame| frame.to_string().contains("taken back")),
        "{}: deleted means gone",
        spoken.name
    );
}

#[test]
fn g6_g21_what_was_edited_and_deleted_during_a_cut_comes_in_its_present_state() {
    for spoken in ALL {
        changed_away(&Stage::new(), spoken);
    }
}

#[test]
fn g5_a_first_socket_gets_nothing_old() {
    let stage = Stage::new();
    stage.say(BOB, "old");
    for spoken in ALL {
        let mut first = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        first.settle();
        stage.say(BOB, spoken.name);
        assert_eq!(first.durable_until(spoken.name).len(), 1, "{:?}", first.frames);
        // Another dialect of the same user has places of its own.
        first.prove();
        first.cut();
    }
}

#[test]
fn g5_a_goodbye_keeps_the_place_for_a_minute() {
    for spoken in ALL {
        let stage = Stage::new();
        let mut page = stage.socket(spoken, ALICE);
        stage.say(BOB, "before");
        page.until("before");
        page.prove();
        page.leave();
        let away = stage.say(BOB, "between two pages");
        let mut page = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        let live = stage.say(BOB, "live");
        let expected = [said(away, BOB, "between two pages"), said(live, BOB, "live")];
        assert_eq!(page.durable_until("live"), expected, "{}", spoken.name);
    }
}

#[test]
fn g5_g10_a_return_to_many_conversations_gets_those_that_are_one_s_own() {
    let stage = Stage::new();
    let group = stage.conversation(BOB, "group", &[ALICE, "3"]);
    let other = stage.conversation(BOB, "group", &[ALICE]);
    let mut phone = stage.socket(INBOX, ALICE);
    let texts = |text: &str| text.to_owned();
    stage.say_in(group, BOB, "before");
    phone.until("before");
    phone.prove();
    phone.cut();
    stage.say_in(other, BOB, "not for those who left");
    stage.remove(BOB, other, ALICE);
    stage.say_in(other, BOB, "after she left");
    stage.say_in(group, BOB, "in the group");
    stage.say(BOB, "between us");
    // A conversation that is new to the client comes whole.
    let new = stage.conversation("3", "direct", &[ALICE]);
    stage.say_in(new, "3", "for the first time");
    let mut phone = stage.arriving(INBOX, ALICE, stage.place(ALICE), "");
    phone.settle();
    stage.say(BOB, "live");
    phone.until("live");
    let mut came: Vec<_> = phone
        .frames
        .iter()
        .filter(|frame| frame["type"] == "new_message")
        .map(|frame| frame["text"].as_str().map(texts).unwrap())
        .collect();
    came.sort_unstable();
    assert_eq!(came, ["between us", "for the first time", "in the group", "live"]);
}

#[test]
fn g12_receipts_typing_and_presence_of_the_time_away_do_not_come() {
    let stage = Stage::new();
    for spoken in rich() {
        let mut phone = stage.socket(spoken, ALICE);
        let own = phone.said("read me");
        phone.prove();
        phone.cut();
        let mut bob = stage.socket(spoken, BOB);
        bob.typing(true);
        bob.read_up_to(&[own]);
        bob.typing(false);
        bob.said("read");
        bob.leave();
        let mut phone = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        stage.say(BOB, "live");
        let came = phone.until("live");
        let greetings = usize::from(spoken == INBOX);
        assert_eq!(came.len(), 2 + greetings, "{}: {came:?}", spoken.name);
    }
}

#[test]
fn g5_a_room_that_one_comes_back_to_brings_nothing_of_other_rooms() {
    let stage = Stage::new();
    let group = stage.conversation(BOB, "group", &[ALICE]);
    let here = Place { conversation: group, other: None };
    let mut phone = stage.socket_at(ROOM, ALICE, here.clone(), "");
    stage.say_in(group, BOB, "before");
    phone.until("before");
    phone.prove();
    phone.cut();
    stage.say(BOB, "elsewhere");
    let away = stage.say_in(group, BOB, "here");
    let mut phone = stage.arriving(ROOM, ALICE, here, "");
    let live = stage.say_in(group, BOB, "live");
    let expected = [said(away, BOB, "here"), said(live, BOB, "live")];
    assert_eq!(phone.durable_until("live"), expected);
}
