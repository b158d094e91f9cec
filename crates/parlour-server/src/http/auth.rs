//! Signing in and out: logins, cookies, refresh tokens, tickets, registration.

use axum::{
    Json as Answer,
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use http::{HeaderMap, StatusCode, header};
use parlour_wire::native::object;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    error::Problem,
    extract::{Address, Caller, Json},
};
use crate::{
    auth::{Origins, Registration, SignedIn, TICKET_LIFE},
    demo,
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(methods))
        .routes(routes!(login))
        .routes(routes!(register))
        .routes(routes!(password))
        .routes(routes!(session))
        .routes(routes!(refresh))
        .routes(routes!(ticket))
        .routes(routes!(logout))
}

/// How people may sign in here.
#[derive(Serialize, ToSchema)]
struct Methods {
    /// With a username and a password.
    password: bool,
    /// People may make accounts of their own.
    registration: bool,
    /// People of the demonstration whom anybody may try; empty elsewhere.
    demo: Vec<DemoPerson>,
}

/// Somebody of the demonstration.
#[derive(Serialize, ToSchema)]
struct DemoPerson {
    /// The name to sign in with.
    #[schema(example = "alice")]
    username: &'static str,
    /// The name to show.
    #[schema(example = "Alice Archer")]
    name: &'static str,
    /// The password.
    #[schema(example = "demo")]
    password: &'static str,
}

/// A username and a password.
#[derive(Deserialize, ToSchema)]
struct Login {
    /// The name to sign in with; upper and lower case are the same.
    #[schema(example = "alice")]
    username: String,
    /// The password.
    #[schema(example = "demo")]
    password: String,
}

/// What a login gives.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// The access token, for `Authorization: Bearer`.
    access: String,
    /// The refresh token, good for one use.
    refresh: String,
    /// How long the access token lasts, in seconds.
    #[schema(example = 900)]
    expires_in: i64,
    /// Who signed in.
    user: object::Me,
}

/// An account to make.
#[derive(Deserialize, ToSchema)]
struct NewAccount {
    /// The name to sign in with.
    #[schema(example = "dana")]
    username: String,
    /// The password: 8 characters at least, 1024 bytes at most.
    password: String,
    /// The name to show.
    #[schema(example = "Dana Diaz")]
    name: Option<String>,
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
struct NewPassword {
    /// The present password.
    current: String,
    /// The new one: 8 characters at least, 1024 bytes at most.
    new: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
struct Refresh {
    /// The refresh token of the login, or of the last refresh.
    refresh: String,
}

/// A new access token.
#[derive(Serialize, ToSchema)]
struct RefreshedTokens {
    /// The access token.
    access: String,
    /// The refresh token that replaces the one that was used.
    refresh: String,
    /// How long the access token lasts, in seconds.
    #[schema(example = 900)]
    expires_in: i64,
}

/// A ticket.
#[derive(Serialize, ToSchema)]
struct Ticket {
    /// For `?ticket=`; good for one socket or stream.
    ticket: String,
    /// How long it waits, in seconds.
    #[schema(example = 30)]
    expires_in: i64,
}

/// How people may sign in here
///
/// For the login page.
#[utoipa::path(get, operation_id = "list_sign_in_methods", path = "/api/v1/auth/methods", tag = "auth", security(()),
    responses((status = 200, body = Methods, description = "What the login page offers")))]
async fn methods(State(api): State<Api>) -> Answer<Methods> {
    let people = demo::PEOPLE.iter().filter(|_| api.settings.demo);
    Answer(Methods {
        password: true,
        registration: api.auth.registration(),
        demo: people
            .map(|p| DemoPerson { username: p.username, name: p.name, password: demo::PASSWORD })
            .collect(),
    })
}

/// Sign in with a password
///
/// Gives tokens, and sets the session cookie. An unknown name and a wrong password are answered the same.
#[utoipa::path(post, operation_id = "log_in", path = "/api/v1/auth/login", tag = "auth", security(()), request_body = Login,
    responses((status = 200, body = LoggedIn, description = "Signed in; sets the session cookie")))]
async fn login(
    State(api): State<Api>,
    from: Address,
    Json(login): Json<Login>,
) -> Result<impl IntoResponse, Problem> {
    let signed_in = api.auth.log_in(&login.username, &login.password, from.0).await?;
    Ok(logged_in(StatusCode::OK, signed_in))
}

/// Make an account
///
/// Where the server lets people do that (`auth.registration`).
#[utoipa::path(post, operation_id = "register", path = "/api/v1/auth/register", tag = "auth", security(()), request_body = NewAccount,
    responses((status = 201, body = LoggedIn, description = "Made and signed in; sets the session cookie")))]
async fn register(
    State(api): State<Api>,
    from: Address,
    Json(new): Json<NewAccount>,
) -> Result<impl IntoResponse, Problem> {
    let NewAccount { username, password, name } = new;
    let wish = Registration { username, password, name };
    let signed_in = api.auth.register(wish, from.0).await?;
    Ok(logged_in(StatusCode::CREATED, signed_in))
}

/// Change one's password
///
/// Every sign-in so far ends, on every device; the answer is a new one.
#[utoipa::path(post, operation_id = "change_password", path = "/api/v1/auth/password", tag = "auth", request_body = NewPassword,
    responses((status = 200, body = LoggedIn, description = "Changed; sets a new session cookie")))]
async fn password(
    State(api): State<Api>,
    caller: Caller,
    from: Address,
    Json(change): Json<NewPassword>,
) -> Result<impl IntoResponse, Problem> {
    let NewPassword { current, new } = change;
    let signed_in = api.auth.change_password(&caller.0, &current, &new, from.0).await?;
    Ok(logged_in(StatusCode::OK, signed_in))
}

/// Exchange a bearer token for the session cookie
///
/// For pages that cannot send a header, such as sockets of a browser. The cookie ends when the token ends.
#[utoipa::path(post, operation_id = "open_session", path = "/api/v1/auth/session", tag = "auth",
    responses((status = 204, description = "Sets the session cookie")))]
async fn session(State(api): State<Api>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    let cookie = api.auth.open_session(&caller.0).await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])))
}

/// Renew an access token
///
/// Each refresh token is good once: keep the one of the answer. One that comes twice was stolen; then the whole sign-in ends.
#[utoipa::path(post, operation_id = "refresh", path = "/api/v1/auth/refresh", tag = "auth", security(()), request_body = Refresh,
    responses((status = 200, body = RefreshedTokens, description = "New tokens")))]
async fn refresh(
    State(api): State<Api>,
    Json(body): Json<Refresh>,
) -> Result<Answer<RefreshedTokens>, Problem> {
    let fresh = api.auth.refresh(&body.refresh).await?;
    let (access, refresh, expires_in) = (fresh.access, fresh.refresh, fresh.expires_in);
    Ok(Answer(RefreshedTokens { access, refresh, expires_in }))
}

/// Get a ticket for a socket
///
/// The safe way for browsers: `?ticket=` opens one socket or stream within 30 s, from the same origin.
#[utoipa::path(post, operation_id = "get_ticket", path = "/api/v1/auth/ticket", tag = "auth",
    responses((status = 200, body = Ticket, description = "A ticket")))]
async fn ticket(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Answer<Ticket>, Problem> {
    let ticket = api.auth.ticket(&caller.0, Origins::of(&headers)?).await?;
    Ok(Answer(Ticket { ticket, expires_in: TICKET_LIFE / 1_000 }))
}

/// Sign out
///
/// Ends the session that the caller came with, closes its sockets and removes the cookie.
#[utoipa::path(post, operation_id = "log_out", path = "/api/v1/auth/logout", tag = "auth",
    responses((status = 204, description = "Signed out")))]
async fn logout(State(api): State<Api>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    let cookie = api.auth.log_out(&caller.0).await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])))
}

fn logged_in(status: StatusCode, signed_in: SignedIn) -> impl IntoResponse {
    let SignedIn { access, refresh, expires_in, user, cookie } = signed_in;
    let body = LoggedIn { access, refresh, expires_in, user: object::Me::from(&user) };
    (status, AppendHeaders([(header::SET_COOKIE, cookie)]), Answer(body))
}
