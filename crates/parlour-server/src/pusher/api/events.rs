//! `POST /events` and `POST /batch_events`: an application publishes.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use parlour_wire::pusher::{
    ChannelName,
    http::{BatchAnswer, ChannelInfo, ChannelsAnswer, Info, batch_events, events},
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
    let told = if event.info.is_empty() {
        None
    } else {
        let infos = told(channels, &call.app, &event.channels, event.info).await;
        Some(event.channels.iter().map(ToString::to_string).zip(infos).collect())
    };
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
    if batch.iter().all(|event| event.info.is_empty()) {
        return Ok(json(&BatchAnswer { batch: None }));
    }
    let mut answers = Vec::with_capacity(batch.len());
    for event in &batch {
        let mut infos = match event.info.is_empty() {
            true => Vec::new(),
            false => told(channels, &call.app, &event.channels, event.info).await,
        };
        // An event of a batch has one channel.
        answers.push(infos.pop().unwrap_or_default());
    }
    Ok(json(&BatchAnswer { batch: Some(answers) }))
}

/// What is asked about channels, and nothing else.
async fn told(
    channels: &Channels,
    app: &Arc<App>,
    names: &[ChannelName],
    wanted: Info,
) -> Vec<ChannelInfo> {
    let infos = channels.infos(app, names, wanted).await;
    infos.into_iter().map(|info| ChannelInfo { occupied: None, ..info }).collect()
}
