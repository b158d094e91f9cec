//! `parlour import` and `parlour export` through the program, and the ready queries of the migration guides.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};
use serde_json::{Value, json};

use crate::support::{Person, Server, Setup};

const FIRST: &str = "{\"type\":\"parlour\",\"version\":1,\"source\":\"shop\"}\n";

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Imports a text; what the program said, on both ways.
#[track_caller]
fn import(setup: &Setup, arguments: &[&str], text: &str, code: i32) -> String {
    let output = run(setup.program().arg("import").arg("-").args(arguments), text);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

fn export(setup: &Setup) -> String {
    let output = run(setup.program().arg("export"), "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Without the first line, which tells when it was made.
fn body(export: &str) -> &str {
    export.split_once('\n').unwrap().1
}

fn repository(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(file).unwrap()
}

/// What a ready query writes, of the sample tables of the same name.
fn queried(name: &str) -> String {
    let database = Connection::open_in_memory().unwrap();
    let samples = repository(&format!("crates/parlour-server/tests/it/transfer/{name}.sql"));
    database.execute_batch(&samples).unwrap();
    let query = repository(&format!("docs/migrate/queries/{name}.sqlite.sql"));
    let mut lines = String::new();
    let mut batch = Batch::new(&database, &query);
    while let Some(mut statement) = batch.next().unwrap() {
        if statement.column_count() == 0 {
            statement.execute([]).unwrap();
            continue;
        }
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            lines.push_str(row.get_ref(0).unwrap().as_str().unwrap());
            lines.push('\n');
        }
    }
    lines
}

/// A server with what a ready query gave. The second time it changes nothing.
async fn migrated(name: &str) -> Server {
    let setup = Setup::new();
    let lines = queried(name);
    import(&setup, &[], &lines, 0);
    let before = export(&setup);
    let again = import(&setup, &[], &lines, 0);
    assert!(again.contains(" 0 messages stored"), "{again}");
    assert_eq!(body(&before), body(&export(&setup)));
    setup.start().await
}

async fn list(person: &Person<'_>) -> Vec<Value> {
    let found = person.get("/api/v1/conversations").await.ok();
    found["results"].as_array().unwrap().clone()
}

/// The messages of a conversation: id, sender, text, time.
async fn said(person: &Person<'_>, id: &Value) -> Vec<(u64, String, Option<String>, String)> {
    let found = person.get(&format!("/api/v1/conversations/{id}/messages")).await.ok();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let messages = found["results"].as_array().unwrap().iter();
    messages
        .map(|message| {
            (
                message["id"].as_u64().unwrap(),
                text(&message["sender_id"]).unwrap(),
                text(&message["content"]),
                text(&message["created_at"]).unwrap(),
            )
        })
        .collect()
}

fn row(id: u64, sender: &str, content: &str, at: &str) -> (u64, String, Option<String>, String) {
    let at = if at.len() == 8 { format!("2025-01-15T{at}.000Z") } else { at.to_owned() };
    (id, sender.to_owned(), Some(content.to_owned()), at)
}

#[tokio::test]
async fn django_messages_between_two_come_over() {
    let server = migrated("django-direct").await;
    let (alice, bob) = (server.person("1", "ignored"), server.bob());
    let all = list(&bob).await;
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["kind"], &all[0]["unread_count"]), (&json!("direct"), &json!(0)));
    let expected = [
        row(101, "1", "Is it \"still\" there?\nÜmläut 🥐", "2025-01-15T15:45:00.123Z"),
        row(102, "2", "Yes", "15:46:00"),
        row(103, "2", "Come by", "15:48:00"),
    ];
    assert_eq!(said(&bob, &all[0]["id"]).await, expected);
    let all = list(&alice).await;
    let unread: Vec<&Value> = all.iter().map(|one| &one["unread_count"]).collect();
    assert_eq!(unread, [&json!(1), &json!(0)], "latest activity first");
    let sent = bob.say(all[0]["id"].as_u64().unwrap(), "new").await;
    assert!(sent["id"].as_u64() > Some(104));
    server.stop().await;
}

#[tokio::test]
async fn django_conversations_keep_their_ids_and_receipts() {
    let server = migrated("django-conversations").await;
    let (alice, carla) = (server.alice(), server.person("3", "Carla"));
    let pair = said(&alice, &json!(40)).await;
    let expected = [
        row(7, "1", "one", "10:00:00"),
        row(9, "2", "two", "10:02:00"),
        row(10, "2", "three", "10:03:00"),
    ];
    assert_eq!(pair, expected);
    let all = list(&alice).await;
    let unread: Vec<_> = all.iter().map(|one| (&one["id"], &one["unread_count"])).collect();
    let (n40, n41, n42) = (json!(40), json!(41), json!(42));
    assert_eq!(unread, [(&n42, &json!(0)), (&n40, &json!(1)), (&n41, &json!(1))]);
    assert_eq!(all[0]["subject"], "conversation/42", "two of the same people stay apart");
    assert_eq!((&all[2]["kind"], &all[2]["external_id"]), (&json!("group"), &json!("41")));
    assert_eq!(list(&carla).await[0]["unread_count"], 0);
    let edited = alice.get("/api/v1/messages/8").await.ok();
    assert!(edited["edited_at"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn messages_about_items_get_a_conversation_for_each() {
    let server = migrated("django-items").await;
    let alice = server.alice();
    let all = list(&alice).await;
    let subjects: Vec<&Value> = all.iter().map(|one| &one["subject"]).collect();
    assert_eq!(subjects, [&Value::Null, &json!("item/5")]);
    let about = said(&alice, &all[1]["id"]).await;
    assert_eq!(
        about,
        [row(42, "1", "Hello, I found your item!", "15:45:00"), row(43, "2", "", "15:46:00")]
    );
    let picture = alice.get("/api/v1/messages/43").await.ok();
    assert_eq!(picture["metadata"], json!({"image": "chat/umbrella.png"}));
    server.stop().await;
}

#[tokio::test]
async fn laravel_conversations_come_over_with_marks_replies_and_tombstones() {
    let server = migrated("laravel-conversations").await;
    let alice = server.alice();
    let all = list(&alice).await;
    let shown: Vec<_> =
        all.iter().map(|one| (&one["id"], &one["title"], &one["unread_count"])).collect();
    let (group, title) = (json!(124), json!("Task 9"));
    assert_eq!(
        shown,
        [(&group, &title, &json!(1)), (&json!(123), &Value::Null, &json!(1))],
        "her mark stands at 10:00:00"
    );
    let messages = alice.get("/api/v1/conversations/124/messages").await.ok();
    let messages = messages["results"].as_array().unwrap();
    assert_eq!(messages[1]["reply_to"], 103);
    assert_eq!(messages[0]["metadata"], json!({"type": "image"}));
    assert_eq!((&messages[2]["id"], &messages[2]["content"]), (&json!(105), &Value::Null));
    assert!(messages[2]["deleted_at"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn an_export_imported_elsewhere_is_the_same_export() {
    let setup = Setup::new().demo();
    let server = setup.start().await;
    let alice = server.alice();
    let sent = alice.say(1, "to be edited").await;
    let path = format!("/api/v1/messages/{}", sent["id"]);
    alice.call("PATCH", &path, &json!({"content": "edited"})).await.ok();
    let gone = alice.say(1, "to be deleted").await;
    alice.delete(&format!("/api/v1/messages/{}", gone["id"])).await;
    let setup = server.stop_and_keep().await;
    let first = export(&setup);
    assert!(!first.contains("to be deleted") && !first.contains("$argon2"));
    let other = Setup::new();
    import(&other, &[], &first, 0);
    assert_eq!(body(&export(&other)), body(&first));
    let again = import(&other, &[], &first, 0);
    assert!(again.contains("0 messages stored"), "{again}");
    let (cut, _) = first.trim_end().rsplit_once('\n').unwrap();
    let said = import(&Setup::new(), &[], cut, 1);
    assert!(said.contains("without its last line"), "{said}");
    let short = first.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line);
    let said = import(&Setup::new(), &[], &short.collect::<Vec<_>>().join("\n"), 1);
    assert!(said.contains("line"), "{said}");
    let moved = other.start().await;
    let read = moved.alice().get(&path).await.ok();
    assert_eq!(read["content"], "edited");
    moved.stop().await;
}

#[test]
fn faults_are_told_with_their_lines() {
    let message = |id: u32, rest: &str| {
        format!(
            "{{\"type\":\"message\",\"id\":{id},\"sender\":1,\"created_at\":\"2025-01-01T00:00:00Z\",{rest}}}\n"
        )
    };
    let good = message(1, "\"recipient\":2,\"content\":\"hi\"");
    for (line, expected) in [
        ("{\"type\":\"message\"\n".to_owned(), "line 3: EOF"),
        ("{\"type\":\"mesage\"}\n".to_owned(), "no line of type `mesage`"),
        ("\"text\"\n".to_owned(), "line 3: "),
        (message(2, "\"recipient\":2,\"contents\":\"hi\""), "unknown field `contents`"),
        (message(2, "\"recipient\":2"), "has `content`"),
        (message(2, "\"content\":\"hi\""), "either `conversation` or `recipient`"),
        (message(2, "\"conversation\":9,\"content\":\"hi\""), "no conversation `9`"),
        (message(2, "\"recipient\":1,\"content\":\"hi\""), "two different users"),
        (message(2, "\"recipient\":2,\"content\":\" \""), "empty"),
        (message(2, "\"recipient\":2,\"content\":\"a\\u0000\""), "NUL"),
        (good.replace("2025-01-01T00:00:00Z", "2025-01-01 00:00"), "no time with a zone"),
        (good.replace("2025", "2999").replace("\"id\":1", "\"id\":2"), "later than now"),
        (format!("{{\"type\":\"user\",\"id\":\"{}\"}}\n", "x".repeat(129)), "no valid id"),
    ] {
        let setup = Setup::new();
        let text = format!("{FIRST}{good}{line}");
        let said = import(&setup, &[], &text, 1);
        assert!(said.contains("line 3: ") && said.contains(expected), "{line}{said}");
        assert!(said.contains("Repair the file"), "{said}");
        let left = import(&setup, &["--skip-invalid"], &text, 3);
        assert!(left.contains("1 messages stored") && left.contains("1 at fault"), "{left}");
    }
    for text in ["", "id,text\n1,hi\n", "{\"type\":\"parlour\",\"version\":9}\n"] {
        let said = import(&Setup::new(), &[], text, 1);
        assert!(said.contains("first line") || said.contains("version 1"), "{said}");
    }
    let missing = run(Setup::new().program().args(["import", "absent.jsonl"]), "");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("absent.jsonl"));
}

#[tokio::test]
async fn older_lines_need_merging_and_are_tried_beside_a_running_server() {
    let setup = Setup::new();
    let server = setup.start().await;
    let alice = server.alice();
    let pair = alice.direct("2").await;
    alice.say(pair, "new").await;
    let line = "{\"type\":\"message\",\"id\":\"a-1\",\"sender\":2,\"recipient\":1,\"content\":\"old\",\
                \"created_at\":\"2025-01-01T00:00:00Z\"}\n";
    let text = format!("{FIRST}{line}");
    let setup = server.setup();
    let said = import(setup, &["--dry-run"], &text, 3);
    assert!(said.contains("line 2: it is older") && said.contains("--merge"), "{said}");
    let said = import(setup, &["--dry-run", "--merge"], &text, 0);
    assert!(said.contains("1 messages would be stored"), "{said}");
    let said = import(setup, &["--merge"], &text, 1);
    assert!(said.contains("in use by another process"), "{said}");
    let before = alice.get(&format!("/api/v1/conversations/{pair}")).await.ok();
    let setup = server.stop_and_keep().await;
    import(&setup, &["--merge"], &text, 0);
    let server = setup.start().await;
    let alice = server.alice();
    let texts: Vec<Option<String>> = said_texts(&alice, pair).await;
    assert_eq!(texts, [Some("old".to_owned()), Some("new".to_owned())]);
    let after = alice.get(&format!("/api/v1/conversations/{pair}")).await.ok();
    assert_ne!(after["epoch"], before["epoch"], "clients are told to load it anew");
    server.stop().await;
}

async fn said_texts(person: &Person<'_>, id: u64) -> Vec<Option<String>> {
    said(person, &json!(id)).await.into_iter().map(|message| message.2).collect()
}

#[test]
fn an_export_overwrites_nothing_and_is_private() {
    let setup = Setup::new();
    let file = setup.file("out.jsonl");
    let export = || run(setup.program().arg("export").arg(&file), "");
    assert!(export().status.success());
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("{\"type\":\"end\",\"lines\":0}\n"), "{text}");
    let second = export();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("out.jsonl"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
