//! The auth endpoints of the chat's channels: `/broadcasting/auth` and `/broadcasting/user-auth`.
//!
//! They have the shape of a Laravel application's. They sign for the chat's own channels, and only for somebody who
//! belongs there; every other channel is signed by the application's own backend.

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{Method, StatusCode, header, request::Parts};
use parlour_core::{Code, ConversationId, Error, UserId, command::Identity, model::Profile};
use parlour_wire::pusher::{
    ApiError, ChannelName, ChatChannel, PusherLimits, SocketId,
    auth::{AuthAnswer, AuthRequest, channel_data, user_data},
};
use serde_json::{Value, json};

use super::api::Door;
use crate::{
    auth::{Surface, names_somebody},
    http::{error::Problem, extract::is_json},
};

/// Largest body, in bytes: two short fields.
const BODY: usize = 8 * 1024;

pub(super) fn routes() -> Router<Door> {
    let channel = || get(sign_channel).post(sign_channel);
    let user = || get(sign_user).post(sign_user);
    Router::new()
        .route("/broadcasting/auth", channel())
        .route("/api/broadcasting/auth", channel())
        .route("/broadcasting/user-auth", user())
        .route("/api/broadcasting/user-auth", user())
}

/// Signs for a channel of the chat.
async fn sign_channel(State(door): State<Door>, request: Request) -> Result<Response, Problem> {
    let (caller, wish) = read(&door, request).await?;
    let channel = wish.channel.ok_or_else(|| malformed("channel_name is missing"))?;
    let user = caller.actor.user.clone();
    let member = match channel.chat().ok_or_else(refused)? {
        ChatChannel::User(owner) if owner == user => None,
        ChatChannel::User(_) => return Err(refused()),
        ChatChannel::Conversation(id) => {
            may_join(&door, &user, id).await?;
            None
        }
        ChatChannel::PresenceConversation(id) => {
            may_join(&door, &user, id).await?;
            Some(channel_data(user.as_str(), &described(&door, &user).await?))
        }
    };
    let app = door.pusher.apps.chat().ok_or_else(refused)?;
    let signer = app.default_signer().ok_or_else(refused)?;
    let auth = signer.sign_channel(wish.socket, &channel, member.as_deref());
    granted(&door, wish.socket, &channel, &caller).await;
    Ok(answer(AuthAnswer { auth, channel_data: member, user_data: None }))
}

/// Signs that a connection is the caller's.
async fn sign_user(State(door): State<Door>, request: Request) -> Result<Response, Problem> {
    let (caller, wish) = read(&door, request).await?;
    let user = &caller.actor.user;
    let data = user_data(user.as_str(), &described(&door, user).await?, &[]);
    let app = door.pusher.apps.chat().ok_or_else(refused)?;
    let signer = app.default_signer().ok_or_else(refused)?;
    let auth = signer.sign_user(wish.socket, &data);
    Ok(answer(AuthAnswer { auth, channel_data: None, user_data: Some(data) }))
}

/// Who asks, and what. Whoever is not signed in learns nothing about what he has sent.
async fn read(door: &Door, request: Request) -> Result<(Identity, AuthRequest), Problem> {
    let (mut parts, body) = request.into_parts();
    let caller = caller(door, &mut parts).await?;
    let limits = &door.limits;
    let wish = if parts.method == Method::POST {
        let late = || malformed("the body took too long or broke off, or is too long");
        let body = tokio::time::timeout(door.api.settings.body_timeout, to_bytes(body, BODY));
        let body = body.await.map_err(|_| late())?.map_err(|_| late())?;
        of_body(&parts, &body, limits)
    } else {
        AuthRequest::from_form(parts.uri.query().unwrap_or_default().as_bytes(), limits)
    };
    wish.map(|wish| (caller, wish)).map_err(|error| malformed(&error.to_string()))
}

/// A form or JSON; what says neither is a form, as a browser sends it.
fn of_body(parts: &Parts, body: &[u8], limits: &PusherLimits) -> Result<AuthRequest, ApiError> {
    if is_json(&parts.headers) {
        return AuthRequest::from_json(body, limits);
    }
    AuthRequest::from_form(body, limits)
}

/// The signed-in caller.
async fn caller(door: &Door, parts: &mut Parts) -> Result<Identity, Problem> {
    // What is signed may be used at once, so a cookie counts only where a page of an allowed origin asks: the
    // rule for calls that change something, for GET too.
    let method = std::mem::replace(&mut parts.method, Method::POST);
    let identity = door.api.auth.identify(parts, Surface::Rest).await;
    parts.method = method;
    match identity {
        Ok(Some(identity)) if names_somebody(&identity) => Ok(identity),
        Ok(Some(_)) => Err(malformed("name the user in the Parlour-User header")),
        Ok(None) => Err(forbidden(Error::new(Code::NotAuthenticated, "sign in first"))),
        // Clients of this endpoint know one refusal.
        Err(error) if error.code == Code::NotAuthenticated => Err(forbidden(error)),
        Err(error) => Err(error.into()),
    }
}

/// Whether the user is in the conversation. Unknown and foreign ones look the same.
async fn may_join(door: &Door, user: &UserId, id: ConversationId) -> Result<(), Problem> {
    let membership = door.api.chat.store().membership(user.clone(), id).await?;
    membership.map(|_| ()).ok_or_else(refused)
}

/// What others on a presence channel see of a user, within the protocol's limit.
async fn described(door: &Door, user: &UserId) -> Result<Value, Problem> {
    let known = door.api.chat.store().user(user.clone()).await?;
    let profile = known.map(|user| user.profile);
    Ok(shown(user, profile.as_deref(), door.limits.user_info))
}

fn shown(user: &UserId, profile: Option<&Profile>, most: usize) -> Value {
    let bare = Profile::bare(user.clone());
    let profile = profile.unwrap_or(&bare);
    let id = user.as_str();
    let (username, name) = (&*profile.username, &*profile.name);
    let full =
        json!({"id": id, "username": username, "name": name, "avatar": profile.avatar.as_deref()});
    let plain = json!({"id": id, "username": username, "name": name, "avatar": null});
    // The address of the picture may be long, and so may names, where the operator allows it.
    let fits = |value: &Value| value.to_string().len() <= most;
    [full, plain].into_iter().find(fits).unwrap_or_else(|| json!({"id": id}))
}

/// Lets the connection act as the caller on the channel, also where it is another process's. None takes no harm.
async fn granted(door: &Door, socket: SocketId, channel: &ChannelName, caller: &Identity) {
    if let Some(app) = door.pusher.apps.chat()
        && !door.pusher.channels.grant(app, socket, channel, caller).await
    {
        tracing::debug!("a channel was signed for a connection that is not here");
    }
}

fn answer(answer: AuthAnswer) -> Response {
    let mut response = Json(answer).into_response();
    let never = http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    response
}

/// The one refusal: another's channel, a foreign conversation and one that does not exist look alike.
fn refused() -> Problem {
    forbidden(Error::new(Code::Forbidden, "there is no such channel, or it is not yours"))
}

fn forbidden(error: Error) -> Problem {
    Problem::from(error).with_status(StatusCode::FORBIDDEN)
}

fn malformed(message: &str) -> Problem {
    Error::new(Code::InvalidFrame, message.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_user_fits_the_limit() {
        let user = UserId::new("7").unwrap();
        let avatar = |length: usize| Some(format!("https://x/{}", "a".repeat(length)).into());
        let profile = |avatar| Profile {
            id: user.clone(),
            username: "dana".into(),
            name: "Dana".into(),
            avatar,
        };
        let short = shown(&user, Some(&profile(avatar(10))), 1_024);
        assert_eq!(short["avatar"], "https://x/aaaaaaaaaa");
        let long = shown(&user, Some(&profile(avatar(2_000))), 1_024);
        assert_eq!(long, json!({"id": "7", "username": "dana", "name": "Dana", "avatar": null}));
        assert_eq!(shown(&user, None, 1_024)["name"], "7");
    }
}
