//! The public keys of an identity provider, fetched from its JSON Web Key Set and kept fresh.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use parlour_core::port::clock::Clock;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::keys::PublicKey;

/// Largest key set that is read.
const MAX_BYTES: usize = 256 * 1024;
/// Never asked more often than this, whatever tokens come.
const SOONEST: Duration = Duration::from_secs(30);
/// The same while there are no keys at all.
const RETRY: Duration = Duration::from_secs(3);
/// A removed key is refused after this long at the latest.
const LATEST: Duration = Duration::from_secs(60);

/// The keys of an identity provider.
pub(super) struct Jwks {
    url: reqwest::Url,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<Vec<PublicKey>>,
    /// Held while one request is under way; the others go on with the keys that are there.
    fetch: Mutex<Schedule>,
}

#[derive(Default)]
struct Schedule {
    /// No request before this moment.
    not_before: Duration,
    /// The keys are stale from this moment on.
    stale_at: Duration,
}

impl Jwks {
    pub(super) fn new(url: &str, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .user_agent(concat!("parlour/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            url: url.parse()?,
            client,
            clock,
            keys: ArcSwap::default(),
            fetch: Mutex::default(),
        })
    }

    /// The keys, refreshed when they are stale or lack the one that is asked for.
    pub(super) async fn keys(&self, algorithm: Algorithm, id: Option<&str>) -> Arc<Vec<PublicKey>> {
        let lacks = |keys: &[PublicKey]| {
            !keys
                .iter()
                .any(|k| k.algorithm == algorithm && (id.is_none() || k.key_id.as_deref() == id))
        };
        let keys = self.keys.load_full();
        let unknown = lacks(&keys);
        // Somebody else is asking: wait only when there is nothing to go on with.
        let mut schedule = match self.fetch.try_lock() {
            Ok(schedule) => schedule,
            Err(_) if !unknown => return keys,
            Err(_) => self.fetch.lock().await,
        };
        let unknown = unknown && lacks(&self.keys.load());
        let now = self.clock.monotonic();
        if (unknown || now >= schedule.stale_at) && now >= schedule.not_before {
            schedule.not_before = now + SOONEST;
            match self.request().await {
                Ok((fresh, life)) => {
                    schedule.stale_at = now + life;
                    self.keys.store(Arc::new(fresh));
                }
                Err(error) => {
                    if self.keys.load().is_empty() {
                        schedule.not_before = now + RETRY;
                    }
                    tracing::warn!(%error, "the key set cannot be fetched; the old keys stay");
                }
            }
        }
        self.keys.load_full()
    }

    async fn request(&self) -> anyhow::Result<(Vec<PublicKey>, Duration)> {
        let mut answer = self.client.get(self.url.clone()).send().await?.error_for_status()?;
        anyhow::ensure!(answer.status().is_success(), "the answer is {}", answer.status());
        let life = freshness(answer.headers());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            anyhow::ensure!(body.len() + chunk.len() <= MAX_BYTES, "the key set is too large");
            body.extend_from_slice(&chunk);
        }
        let set: KeySet = serde_json::from_slice(&body)?;
        Ok((set.keys.into_iter().filter_map(usable).collect(), life))
    }
}

/// A key set in which single keys may be of forms that are not known here.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// A key that verifies signatures with one of the accepted algorithms.
fn usable(key: serde_json::Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let natural = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(p) if p.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        // A shared secret does not belong into a public place.
        _ => return None,
    };
    let declared_fits = match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => natural == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => natural == Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => natural == Algorithm::EdDSA,
        Some(_) => false,
    };
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| declared_fits)?;
    Some(PublicKey { algorithm: natural, key_id: jwk.common.key_id, key })
}

/// How long the answer says that it is good, within our own bounds.
fn freshness(headers: &reqwest::header::HeaderMap) -> Duration {
    let cache = headers.get(reqwest::header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let age = cache.unwrap_or_default().split(',').find_map(|part| {
        part.trim().strip_prefix("max-age=").and_then(|seconds| seconds.parse().ok())
    });
    age.map_or(LATEST, Duration::from_secs).clamp(SOONEST, LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn b2_a_shared_secret_in_a_key_set_is_no_key() {
        assert!(usable(json!({"kty":"oct","k":"c2VjcmV0","alg":"HS256","kid":"a"})).is_none());
        assert!(usable(json!({"kty":"oct","k":"c2VjcmV0"})).is_none());
    }

    #[test]
    fn a_key_is_bound_to_its_own_algorithm() {
        let ed =
            json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(usable(ed.clone()).map(|k| k.algorithm), Some(Algorithm::EdDSA));
        let mut other = ed.clone();
        other["alg"] = json!("ES256");
        assert!(usable(other).is_none());
        let mut encrypting = ed;
        encrypting["use"] = json!("enc");
        assert!(usable(encrypting).is_none());
        assert!(usable(json!({"kty":"new","x":1})).is_none());
    }

    #[test]
    fn freshness_stays_within_bounds() {
        let of = |value: &str| {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert("cache-control", value.parse().unwrap());
            freshness(&headers).as_secs()
        };
        assert_eq!(of("public, max-age=45"), 45);
        assert_eq!(of("max-age=0"), 30);
        assert_eq!(of("max-age=86400"), 60);
        assert_eq!(of("no-store"), 60);
    }

    /// A server that answers each request with the next of these key sets, the last one again and again.
    async fn serve(bodies: Vec<String>) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let serving = async move {
            let mut next = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                let body = &bodies[next.min(bodies.len() - 1)];
                next += 1;
                let _ = stream.read(&mut [0; 4096]).await;
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
                );
                let _ = stream.write_all((head + body).as_bytes()).await;
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a test's own little server")]
        tokio::spawn(serving);
        url
    }

    #[tokio::test]
    async fn b19_a_removed_key_is_refused_within_a_minute_and_a_new_one_found() {
        crate::system::install_crypto();
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = |id: &str| json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id});
        let set = |keys: serde_json::Value| json!({"keys": keys}).to_string();
        let bodies = vec![
            set(json!([key("old")])),
            set(json!([key("old"), key("new")])),
            set(json!([key("new")])),
        ];
        let clock = Arc::new(parlour_core::testing::FakeClock::default());
        let jwks = Jwks::new(&serve(bodies).await, clock.clone()).unwrap();
        let has = async |id: &str| {
            let keys = jwks.keys(Algorithm::EdDSA, Some(id)).await;
            keys.iter().any(|key| key.key_id.as_deref() == Some(id))
        };
        assert!(has("old").await);
        assert!(!has("new").await, "asked a moment ago");
        clock.advance(SOONEST);
        assert!(has("new").await && has("old").await, "both during the overlap");
        clock.advance(LATEST);
        assert!(!has("old").await, "removed");
        assert!(has("new").await);
    }
}
