//! `POST /events` and `POST /batch_events`: an application publishes.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use parlour_wire::pusher::{
    ChannelName,
    http::{BatchAnswer, ChannelInfo, ChannelsAnswer, Info, Trigger, batch_events, events},
};

use super::{Door, Failure, json, signed};
use crate::pusher::{apps::App, channels::Channels};

/// `POST /apps/{app_id}/events`.
pub(super) async fn publish(
    State(door): State<Door>,
    Path(app_id): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let call = signed::call(&door, &app_id, request).await?;
    let event = events(&call.body, &call.app.limits)?;
    let channels = &door.pusher.channels;
    channels.publish(&call.app, &event);
    let told = (!event.info.is_empty()).then(|| {
        let about = |channel| {
            (ToString::to_string(channel), told(channels, &call.app, channel, event.info))
        };
        event.channels.iter().map(about).collect()
    });
    Ok(json(&ChannelsAnswer { channels: told }))
}

/// `POST /apps/{app_id}/batch_events`: all of them, or none where one of them is malformed.
pub(super) async fn publish_batch(
    State(door): State<Door>,
    Path(app_id): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let call = signed::call(&door, &app_id, request).await?;
    let batch = batch_events(&call.body, &call.app.limits)?;
    let channels = &door.pusher.channels;
    for event in &batch {
        channels.publish(&call.app, event);
    }
    let asked = batch.iter().any(|event| !event.info.is_empty());
    let answer = asked.then(|| batch.iter().map(|event| told_of(channels, &call.app, event)));
    Ok(json(&BatchAnswer { batch: answer.map(Iterator::collect) }))
}

/// What an event of a batch asks about its one channel.
fn told_of(channels: &Channels, app: &Arc<App>, event: &Trigger) -> ChannelInfo {
    match event.channels.first() {
        Some(channel) if !event.info.is_empty() => told(channels, app, channel, event.info),
        _ => ChannelInfo::default(),
    }
}

/// What is asked about a channel, and nothing else.
fn told(channels: &Channels, app: &Arc<App>, channel: &ChannelName, wanted: Info) -> ChannelInfo {
    ChannelInfo { occupied: None, ..channels.info(app, channel, wanted) }
}
