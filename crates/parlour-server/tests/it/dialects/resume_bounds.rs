//! Where the return of clients without a cursor ends: many Changes, long times, the end of the process.

use std::sync::Arc;

use parlour_core::{
    event::Envelope,
    port::{
        clock::Clock as _,
        store::{CLOSED_SOCKET_WAITS, CUT_SOCKET_WAITS},
    },
};
use serde_json::json;

use super::{ALICE, ALL, BOB, Heard, Stage, process::Process, said, socket::Socket, stage::Knock};
use crate::gateway::server::Server;

/// So many Changes of a conversation come on return.
const MOST: usize = 200;

#[test]
fn g7_of_more_than_two_hundred_changes_the_newest_come_after_a_word_of_warning() {
    let stage = Stage::new();
    for spoken in ALL {
        stage.away_with_proof(spoken, ALICE);
    }
    let mut bob = stage.server.live(BOB);
    for n in 0..MOST + 30 {
        bob.send(&json!({ "type": "message.send", "id": 1_000 + n, "conversation_id": stage.talk, "content": format!("{n}") }));
        bob.wait(|frame| frame["type"] == "reply" && frame["id"] == 1_000 + n);
    }
    for spoken in ALL {
        let mut phone = stage.arriving(spoken, ALICE, stage.place(ALICE), "");
        let newest = format!("{}", MOST + 29);
        let mut heard = phone.until(&newest);
        heard.retain(|heard| !matches!(heard, Heard::Greeting(_)));
        if spoken.rich {
            assert_eq!(heard.remove(0), Heard::Resync(stage.talk), "{}", spoken.name);
        }
        let texts: Vec<_> = heard
            .iter()
            .map(|heard| match heard {
                Heard::Said { text, .. } => text.parse::<usize>().unwrap(),
                other => panic!("{}: {other:?}", spoken.name),
            })
            .collect();
        assert_eq!(texts, (30..MOST + 30).collect::<Vec<_>>(), "{}", spoken.name);
    }
}

#[test]
fn g7_two_hundred_changes_come_without_a_warning() {
    let stage = Stage::with(&[("PARLOUR_LIMITS_RESUME_PAGE", "30")]);
    for spoken in ALL {
        stage.away_with_proof(spoken, ALICE);
    }
    let mut bob = stage.server.live(BOB);
    // "before" of the dialects that followed is part of what the first ones missed.
    let mut say = |text: &str| {
        let sent = bob
            .ask(json!({ "type": "message.send", "conversation_id": stage.talk, "content": text }));
        sent["ok"]["message"]["id"].as_u64().unwrap()
    };
    let ids: Vec<u64> = (0..MOST - ALL.len()).map(|n| say(&format!("{n}"))).collect();
    // The first one is edited last: it comes once, in its place.
    let edit = json!({ "type": "message.edit", "message_id": ids[0], "content": "edited last" });
    assert!(bob.ask(edit)["ok"].is_object());
    for spoken in ALL {
        let mut phone = stage.socket(spoken, ALICE);
        stage.say(BOB, "live");
        let mut heard = phone.durable_until("live");
        heard.retain(|heard| !heard.says("before"));
        heard.pop();
        let texts = |n: usize| if n == 0 { "edited last".to_owned() } else { n.to_string() };
        let all: Vec<_> = ids.iter().enumerate().map(|(n, id)| said(*id, BOB, &texts(n))).collect();
        assert_eq!(heard, all, "{}", spoken.name);
        assert!(!phone.frames.iter().any(|frame| frame["type"] == "resync"), "{}", spoken.name);
        phone.leave();
    }
}

/// A store that nobody listens to.
struct Deaf;

impl parlour_core::port::store::CommitSink for Deaf {
    fn committed(&self, _: Vec<Envelope>) {}
}

#[test]
fn g5_a_place_waits_a_week_after_a_cut_and_a_minute_after_a_goodbye() {
    let stage = Stage::new();
    for spoken in ALL {
        stage.away_with_proof(spoken, ALICE);
        let mut page = stage.socket(spoken, BOB);
        stage.say(ALICE, "before");
        page.until("before");
        page.prove();
        page.leave();
    }
    let folder = stage.server.end();
    sweep(&folder, CLOSED_SOCKET_WAITS);
    let stage = Stage::on(Server::again(folder, &[]));
    let away = stage.say(ALICE, "missed");
    for spoken in ALL {
        let mut phone = stage.socket(spoken, ALICE);
        let heard = phone.settle();
        assert!(heard.contains(&said(away, ALICE, "missed")), "{}: {heard:?}", spoken.name);
        let mut page = stage.socket(spoken, BOB);
        let heard = page.settle();
        assert!(!heard.iter().any(Heard::is_durable), "{}: {heard:?}", spoken.name);
        phone.cut();
        page.cut();
    }
    let folder = stage.server.end();
    sweep(&folder, CUT_SOCKET_WAITS);
    let stage = Stage::on(Server::again(folder, &[]));
    for spoken in ALL {
        let heard = stage.socket(spoken, ALICE).settle();
        assert!(!heard.iter().any(Heard::is_durable), "{}: {heard:?}", spoken.name);
    }
}

/// What housekeeping does when so much time has passed.
fn sweep(folder: &tempfile::TempDir, later: i64) {
    let url = format!("sqlite://{}/parlour.db", folder.path().display());
    let options = parlour_store::OpenOptions::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let now = parlour_server::system::SystemClock::default().now();
    runtime.block_on(async {
        let store = parlour_store::open(&url, options, Arc::new(Deaf)).await.unwrap();
        store.sweep_sockets(now + later).await.unwrap();
        store.close().await;
    });
}

#[test]
fn g5_the_end_of_the_process_keeps_every_place() {
    let process = Process::start();
    let stage = &process.stage;
    let mut phones: Vec<Socket> =
        ALL.into_iter().map(|spoken| stage.socket(spoken, ALICE)).collect();
    for text in ["stored long ago", "stored"] {
        let message = stage.say(BOB, text);
        for phone in &mut phones {
            phone.until(text);
            phone.prove();
        }
        process.wait_for_delivery(BOB, message);
    }
    let unproved = stage.say(BOB, "unproved");
    let process = process.killed();
    let stage = &process.stage;
    let away = stage.say(BOB, "after the end");
    for spoken in ALL {
        let mut phone = stage.socket(spoken, ALICE);
        let live = format!("live in {}", spoken.name);
        let id = stage.say(BOB, &live);
        let mut heard = phone.durable_until(&live);
        // The mark of the last second may not have been stored: then it comes again.
        assert!(!heard.iter().any(|heard| heard.says("stored long ago")), "{}", spoken.name);
        heard.retain(|heard| !heard.says("stored"));
        heard.truncate(2);
        let expected = [said(unproved, BOB, "unproved"), said(away, BOB, "after the end")];
        assert_eq!(heard, expected, "{}", spoken.name);
        assert_eq!(stage.history(ALICE).last(), Some(&(id, live)));
    }
}

#[test]
fn g5_g16_a_place_that_could_not_be_stored_at_first_is_not_lost() {
    let stage = Stage::new();
    for spoken in ALL {
        let mut phone = stage.socket(spoken, ALICE);
        stage.say(BOB, "before");
        phone.until("before");
        phone.prove();
        // The store cannot take down that the socket has ended.
        let no_room = stage.server.without_room_for_ends();
        phone.cut();
        let away = stage.say(BOB, "away");
        let at = stage.place(ALICE);
        let path = stage.path(spoken, ALICE, &at, "");
        match stage.knock(&path, &[]) {
            Knock::Refused(status) => assert_eq!(status, 503, "{}", spoken.name),
            Knock::Closed(code, _) => assert_eq!(code, 1012, "{}", spoken.name),
            Knock::Entered(_) => panic!("{}: it would miss something", spoken.name),
        }
        drop(no_room);
        let mut phone = stage.arriving(spoken, ALICE, at, "");
        let last = stage.say(BOB, "last");
        let all = [said(away, BOB, "away"), said(last, BOB, "last")];
        assert_eq!(phone.durable_until("last"), all, "{}", spoken.name);
    }
}
