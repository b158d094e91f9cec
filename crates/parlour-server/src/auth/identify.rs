//! The table of credentials: the first one that is present decides, good or bad.

use axum::extract::Query;
use http::{HeaderMap, Method, header, request};
use parlour_core::{
    Code, Error, UserId,
    command::{Actor, Identity},
    model::Session,
};

use super::{
    Auth,
    claims::Refusal,
    opaque,
    origin::{Origins, is_same_origin_fetch, session_cookie},
    people::Described,
    refused,
    tickets::Ticket,
};

/// What kind of door somebody knocks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Surface {
    /// A REST call.
    Rest,
    /// A socket of the native protocol.
    NativeSocket,
    /// A socket of one of the seed dialects.
    DialectSocket,
    /// Server-sent events and long polling.
    Stream,
}

impl Surface {
    const fn is_socket(self) -> bool {
        matches!(self, Self::NativeSocket | Self::DialectSocket)
    }
}

/// The header with which the host application's server names the user for whom it acts.
pub(crate) const ON_BEHALF: &str = "parlour-user";

impl Auth {
    /// Who is calling; `None` when no credential is there at all.
    ///
    /// # Errors
    /// [`Code::NotAuthenticated`] for a bad credential, [`Code::Forbidden`] for a cookie from a page that may
    /// not use it, [`Code::InvalidFrame`] for a token where none may be, or a malformed `Origin`.
    pub(crate) async fn identify(
        &self,
        request: &request::Parts,
        surface: Surface,
    ) -> Result<Option<Identity>, Error> {
        let headers = &request.headers;
        let origin = Origins::of(headers)?;
        let query = QueryCredentials::of(request)?;
        if query.token.is_some() && matches!(surface, Surface::NativeSocket | Surface::Stream) {
            return Err(Error::new(Code::InvalidFrame, "tokens do not belong into addresses"));
        }
        if let Some(credential) = authorization(headers)? {
            return self.bearer(credential, headers, surface).await.map(Some);
        }
        if let Some(token) = query.token.filter(|_| surface == Surface::DialectSocket) {
            return self.verify_token(&token).await.map(Some);
        }
        if surface.is_socket()
            && let Some(token) = bearer_subprotocol(headers)?
        {
            return self.verify_token(token).await.map(Some);
        }
        if let Some(ticket) = query.ticket.filter(|_| surface != Surface::Rest) {
            return self.redeem(&ticket, origin, headers, surface).await.map(Some);
        }
        if let Some(cookie) = session_cookie(headers) {
            self.check_cookie_use(request, origin, surface)?;
            let session = self.sessions.by_cookie(cookie).await?;
            return self.of_session(&session).await.map(Some);
        }
        Ok(None)
    }

    /// Who a bearer token stands for.
    ///
    /// # Errors
    /// [`Code::NotAuthenticated`] for a bad one.
    pub(crate) async fn verify_token(&self, token: &str) -> Result<Identity, Error> {
        let token = self.tokens.verify(token).await?;
        let (issued_at, session) = match token.session {
            None => (token.issued_at, None),
            Some(id) => {
                let session = self.sessions.by_id(&id).await?;
                if session.user != token.user {
                    return Err(refused(Refusal::Revoked));
                }
                (session.created_at, Some(id))
            }
        };
        self.people.admit(&token.user, token.described, issued_at).await?;
        Ok(Identity {
            actor: Actor::user(token.user),
            session,
            expires_at: Some(token.expires_at),
            issued_at,
        })
    }

    /// A bearer token or an API key.
    async fn bearer(
        &self,
        credential: Credential<'_>,
        headers: &HeaderMap,
        surface: Surface,
    ) -> Result<Identity, Error> {
        let key = match credential {
            Credential::Token(token) => return self.verify_token(token).await,
            Credential::ApiKey(key) => key,
        };
        if self.store.api_key(opaque::hash(key)).await?.is_none() {
            return Err(refused(Refusal::Signature));
        }
        let user = match headers.get(ON_BEHALF) {
            Some(id) => {
                let id = id.to_str().map_err(|_| refused(Refusal::User))?;
                let user = UserId::new(id)?;
                self.people.introduce(&user).await?;
                user
            }
            // REST asks for the name where it is needed.
            None if surface == Surface::Rest => UserId::new(NOBODY)?,
            None => {
                return Err(Error::new(
                    Code::InvalidFrame,
                    "name the user in the Parlour-User header",
                ));
            }
        };
        let issued_at = self.clock.now();
        Ok(Identity { actor: Actor::server(user), session: None, expires_at: None, issued_at })
    }

    /// Who a session stands for.
    async fn of_session(&self, session: &Session) -> Result<Identity, Error> {
        self.people.admit(&session.user, Described::default(), session.created_at).await?;
        Ok(Identity {
            actor: Actor::user(session.user.clone()),
            session: Some(session.id.clone()),
            expires_at: Some(session.expires_at),
            issued_at: session.created_at,
        })
    }

    /// Takes a ticket: once, in time, and by the page that asked for it.
    async fn redeem(
        &self,
        ticket: &str,
        origin: Option<&str>,
        headers: &HeaderMap,
        surface: Surface,
    ) -> Result<Identity, Error> {
        let now = self.clock.now();
        let taken = self.store.take_ticket(opaque::hash(ticket), now).await?;
        let ticket = Ticket::decode(&taken.ok_or_else(|| refused(Refusal::Revoked))?)?;
        if let Some(asked_by) = ticket.origin.as_deref() {
            let same = match origin {
                Some(origin) => origin == asked_by,
                // A page's own GET carries no Origin, but browsers say so in another header.
                None => {
                    surface == Surface::Stream
                        && is_same_origin_fetch(headers)
                        && self.origins.is_own(asked_by, headers)
                }
            };
            if !same {
                return Err(refused(Refusal::Revoked));
            }
        }
        let identity = ticket.identity()?;
        if identity.expires_at.is_some_and(|end| end <= now) {
            return Err(refused(Refusal::Expired));
        }
        if let Some(session) = &identity.session {
            self.sessions.by_id(session).await?;
        }
        let user = &identity.actor.user;
        self.people.admit(user, Described::default(), identity.issued_at).await?;
        Ok(identity)
    }

    /// Whether a cookie may be used for this at all: only by pages of allowed origins.
    fn check_cookie_use(
        &self,
        request: &request::Parts,
        origin: Option<&str>,
        surface: Surface,
    ) -> Result<(), Error> {
        let headers = &request.headers;
        let safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let allowed = match (origin, surface) {
            (Some(origin), Surface::Rest) if safe => {
                // Without a CORS answer the page cannot read it anyhow; it must not even cost a read.
                self.origins.allows(origin, headers)
            }
            (Some(origin), _) => self.origins.allows(origin, headers),
            (None, Surface::Rest) => safe || is_same_origin_fetch(headers),
            (None, Surface::Stream) => is_same_origin_fetch(headers),
            (None, Surface::NativeSocket | Surface::DialectSocket) => false,
        };
        if allowed {
            return Ok(());
        }
        Err(Error::new(Code::Forbidden, "the session cookie may not be used from this origin"))
    }
}

/// Stands for "no user" until REST has seen that none is needed.
const NOBODY: &str = "parlour:nobody";

/// Whether the host application's server named the user for whom it acts.
pub(crate) fn names_somebody(identity: &Identity) -> bool {
    identity.actor.user.as_str() != NOBODY
}

enum Credential<'a> {
    Token(&'a str),
    ApiKey(&'a str),
}

/// The bearer token or API key of the headers.
fn authorization(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Error> {
    let malformed = || refused(Refusal::Malformed);
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(line) = lines.next() {
        if lines.next().is_some() {
            return Err(malformed());
        }
        let (scheme, token) =
            line.to_str().ok().and_then(|line| line.split_once(' ')).ok_or_else(malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(malformed());
        }
        let token = token.trim();
        return Ok(Some(match token.starts_with("pk_") {
            true => Credential::ApiKey(token),
            false => Credential::Token(token),
        }));
    }
    let Some(key) = headers.get("x-api-key") else { return Ok(None) };
    key.to_str().map(|key| Some(Credential::ApiKey(key))).map_err(|_| malformed())
}

/// The token after `bearer` in `Sec-WebSocket-Protocol`.
fn bearer_subprotocol(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut offered = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim);
    if !offered.any(|name| name == "bearer") {
        return Ok(None);
    }
    offered.next().map(Some).ok_or_else(|| refused(Refusal::Malformed))
}

/// The credentials that may stand in an address.
#[derive(Default)]
struct QueryCredentials {
    token: Option<String>,
    ticket: Option<String>,
}

impl QueryCredentials {
    fn of(request: &request::Parts) -> Result<Self, Error> {
        let mut found = Self::default();
        let query = request.uri.query().unwrap_or_default();
        if query.is_empty() {
            return Ok(found);
        }
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&request.uri) else {
            return Err(Error::new(Code::InvalidFrame, "the query is malformed"));
        };
        for (name, value) in pairs {
            let slot = match name.as_str() {
                "token" => &mut found.token,
                "ticket" => &mut found.ticket,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(refused(Refusal::Malformed));
            }
        }
        Ok(found)
    }
}
