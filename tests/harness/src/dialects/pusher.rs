//! The Pusher protocol: the handshake by hand, and the user's own channel.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    log::{Heard, Log, Said},
    speech::{Place, Speech, number, text, user},
    stage::APP_KEY,
};
use crate::{rest::Rest, socket::Socket};

/// How long the handshake may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The chat on `private-user.{id}`.
pub(crate) struct Pusher;

fn channel(me: &str) -> String {
    format!("private-user.{me}")
}

/// What an event carries: JSON in a text, as the protocol has it, or as it is.
fn data(frame: &Value) -> Result<Value> {
    match frame["data"].as_str() {
        Some(text) => {
            serde_json::from_str(text).with_context(|| format!("no JSON in the data of {frame}"))
        }
        None => Ok(frame["data"].clone()),
    }
}

impl Speech for Pusher {
    fn address(&self, _: &Place) -> String {
        format!("/app/{APP_KEY}?protocol=7&client=harness&version=1.0.0&flash=false")
    }

    fn say(&self, me: &str, place: &Place, text: &str, client_id: &str, _: u64) -> Value {
        json!({
            "event": "client-message", "channel": channel(me),
            "data": {"conversation_id": place.conversation, "content": text, "tempId": client_id},
        })
    }

    fn hear(&self, me: &str, frame: &Value, log: &mut Log) -> Result<()> {
        let name = frame["event"].as_str().with_context(|| format!("no event in {frame}"))?;
        if name == "pusher:error" || name == "pusher:subscription_error" {
            log.add(Heard::Refused(frame.to_string()), me);
        }
        if name.starts_with("pusher") || frame["channel"] != channel(me) {
            return Ok(());
        }
        let event = data(frame)?;
        let data = &event["data"];
        let message = match &data["message"] {
            message @ Value::Object(_) => message,
            _ => data,
        };
        let heard = match event["type"].as_str().unwrap_or_default() {
            "message" => Heard::Said(Said {
                id: number(message, "id")?,
                sender: user(message, "sender_id")?,
                text: text(message, "content")?,
                created_at: text(message, "created_at")?,
            }),
            "edited" => Heard::Edited { id: named(message)?, text: text(message, "content")? },
            "deleted" => Heard::Deleted { id: named(message)? },
            "resync" => Heard::Resync,
            _ => return Ok(()),
        };
        log.add(heard, me);
        Ok(())
    }
}

/// The id of a message that an event is about.
fn named(message: &Value) -> Result<u64> {
    number(message, "id").or_else(|_| number(message, "message_id"))
}

/// Waits for the greeting, gets the channel signed, and subscribes. What comes before the subscription has
/// succeeded is a fault.
pub(crate) async fn subscribe(socket: &mut Socket, address: SocketAddr, me: &str) -> Result<()> {
    let (greeting, _) = socket.frame(PATIENCE).await?;
    if greeting["event"] != "pusher:connection_established" {
        bail!("the first frame is no greeting: {greeting}");
    }
    let socket_id = text(&data(&greeting)?, "socket_id")?;
    let asked = json!({"socket_id": socket_id, "channel_name": channel(me)});
    let signed = Rest::new(address, me)?.post("/broadcasting/auth", &asked).await?.ok()?;
    let subscribe = json!({"channel": channel(me), "auth": signed["auth"]});
    socket.send(&json!({"event": "pusher:subscribe", "data": subscribe})).await?;
    let (answer, _) = socket.frame(PATIENCE).await?;
    if answer["event"] != "pusher_internal:subscription_succeeded" {
        bail!("the subscription did not succeed: {answer}");
    }
    Ok(())
}
