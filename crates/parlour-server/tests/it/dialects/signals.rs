//! Typing, presence, and looking at a conversation: told to those concerned, at most so often, and always ended
//! (guarantee G13, table I4).

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ALICE, BOB, CAROL, Heard, INBOX, PLAIN, Place, ROOM, Spoken, Stage, rich};

fn typing(by: &str, on: bool) -> impl Fn(&Heard) -> bool {
    let expected = Heard::Typing(by.to_owned(), on);
    move |heard| *heard == expected
}

const fn is_typing(heard: &Heard) -> bool {
    matches!(heard, Heard::Typing(..))
}

#[test]
fn g13_typing_goes_to_others_and_ends_by_itself_by_word_and_by_sending() {
    for spoken in rich() {
        let stage = Stage::new();
        let mut alice = stage.socket(spoken, ALICE);
        let mut tab = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        alice.typing(true);
        bob.wait(typing(ALICE, true));
        alice.typing(false);
        bob.wait(typing(ALICE, false));
        alice.typing(true);
        bob.wait(typing(ALICE, true));
        let began = Instant::now();
        alice.said("written");
        bob.wait(typing(ALICE, false));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        // The end of what never began is nothing, and so are its repetitions.
        for _ in 0..3 {
            alice.typing(false);
        }
        alice.settle();
        stage.say(ALICE, "marker");
        assert!(!bob.until("marker").iter().any(is_typing), "{}", spoken.name);
        tab.settle();
        for own in [&alice, &tab] {
            let seen = own.frames.iter().any(|frame| is_typing(&spoken.hear(frame)));
            assert!(!seen, "{}: nobody sees himself", spoken.name);
        }
    }
}

#[test]
fn g13_a_send_over_rest_ends_typing_too() {
    for spoken in rich() {
        let stage = Stage::new();
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        alice.typing(true);
        bob.wait(typing(ALICE, true));
        stage.say(ALICE, "from elsewhere");
        bob.wait(typing(ALICE, false));
    }
}

#[test]
fn g13_typing_ends_when_the_last_socket_there_goes() {
    for spoken in rich() {
        let stage = Stage::new();
        let mut bob = stage.socket(spoken, BOB);
        let [mut one, two] = [stage.socket(spoken, ALICE), stage.socket(spoken, ALICE)];
        one.typing(true);
        bob.wait(typing(ALICE, true));
        one.cut();
        stage.say(BOB, "marker");
        bob.wait(|heard| heard.says("marker") || matches!(heard, Heard::Sent(_)));
        assert!(!bob.settle().iter().any(is_typing), "{}: the other may go on", spoken.name);
        let began = Instant::now();
        two.leave();
        bob.wait(typing(ALICE, false));
        assert!(began.elapsed() < Duration::from_secs(3), "{}", spoken.name);
    }
}

#[test]
fn g13_typing_that_nobody_ends_lasts_thirty_seconds() {
    let stage = Stage::new();
    let mut alices: Vec<_> = rich().map(|spoken| stage.socket(spoken, ALICE)).collect();
    let mut bob = stage.socket(ROOM, BOB);
    for alice in &mut alices {
        alice.typing(true);
        alice.settle();
    }
    let began = Instant::now();
    bob.wait(typing(ALICE, true));
    // The client waits for less than that at a time.
    while began.elapsed() < Duration::from_secs(25) {
        bob.settle();
        std::thread::park_timeout(Duration::from_secs(5));
    }
    assert!(!bob.frames.iter().any(|frame| typing(ALICE, false)(&ROOM.hear(frame))));
    bob.wait(typing(ALICE, false));
    let lasted = began.elapsed();
    assert!(lasted > Duration::from_secs(28) && lasted < Duration::from_secs(34), "{lasted:?}");
}

#[test]
fn i4_typing_is_told_once_a_second_and_the_last_state_gets_through() {
    for spoken in rich() {
        // With the rates as they are by default: typing on every key is no offence.
        let stage = Stage::with(&[("PARLOUR_RATE_LIMITS", "on")]);
        let mut alice = stage.socket(spoken, ALICE);
        let mut bob = stage.socket(spoken, BOB);
        let began = Instant::now();
        for n in 0..300 {
            alice.typing(n % 2 == 0);
        }
        for _ in 0..100 {
            alice.typing(true);
        }
        alice.typing(false);
        assert!(!alice.settle().iter().any(|heard| matches!(heard, Heard::Error(_))));
        let mut told = 0;
        loop {
            told += 1;
            if bob.wait(is_typing) == Heard::Typing(ALICE.to_owned(), false) {
                break;
            }
        }
        let most = 2 + began.elapsed().as_secs();
        assert!(told <= most, "{}: {told} in {:?}", spoken.name, began.elapsed());
        alice.said("after all that");
    }
}

#[test]
fn typing_where_there_is_no_conversation_makes_none() {
    let stage = Stage::new();
    for spoken in [super::DIRECT, INBOX] {
        let mut alice = stage.socket(spoken, ALICE);
        let mut frame =
            spoken.typing(&Place { conversation: 0, other: Some("3".to_owned()) }, true);
        frame["conversation_id"] = serde_json::Value::Null;
        alice.send(&frame);
        assert!(!alice.settle().iter().any(|heard| matches!(heard, Heard::Error(_))));
        alice.leave();
    }
    let (_, page) = stage.server.get("/api/v1/conversations", &stage.server.token(CAROL));
    assert_eq!(page["results"], json!([]));
}

#[test]
fn g13_comings_and_goings_are_told_with_a_grace() {
    for spoken in rich() {
        let stage = Stage::with(&[("PARLOUR_LIMITS_PRESENCE_GRACE", "1s")]);
        let mut bob = stage.socket(spoken, BOB);
        let status = |who: &str, how: &str| {
            let expected = Heard::Status(who.to_owned(), how.to_owned());
            move |heard: &Heard| *heard == expected
        };
        let alice = stage.socket(spoken, ALICE);
        bob.wait(status(ALICE, "online"));
        let frame = bob.frames.last().unwrap();
        assert!(frame["username"].is_string(), "{frame}");
        // A blip is nothing to see.
        alice.cut();
        let alice = stage.socket(spoken, ALICE);
        alice.leave();
        bob.wait(status(ALICE, "offline"));
        let gone = bob.frames.last().unwrap();
        assert!(gone["last_seen"].as_str().is_some_and(|at| at.ends_with('Z')), "{gone}");
        let statuses = bob.frames.iter().filter(|frame| frame["type"] == "user_status").count();
        assert_eq!(statuses, 2, "{}: {:?}", spoken.name, bob.frames);
        let own =
            bob.frames.iter().any(|frame| frame["user_id"] == 2 && frame["type"] == "user_status");
        assert!(!own, "nobody is told of himself");
        // Strangers are nobody's concern.
        let _mallory = stage.socket(spoken_elsewhere(spoken), "9");
        stage.say(ALICE, "marker");
        bob.until("marker");
        assert!(!bob.frames.iter().any(|frame| frame["user_id"] == 9));
    }
}

/// A dialect in which somebody may connect without a conversation.
const fn spoken_elsewhere(spoken: Spoken) -> Spoken {
    if spoken.scoped { INBOX } else { spoken }
}

#[test]
fn a_room_tells_on_connect_who_is_there() {
    let stage = Stage::new();
    let group = stage.conversation(ALICE, "group", &[BOB, CAROL]);
    let at = Place { conversation: group, other: None };
    let _bob = stage.socket_at(ROOM, BOB, at.clone(), "");
    let mut carol = stage.socket_at(INBOX, CAROL, at.clone(), "");
    carol.settle();
    let mut alice = stage.socket_at(ROOM, ALICE, at.clone(), "");
    let mut there: Vec<_> = alice
        .settle()
        .into_iter()
        .map(|heard| match heard {
            Heard::Status(who, how) => (who, how),
            other => panic!("{other:?}"),
        })
        .collect();
    there.sort_unstable();
    let online = |who: &str| (who.to_owned(), "online".to_owned());
    assert_eq!(there, [online(BOB), online(CAROL)]);
    // Somebody who is only in another conversation is not in this room.
    let other = stage.conversation("7", "direct", &[ALICE]);
    stage.say_in(other, "7", "hello");
    let mut seven = stage.socket_at(INBOX, "7", Place { conversation: other, other: None }, "");
    seven.settle();
    stage.say_in(group, BOB, "marker");
    alice.until("marker");
    assert!(!alice.frames.iter().any(|frame| frame["user_id"] == 7), "{:?}", alice.frames);
    // `plain` has no word for any of it.
    let mut plain = stage.socket_at(PLAIN, ALICE, at, "");
    assert_eq!(plain.settle(), []);
}

#[test]
fn an_inbox_is_told_who_is_in_a_conversation_that_it_opens() {
    let stage = Stage::new();
    let mut bob = stage.socket(ROOM, BOB);
    let mut alice = stage.socket(INBOX, ALICE);
    alice.settle();
    bob.settle();
    alice.send(&json!({ "type": "join_conversation", "conversation_id": stage.talk }));
    alice.wait(|heard| *heard == Heard::Joined(stage.talk));
    let joined = alice.frames.iter().rfind(|frame| frame["type"] == "conversation_joined").unwrap();
    let mut people: Vec<_> = joined["participants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["user_id"].as_u64().unwrap(), one["status"].as_str().unwrap().to_owned()))
        .collect();
    people.sort_unstable();
    assert_eq!(people, [(1, "online".to_owned()), (2, "online".to_owned())]);
    bob.wait(|heard| *heard == Heard::Status(ALICE.to_owned(), "online".to_owned()));
    alice.send(&json!({ "type": "leave_conversation", "conversation_id": stage.talk }));
    alice.wait(|heard| *heard == Heard::Left(stage.talk));
    // The participant stays one, and its messages go on arriving.
    stage.say(BOB, "still here?");
    alice.wait(|heard| heard.says("still here?"));
    alice.said("yes");
    for kind in ["join_conversation", "leave_conversation"] {
        alice.send(&json!({ "type": kind, "conversation_id": 999_999 }));
        alice.refused("not_found");
    }
}
