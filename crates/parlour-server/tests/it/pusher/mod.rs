//! Clients of the Pusher protocol, through the front door: what they subscribe, say and hear, and the chat on their
//! channels.

mod chat;
mod connections;
mod kept;
mod presence;
mod removals;
mod returns;
pub(crate) mod stage;
mod subscriptions;
mod users;
mod whispers;

use serde_json::{Value, json};

use self::stage::{OTHER, Socket, Stage, sign};
use crate::gateway::client::End;

/// Whether a frame is an event, on a channel where one is named.
fn is<'a>(event: &'a str, channel: Option<&'a str>) -> impl Fn(&Value) -> bool + 'a {
    move |frame| frame["event"] == event && frame.get("channel").and_then(Value::as_str) == channel
}

/// The data of a frame that came as a text.
pub(crate) fn inner(frame: &Value) -> Value {
    serde_json::from_str(frame["data"].as_str().unwrap_or_else(|| panic!("{frame}"))).unwrap()
}

/// The `code` and `message` of the errors among frames.
fn errors(frames: &[Value]) -> Vec<(Value, String)> {
    let errors = frames.iter().filter(|frame| frame["event"] == "pusher:error");
    let told = |frame: &Value| {
        let data = &frame["data"];
        (data["code"].clone(), data["message"].as_str().unwrap().to_owned())
    };
    errors.map(told).collect()
}

/// What events of a name said on a channel.
fn said(frames: &[Value], event: &str, channel: &str) -> Vec<Value> {
    let fits = is(event, Some(channel));
    frames.iter().filter(|frame| fits(frame)).map(|frame| frame["data"].clone()).collect()
}

pub(crate) fn member(id: &str) -> Value {
    json!({ "user_id": id, "user_info": { "name": format!("N{id}") } })
}
