//! The floors relay what they should to whom they should, and the second has it on the disk before it says so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]

mod client;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use client::Client;
use tempfile::TempDir;

/// A floor in a process of its own, killed at the end.
struct Floor {
    process: Child,
    address: SocketAddr,
}

impl Floor {
    fn start(program: &str, file: Option<&Path>) -> Self {
        let mut command = Command::new(program);
        command.args(file).env_remove("PORT").stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, address: line.trim().parse().unwrap() }
    }

    fn relay() -> Self {
        Self::start(env!("CARGO_BIN_EXE_floor-relay"), None)
    }

    fn store(file: &Path) -> Self {
        Self::start(env!("CARGO_BIN_EXE_floor-store"), Some(file))
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What both floors do alike.
fn talk(address: SocketAddr) {
    let mut people: Vec<Client> =
        (1..=4).map(|user| Client::open(address, &format!("/?user={user}&room=9"))).collect();
    let mut stranger = Client::open(address, "/?user=5");
    let [one, two, three, four] = people.as_mut_slice() else { panic!("there are four") };

    one.say(r#"{"to":2,"text":"a \"quoted\" word"}"#);
    assert_eq!(two.hear(), r#"{"from":1,"text":"a \"quoted\" word"}"#);
    assert_eq!(one.hear(), r#"{"ok":1}"#);

    two.say(r#"{"typing":1}"#);
    assert_eq!(one.hear(), r#"{"typing":2}"#);
    assert_eq!(two.hear(), r#"{"ok":1}"#);

    three.say(r#"{"room":9,"text":"to all"}"#);
    for member in [&mut *one, &mut *two, &mut *four] {
        assert_eq!(member.hear(), r#"{"from":3,"text":"to all"}"#);
    }
    assert_eq!(three.hear(), r#"{"ok":1}"#);

    // In one write, so that they come in one read.
    one.say_all(&[r#"{"to":5,"text":"a"}"#, r#"{"to":5,"text":"b"}"#, r#"{"to":99,"text":"c"}"#]);
    assert_eq!([stranger.hear(), stranger.hear()].map(|text| text.len()), [21, 21]);
    assert_eq!([one.hear(), one.hear(), one.hear()], [r#"{"ok":2}"#, r#"{"ok":3}"#, r#"{"ok":4}"#]);

    // Whoever comes again is who is meant; the connection of before ends unnoticed.
    let mut again = Client::open(address, "/?user=5");
    drop(stranger);
    one.say(r#"{"to":5,"text":"again"}"#);
    assert_eq!(again.hear(), r#"{"from":1,"text":"again"}"#);

    let mut wrong = Client::open(address, "/?user=6");
    wrong.say("what is this");
    assert!(wrong.is_cut());
}

#[test]
fn the_relay_relays() {
    talk(Floor::relay().address);
}

#[test]
fn the_store_relays() {
    let folder = TempDir::new().unwrap();
    talk(Floor::store(&folder.path().join("floor.db")).address);
}

#[test]
fn what_is_answered_outlives_a_kill() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("floor.db");
    let mut floor = Floor::store(&file);
    let mut sender = Client::open(floor.address, "/?user=1");
    for number in 1..=100 {
        sender.say(&format!(r#"{{"to":2,"text":"message {number}"}}"#));
    }
    for number in 1..=100 {
        assert_eq!(sender.hear(), format!(r#"{{"ok":{number}}}"#));
    }
    floor.kill();
    let database = rusqlite::Connection::open(&file).unwrap();
    let rows: (i64, String) = database
        .query_row("SELECT count(*), max(text) FROM messages WHERE receiver = 2", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(rows, (100, "message 99".to_owned()));
}

#[test]
fn a_reader_that_stops_is_cut_off() {
    let floor = Floor::relay();
    let (mut sender, mut reader) =
        (Client::open(floor.address, "/?user=1"), Client::open(floor.address, "/?user=2"));
    let text = format!(r#"{{"to":2,"text":"{}"}}"#, "x".repeat(60_000));
    // More than the sockets hold and the floor keeps.
    for number in 1..=400 {
        sender.say(&text);
        assert_eq!(sender.hear(), format!(r#"{{"ok":{number}}}"#));
    }
    assert!(reader.is_cut());
}
