//! The client without a socket: `POST`, and asking for what is new.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    client::Order,
    log::{Heard, Log},
    speech::{self, number},
};
use crate::rest::Rest;

/// How often it looks.
const POLL: Duration = Duration::from_millis(100);

/// Posts what it is to say, one after the other, and asks for what is new.
pub(super) async fn poll(
    rest: Rest,
    conversation: u64,
    me: String,
    log: Arc<watch::Sender<Log>>,
    mut orders: mpsc::Receiver<Order>,
) {
    let path = format!("/api/v1/conversations/{conversation}/messages");
    loop {
        let outcome = match timeout(POLL, orders.recv()).await {
            Ok(Some(Order::Send(frame))) => post(&rest, &path, &frame).await,
            Ok(Some(Order::Freeze)) => std::future::pending().await,
            Ok(Some(Order::Cut) | None) => return,
            Err(_) => look(&rest, &path, &me, &log).await,
        };
        if let Err(error) = outcome {
            log.send_modify(|log| log.add(Heard::Refused(format!("{error:#}")), &me));
        }
    }
}

async fn post(rest: &Rest, path: &str, frame: &Value) -> Result<()> {
    rest.post(path, frame).await?.ok().map(drop)
}

async fn look(rest: &Rest, path: &str, me: &str, log: &watch::Sender<Log>) -> Result<()> {
    loop {
        let after = log.borrow().position.map_or(0, |(_, seq)| seq);
        let page = rest.get(&format!("{path}?after={after}&limit=100")).await?.ok()?;
        let results = page["results"].as_array().context("a page without results")?;
        if results.is_empty() {
            return Ok(());
        }
        for value in results {
            let (seq, said) = (number(value, "seq")?, speech::message(value)?);
            log.send_modify(|log| {
                if let Some(said) = said {
                    log.add(Heard::Said(said), me);
                }
                log.moved(seq);
            });
        }
    }
}
