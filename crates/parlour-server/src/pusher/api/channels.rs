//! What an application asks about its channels, and the end that it makes of a user's connections.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use parlour_wire::pusher::{
    Access, ApiError, ChannelName,
    http::{ChannelsAnswer, Info, PresentUser, UsersAnswer},
};

use super::{Door, Failure, json, signed};
use crate::pusher::apps::App;

/// `GET /apps/{app_id}/channels`: those that somebody has.
pub(super) async fn list(
    State(door): State<Door>,
    Path(app_id): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let call = signed::call(&door, &app_id, request).await?;
    let (wanted, prefix) = Info::of_channels(&call.query)?;
    let occupied = door.pusher.channels.occupied(&call.app, prefix, wanted).await;
    Ok(json(&ChannelsAnswer { channels: Some(occupied) }))
}

/// `GET /apps/{app_id}/channels/{channel}`: of one, also when nobody has it.
pub(super) async fn one(
    State(door): State<Door>,
    Path((app_id, channel)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let call = signed::call(&door, &app_id, request).await?;
    let channel = name(&channel, &call.app)?;
    let wanted = Info::of_channel(&call.query, &channel)?;
    let channels = std::slice::from_ref(&channel);
    let infos = door.pusher.channels.infos(&call.app, channels, wanted).await;
    Ok(json(&infos.into_iter().next().unwrap_or_default()))
}

/// `GET /apps/{app_id}/channels/{channel}/users`: who is on a presence channel.
pub(super) async fn users(
    State(door): State<Door>,
    Path((app_id, channel)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let call = signed::call(&door, &app_id, request).await?;
    let channel = name(&channel, &call.app)?;
    if channel.access() != Access::Presence {
        return Err(ApiError::BadRequest("Only presence channels have users").into());
    }
    let present = door.pusher.channels.users(&call.app, &channel).await;
    let users = present.into_iter().map(|id| PresentUser { id }).collect();
    Ok(json(&UsersAnswer { users }))
}

/// `POST /apps/{app_id}/users/{user_id}/terminate_connections`: ends the connections that are signed in as a user.
pub(super) async fn terminate(
    State(door): State<Door>,
    Path((app_id, user_id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let call = signed::call(&door, &app_id, request).await?;
    // A user whom the application has cannot be called otherwise.
    if user_id.is_empty() || user_id.chars().count() > call.app.limits.user_id {
        return Err(ApiError::BadRequest("The user's id is empty or longer than allowed").into());
    }
    let ended = door.pusher.channels.terminate(&call.app, &user_id).await;
    tracing::debug!(app = &*call.app.id, ended, "an application has ended a user's connections");
    Ok(json(&serde_json::json!({})))
}

fn name(channel: &str, app: &Arc<App>) -> Result<ChannelName, ApiError> {
    ChannelName::new(channel, &app.limits)
        .map_err(|_| ApiError::BadRequest("The channel's name is malformed"))
}
