//! REST in the shapes of the dialects: the same objects as on their sockets, whole lists, both forms of each address.

mod lists;
mod rights;
mod same;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    gateway::client::Client,
    support::{Person, Server, Setup},
};

async fn start() -> Server {
    Setup::new().with("limits.rate_limits", "off").start().await
}

fn history(conversation: u64) -> String {
    format!("/api/conversations/{conversation}/messages")
}

/// A socket of a dialect.
fn socket(person: &Person<'_>, path: &str, dialect: &str) -> Client {
    let path = format!("{path}?dialect={dialect}&token={}", person.token);
    Client::open(person.server.address, &path, &[]).unwrap().0
}

fn is(kind: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["type"] == kind
}

fn ids(page: &Value) -> Vec<u64> {
    let results = page["results"].as_array().unwrap();
    results.iter().map(|message| message["message_id"].as_u64().unwrap()).collect()
}

/// Gets a page at the whole address that another page gave.
async fn follow(person: &Person<'_>, link: &Value) -> Value {
    let path = link.as_str().unwrap().strip_prefix(&person.server.origin());
    person.get(path.expect("an address of this server")).await.ok()
}

/// The ids of messages that are sent at once, in the order of their coming.
async fn say_many(person: &Person<'_>, conversation: u64, count: usize) -> Vec<u64> {
    let (path, mut sent) = (history(conversation), Vec::new());
    let texts: Vec<_> = (0..count).map(|n| json!({"content": format!("number {n}")})).collect();
    for some in texts.chunks(100) {
        let answers = join_all(some.iter().map(|text| person.post(&path, text))).await;
        sent.extend(answers.into_iter().map(|a| a.ok()["message_id"].as_u64().unwrap()));
    }
    sent.sort_unstable();
    sent
}

/// Alice and bob, whose ids are numbers, and one whose id is a text.
async fn group(server: &Server) -> u64 {
    let _ = server.bob().get("/api/v1/me").await.ok();
    let _ = server.person("m-7", "Maria").get("/api/v1/me").await.ok();
    let body = json!({"kind": "group", "participants": [2, "m-7"]});
    server.alice().post("/api/conversations/", &body).await.ok()["id"].as_u64().unwrap()
}
