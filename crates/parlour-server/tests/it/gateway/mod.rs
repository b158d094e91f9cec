//! The native socket, its stream and polling forms, through the front door: a plain WebSocket library against
//! the whole server on a port of its own.

pub(crate) mod client;
mod commands;
mod crowds;
mod lifetimes;
mod resume;
pub(crate) mod server;
mod signals;
mod streams;
mod upgrade;

use serde_json::{Value, json};

use self::{
    client::{Client, End},
    server::Server,
};

/// A direct conversation of two people who are both listening. Gives its id.
pub(crate) fn direct(one: &mut Client, other: &str) -> u64 {
    let made = one
        .ask(json!({ "type": "conversation.create", "kind": "direct", "participants": [other] }));
    made["ok"]["conversation"]["id"].as_u64().unwrap()
}

pub(crate) fn group(one: &mut Client, others: &[&str]) -> u64 {
    let made = one.ask(json!({ "type": "conversation.create", "kind": "group", "participants": others, "title": "Group" }));
    made["ok"]["conversation"]["id"].as_u64().unwrap()
}

pub(crate) fn say(client: &mut Client, conversation: u64, text: &str) -> Value {
    let reply = client
        .ask(json!({ "type": "message.send", "conversation_id": conversation, "content": text }));
    assert_eq!(reply["ok"]["duplicate"], false, "{reply}");
    reply["ok"]["message"].clone()
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |frame| frame["type"] == kind
}

fn code(reply: &Value) -> &str {
    reply["error"]["code"].as_str().unwrap_or("no error")
}
