//! The keys that verify tokens. Each is bound to one algorithm; a token's header never chooses.

use std::{path::Path, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use parlour_core::port::clock::Clock;
use serde::Serialize;

use super::{
    claims::{Parts, Refusal},
    jwks::Jwks,
};

/// The server's secret and the host application's public keys.
pub(super) struct Keys {
    signing: EncodingKey,
    secret: DecodingKey,
    public: Vec<PublicKey>,
    jwks: Option<Jwks>,
}

/// A public key, with the one algorithm that it is for.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    pub(super) key: DecodingKey,
}

/// What verified a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    /// The server's own secret, which a host application may share.
    BySecret,
    /// A public key of the host application.
    ByPublicKey,
}

impl Keys {
    pub(super) fn new(secret: &[u8], public: Vec<PublicKey>, jwks: Option<Jwks>) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret),
            secret: DecodingKey::from_secret(secret),
            public,
            jwks,
        }
    }

    /// Signs claims with the server's secret.
    pub(super) fn sign(
        &self,
        claims: &impl Serialize,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
    }

    /// Verifies a signature with the keys that are for the token's algorithm.
    pub(super) async fn verify(&self, parts: &Parts<'_>) -> Result<Verified, Refusal> {
        let check = |key: &DecodingKey, algorithm| {
            jsonwebtoken::crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm)
                .unwrap_or(false)
        };
        let algorithm = match parts.algorithm.as_str() {
            "HS256" if check(&self.secret, Algorithm::HS256) => return Ok(Verified::BySecret),
            "HS256" => return Err(Refusal::Signature),
            other => asymmetric(other).ok_or(Refusal::Algorithm)?,
        };
        let fitting = |key: &&PublicKey| {
            key.algorithm == algorithm
                && (key.key_id.is_none() || key.key_id.as_deref() == parts.key_id.as_deref())
        };
        if self.public.iter().filter(fitting).any(|key| check(&key.key, algorithm)) {
            return Ok(Verified::ByPublicKey);
        }
        if let Some(jwks) = &self.jwks {
            let keys = jwks.keys(algorithm, parts.key_id.as_deref()).await;
            if keys.iter().filter(fitting).any(|key| check(&key.key, algorithm)) {
                return Ok(Verified::ByPublicKey);
            }
        }
        Err(Refusal::Signature)
    }
}

/// The public-key algorithms that are accepted.
pub(super) fn asymmetric(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// Reads a key of the configuration: `ALGORITHM:FILE`.
pub(super) fn read_public_key(declared: &str) -> anyhow::Result<PublicKey> {
    let (name, path) = declared.split_once(':').ok_or_else(|| {
        anyhow::anyhow!("auth.public_keys: `{declared}` is not of the form ALGORITHM:FILE")
    })?;
    let algorithm = asymmetric(name).ok_or_else(|| {
        anyhow::anyhow!("auth.public_keys: `{name}` is none of RS256, ES256 and EdDSA")
    })?;
    let pem = std::fs::read(Path::new(path))
        .map_err(|e| anyhow::Error::new(e).context(format!("cannot read the key file {path}")))?;
    let key = match algorithm {
        Algorithm::RS256 => DecodingKey::from_rsa_pem(&pem),
        Algorithm::ES256 => DecodingKey::from_ec_pem(&pem),
        _ => DecodingKey::from_ed_pem(&pem),
    };
    let key = key.map_err(|e| {
        anyhow::Error::new(e).context(format!("{path} holds no {name} public key in PEM form"))
    })?;
    Ok(PublicKey { algorithm, key_id: None, key })
}

/// The key set of the configured address, if one is.
pub(super) fn jwks(url: Option<&str>, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<Jwks>> {
    url.map(|url| Jwks::new(url, clock.clone())).transpose()
}
