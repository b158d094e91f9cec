//! An application's server that signs its calls by hand, without the code that verifies them.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};
use serde_json::Value;

use crate::support::{Answer, Server, now};

/// A server library with an application's id, key and secret.
#[derive(Clone, Copy)]
pub(super) struct Publisher<'a> {
    pub(super) server: &'a Server,
    pub(super) app: &'a str,
    pub(super) key: &'a str,
    pub(super) secret: &'a str,
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn sign(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

/// A call that is signed and not sent yet.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: String,
}

impl<'a> Publisher<'a> {
    pub(super) fn sign(&self, method: &'static str, path: &str, more: &str, body: &str) -> Signed {
        self.sign_at(now(), method, path, more, body)
    }

    /// With the parameters `more` (`a=b&c=d`, sorted after `auth_…` and `body_md5`), at a time.
    pub(super) fn sign_at(
        &self,
        time: i64,
        method: &'static str,
        path: &str,
        more: &str,
        body: &str,
    ) -> Signed {
        let path = format!("/apps/{}{path}", self.app);
        let mut query = format!("auth_key={}&auth_timestamp={time}&auth_version=1.0", self.key);
        if !body.is_empty() {
            let _ = write!(query, "&body_md5={}", hex(&Md5::digest(body)));
        }
        if !more.is_empty() {
            let _ = write!(query, "&{more}");
        }
        let signature = sign(self.secret, &format!("{method}\n{path}\n{query}"));
        let query = format!("{query}&auth_signature={signature}");
        Signed { method, path, query, body: body.to_owned() }
    }

    pub(super) async fn send(&self, call: &Signed) -> Answer {
        let path = format!("{}?{}", call.path, call.query);
        let request = self.server.request(call.method, &path);
        let request = request.header("content-type", "application/json");
        self.server.send(request.body(call.body.clone())).await
    }

    pub(super) async fn get(&self, path: &str, more: &str) -> Answer {
        self.send(&self.sign("GET", path, more, "")).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&self.sign("POST", path, "", &body.to_string())).await
    }
}
