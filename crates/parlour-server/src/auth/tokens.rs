//! Access tokens: verifying those of the host application and ours, and making ours.

use std::sync::Arc;

use parlour_core::{
    Error, UserId,
    model::{Millis, SessionId},
    port::clock::Clock,
};
use serde::Serialize;

use super::{
    claims::{Members, Parts, Refusal},
    keys::{self, Keys, Verified},
    people::Described,
    refused,
};
use crate::config::Config;

/// The issuer of the server's own tokens.
const OURS: &str = "parlour";

/// Verifies and makes access tokens.
pub(super) struct Tokens {
    keys: Keys,
    clock: Arc<dyn Clock>,
    issuer: Option<String>,
    audience: Option<String>,
    claims: ClaimNames,
    max_life: Millis,
    name_chars: usize,
}

struct ClaimNames {
    user_id: String,
    username: String,
    name: String,
    email: String,
    avatar: String,
}

/// What a good token says.
pub(super) struct Token {
    pub(super) user: UserId,
    pub(super) described: Described,
    /// The session of ours that it belongs to.
    pub(super) session: Option<SessionId>,
    pub(super) issued_at: Millis,
    pub(super) expires_at: Millis,
}

/// The claims of a token that we make.
#[derive(Serialize)]
struct OwnClaims<'a> {
    iss: &'static str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Tokens {
    pub(super) fn new(
        config: &Config,
        secret: &[u8],
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let auth = &config.auth;
        let public = auth.public_keys.iter().map(|key| keys::read_public_key(key));
        let public = public.collect::<anyhow::Result<Vec<_>>>()?;
        let jwks = keys::jwks(auth.jwks_url.as_deref(), &clock)?;
        Ok(Self {
            keys: Keys::new(secret, public, jwks),
            clock,
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            claims: ClaimNames {
                user_id: auth.user_id_claim.clone(),
                username: auth.username_claim.clone(),
                name: auth.name_claim.clone(),
                email: auth.email_claim.clone(),
                avatar: auth.avatar_claim.clone(),
            },
            max_life: auth.max_token_life.millis(),
            name_chars: config.limits.name_chars,
        })
    }

    /// Verifies a token. What it rests on (user, session) is for the caller to check.
    pub(super) async fn verify(&self, token: &str) -> Result<Token, Error> {
        self.read(token).await.map_err(refused)
    }

    async fn read(&self, token: &str) -> Result<Token, Refusal> {
        let parts = Parts::split(token)?;
        let verified = self.keys.verify(&parts).await?;
        let claims = parts.claims()?;
        let ours = verified == Verified::BySecret && claims.text("iss") == Some(OURS);
        if !ours && !self.is_addressed(&claims) {
            return Err(Refusal::Issuer);
        }
        // Libraries that sign refresh tokens with the same key say so in this claim (djangorestframework-simplejwt).
        if claims.has("token_type") && claims.text("token_type") != Some("access") {
            return Err(Refusal::NoAccess);
        }
        let times = claims.times(self.clock.now(), self.max_life)?;
        let user = claims.user(if ours { "sub" } else { &self.claims.user_id })?;
        let session = claims.text("sid").filter(|_| ours).map(|id| SessionId(id.into()));
        let described = self.described(&claims);
        let issued_at = times.issued_at.unwrap_or(0);
        Ok(Token { user, described, session, issued_at, expires_at: times.expires_at })
    }

    /// Whether issuer and audience are the ones that are configured.
    fn is_addressed(&self, claims: &Members) -> bool {
        let issued = self.issuer.as_deref().is_none_or(|iss| claims.text("iss") == Some(iss));
        issued && self.audience.as_deref().is_none_or(|aud| claims.names("aud", aud))
    }

    fn described(&self, claims: &Members) -> Described {
        let web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        Described {
            username: claims.name(&self.claims.username, self.name_chars),
            name: claims.name(&self.claims.name, self.name_chars),
            email: claims.address(&self.claims.email, |mail| mail.contains('@')),
            avatar: claims.address(&self.claims.avatar, web),
        }
    }

    /// Makes an access token of our own.
    pub(super) fn make(
        &self,
        user: &UserId,
        session: Option<&SessionId>,
        name: Option<&str>,
        life: Millis,
    ) -> Result<String, Error> {
        let now = self.clock.now() / 1_000;
        let claims = OwnClaims {
            iss: OURS,
            sub: user.as_str(),
            iat: now,
            exp: now + life / 1_000,
            sid: session.map(|id| &*id.0),
            name,
        };
        self.keys.sign(&claims).map_err(Error::internal)
    }
}

/// Makes a token for a user with a secret alone, as `parlour token` does.
///
/// # Errors
/// When it cannot be signed.
pub(crate) fn mint(
    config: &Config,
    secret: &[u8],
    clock: Arc<dyn Clock>,
    user: &UserId,
    name: Option<&str>,
    life: Millis,
) -> anyhow::Result<String> {
    Ok(Tokens::new(config, secret, clock)?.make(user, None, name, life)?)
}
