//! Reading a JSON Web Token's parts, strictly: every form that is not exactly right is refused.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parlour_core::{UserId, ids::is_forbidden_in_names};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

/// Longest token that is looked at.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token is refused; for the log at debug level only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token is too long")]
    TooLong,
    #[error("the token is malformed")]
    Malformed,
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    #[error("the token has critical headers")]
    Critical,
    #[error("no key verifies the token")]
    Signature,
    #[error("the token has no usable exp")]
    NoExpiry,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token lives too long")]
    LivesTooLong,
    #[error("the token names no usable user id")]
    User,
    #[error("the token has another issuer or audience")]
    Issuer,
    #[error("the token is not for access")]
    NoAccess,
    #[error("the token was revoked, or its session has ended")]
    Revoked,
    #[error("the user is banned")]
    Banned,
    #[error("the user is unknown")]
    UnknownUser,
}

/// A token taken apart, nothing of it verified.
pub(super) struct Parts<'a> {
    pub(super) algorithm: String,
    pub(super) key_id: Option<String>,
    /// What the signature covers.
    pub(super) signed: &'a str,
    pub(super) signature: &'a str,
    payload: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Malformed);
        };
        let base64url = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if ![header, payload, signature].into_iter().all(base64url) {
            return Err(Refusal::Malformed);
        }
        let members = Members::decode(header)?;
        if members.0.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        let Some(Value::String(algorithm)) = members.0.get("alg") else {
            return Err(Refusal::Algorithm);
        };
        let key_id = match members.0.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(Refusal::Malformed),
        };
        let signed = token.get(..header.len() + 1 + payload.len()).ok_or(Refusal::Malformed)?;
        Ok(Self { algorithm: algorithm.clone(), key_id, signed, signature, payload })
    }

    /// The claims. Call only once the signature is verified.
    pub(super) fn claims(&self) -> Result<Members, Refusal> {
        Members::decode(self.payload)
    }
}

/// The members of a JSON object, none of them twice.
pub(super) struct Members(BTreeMap<String, Value>);

impl Members {
    fn decode(part: &str) -> Result<Self, Refusal> {
        let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether a claim is a text or a list of texts that has `wanted` in it.
    pub(super) fn names(&self, claim: &str, wanted: &str) -> bool {
        match self.0.get(claim) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(list)) => list.iter().any(|item| item.as_str() == Some(wanted)),
            _ => false,
        }
    }

    /// `iat` and `exp` in milliseconds, checked: no leeway at the end, 30 s at the beginning.
    pub(super) fn times(&self, now: i64, max_life: i64) -> Result<Times, Refusal> {
        const SKEW: i64 = 30_000;
        let expires_at = match self.0.get("exp") {
            Some(Value::Number(n)) => n.as_i64().and_then(|s| s.checked_mul(1_000)),
            _ => None,
        };
        let expires_at = expires_at.ok_or(Refusal::NoExpiry)?;
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        let issued_at = self.moment("iat")?;
        let begins_at = self.moment("nbf")?;
        if issued_at.into_iter().chain(begins_at).any(|moment| moment > now + SKEW) {
            return Err(Refusal::NotYet);
        }
        let life = expires_at - issued_at.unwrap_or(now).min(now);
        if life > max_life.saturating_add(SKEW) || expires_at - now > max_life + SKEW {
            return Err(Refusal::LivesTooLong);
        }
        Ok(Times { issued_at, expires_at })
    }

    /// A moment in whole or broken seconds, in milliseconds.
    fn moment(&self, claim: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let seconds = value.as_i64().or_else(|| {
            // Some libraries write times of the present as floats; anything larger is nonsense anyhow.
            let float = value.as_f64().filter(|f| (0.0..1e11).contains(f))?;
            #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
            Some(float.floor() as i64)
        });
        let moment = seconds.and_then(|s| s.checked_mul(1_000)).ok_or(Refusal::NotYet)?;
        Ok(Some(moment))
    }

    /// The user's id: the named claim, else `sub`; a number or a text.
    pub(super) fn user(&self, claim: &str) -> Result<UserId, Refusal> {
        let value =
            self.0.get(claim).filter(|value| !value.is_null()).or_else(|| self.0.get("sub"));
        let id = match value {
            Some(Value::String(text)) => UserId::new(text),
            Some(Value::Number(n)) if n.is_u64() || n.is_i64() => UserId::new(&n.to_string()),
            _ => return Err(Refusal::User),
        };
        id.map_err(|_| Refusal::User)
    }

    /// A name: without characters that must not be in one, and cut to what fits.
    pub(super) fn name(&self, claim: &str, most: usize) -> Option<Arc<str>> {
        let clean: String =
            self.text(claim)?.chars().filter(|c| !is_forbidden_in_names(*c)).collect();
        let cut: String = clean.trim().chars().take(most).collect();
        let cut = cut.trim_end();
        (!cut.is_empty()).then(|| cut.into())
    }

    /// An address for mail or of a picture, if it looks like one.
    pub(super) fn address(
        &self,
        claim: &str,
        looks_right: impl Fn(&str) -> bool,
    ) -> Option<Arc<str>> {
        let text = self.text(claim)?;
        let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        (plain && text.len() <= 2_048 && looks_right(text)).then(|| text.into())
    }
}

/// When a token was issued and when it ends, in milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) issued_at: Option<i64>,
    pub(super) expires_at: i64,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;
        impl<'de> Visitor<'de> for Unique {
            type Value = BTreeMap<String, Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(key, value).is_some() {
                        return Err(A::Error::custom("a member comes twice"));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Unique).map(Self)
    }
}
