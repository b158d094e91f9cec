//! Bearer tokens: everything that is not exactly right is refused with 401 (tables 4A and 4B).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::{
    SECRET, Server, Setup,
    keys::{Ec, Ed, Hmac, Rsa, Signer, base64url},
    now, soon,
};

const HEADER: &str = r#"{"alg":"HS256"}"#;

async fn status(server: &Server, token: &str) -> u16 {
    server.send(server.request("GET", "/api/v1/me").bearer_auth(token)).await.status
}

#[tokio::test]
async fn good_tokens_name_their_user() {
    let server = Server::start().await;
    let hmac = Hmac::new(SECRET);
    for (claims, id) in [
        (json!({"user_id": "u-1", "exp": soon()}), "u-1"),
        (json!({"user_id": 42, "exp": soon()}), "42"),
        (json!({"sub": "s-1", "exp": soon()}), "s-1"),
        (json!({"user_id": null, "sub": 7, "exp": soon()}), "7"),
        (json!({"user_id": "a", "sub": "b", "exp": soon(), "iat": now(), "nbf": now() + 20}), "a"),
        (json!({"user_id": "d", "token_type": "access", "exp": soon()}), "d"),
        (json!({"sub": "f", "exp": soon(), "iat": now() as f64 + 0.25}), "f"),
    ] {
        let token = hmac.jwt(&claims);
        let me = server.send(server.request("GET", "/api/v1/me").bearer_auth(&token)).await.ok();
        assert_eq!(me["id"], id);
        assert_eq!(
            (&me["username"], &me["name"]),
            (&json!(id), &json!(id)),
            "names are never null"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn names_of_a_token_update_the_profile() {
    let server = Server::start().await;
    let me = server.alice().get("/api/v1/me").await.ok();
    assert_eq!((&me["username"], &me["name"]), (&json!("alice"), &json!("Alice")));
    let claims = json!({"user_id": "1", "name": "Alice\u{202e} Archer", "email": "a@b.test",
        "picture": "javascript:alert(1)", "exp": soon()});
    let token = Hmac::new(SECRET).jwt(&claims);
    let me = server.send(server.request("GET", "/api/v1/me").bearer_auth(&token)).await.ok();
    assert_eq!(me["name"], "Alice Archer");
    assert_eq!(me["username"], "alice");
    assert_eq!(me["email"], "a@b.test");
    assert_eq!(me["avatar"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn b1_to_b14_bad_tokens_are_refused() {
    let server = Server::start().await;
    let hmac = Hmac::new(SECRET);
    let good = json!({"user_id": "1", "exp": soon()});
    let good_text = good.to_string();
    let payload = base64url(&good_text);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        hmac.jwt(&claims)
    };
    let raw_exp = |exp: &str| hmac.raw(HEADER, &format!(r#"{{"user_id":"1","exp":{exp}}}"#));
    let mut bad: Vec<(&str, String)> = Vec::new();
    for alg in ["none", "None", "nOnE", "HS384", "hs256", "RS256", ""] {
        let header = json!({"alg": alg});
        bad.push((
            "B1 alg without a signature",
            format!("{}.{payload}.", base64url(header.to_string())),
        ));
        bad.push(("B1 alg with a signature", hmac.with_header(&header, &good)));
    }
    bad.push(("B1 no alg", hmac.raw("{}", &good_text)));
    bad.push(("B1 alg is no text", hmac.raw(r#"{"alg":5}"#, &good_text)));
    bad.push(("B1 empty signature", format!("{}.{payload}.", base64url(HEADER))));
    bad.push(("other secret", Hmac::new("another secret, which is long enough").jwt(&good)));
    bad.push(("B4 kid is no text", hmac.with_header(&json!({"alg": "HS256", "kid": 5}), &good)));
    bad.push(("B5 crit", hmac.with_header(&json!({"alg": "HS256", "crit": ["exp"]}), &good)));
    bad.push(("B5 empty crit", hmac.with_header(&json!({"alg": "HS256", "crit": null}), &good)));
    for exp in [
        "\"9999999999\"",
        "1e9",
        "99999999999.5",
        "-1",
        "1e400",
        "[9999999999]",
        "null",
        "true",
        "9223372036854775807",
        "99999999999999999999",
    ] {
        bad.push(("B8 exp", raw_exp(exp)));
    }
    for kind in [json!("refresh"), json!("sliding"), json!(5), json!(null)] {
        bad.push(("not for access", with("token_type", kind)));
    }
    bad.push(("B8 no exp", hmac.jwt(&json!({"user_id": "1"}))));
    bad.push(("B10 expired", with("exp", json!(now() - 1))));
    bad.push(("B11 ten years", with("exp", json!(now() + 10 * 365 * 86_400))));
    bad.push((
        "B11 old, and long",
        hmac.jwt(&json!({"user_id": "1", "iat": now() - 90_000, "exp": soon()})),
    ));
    bad.push(("nbf", with("nbf", json!(now() + 120))));
    bad.push(("iat", with("iat", json!(now() + 120))));
    bad.push(("iat is a text", with("iat", json!("soon"))));
    for id in [
        json!(""),
        json!("x".repeat(1024)),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!("\u{202e}evil"),
        json!(1.5),
        json!(true),
        json!(["1"]),
        json!({"id": "1"}),
    ] {
        bad.push(("B13 user id", with("user_id", id)));
    }
    bad.push(("B13 no user", hmac.jwt(&json!({"exp": soon()}))));
    let twice = format!(r#"{{"user_id":"1","user_id":"2","exp":{}}}"#, soon());
    bad.push(("B13 a claim twice", hmac.raw(HEADER, &twice)));
    bad.push(("header member twice", hmac.raw(r#"{"alg":"HS256","alg":"HS256"}"#, &good_text)));
    bad.push(("B14 five parts", format!("{}.a.b", hmac.jwt(&good))));
    bad.push(("B14 padding", format!("{}=", hmac.jwt(&good))));
    bad.push(("B14 not base64url", hmac.jwt(&good).replacen('.', "+.", 1)));
    bad.push(("payload is no object", hmac.raw(HEADER, "[]")));
    bad.push(("payload is no JSON", hmac.raw(HEADER, "hello")));
    bad.push((
        "too long",
        hmac.jwt(&json!({"user_id": "1", "exp": soon(), "x": "y".repeat(9_000)})),
    ));
    bad.push(("empty", String::new()));
    bad.push(("not a token", "abc".to_owned()));
    for (name, token) in bad {
        assert_eq!(status(&server, &token).await, 401, "{name}: {token:.80}");
    }
    assert_eq!(status(&server, &hmac.jwt(&good)).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn b5_headers_that_name_keys_are_ignored() {
    let server = Server::start().await;
    let header = json!({"alg": "HS256", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/",
        "jwk": {"kty": "oct", "k": "AA"}, "kid": "../../x"});
    let token = Hmac::new(SECRET).with_header(&header, &json!({"sub": "1", "exp": soon()}));
    assert_eq!(status(&server, &token).await, 200);
    let foreign = Hmac::new([0]).with_header(&header, &json!({"sub": "1", "exp": soon()}));
    assert_eq!(status(&server, &foreign).await, 401);
    server.stop().await;
}

#[tokio::test]
async fn b2_an_algorithm_is_bound_to_its_key() {
    let (rsa, ec, ed) = (Rsa::new(), Ec::new(), Ed::new());
    let setup = Setup::new();
    let mut declared = Vec::new();
    for (name, algorithm, pem) in
        [("rsa", "RS256", rsa.pem()), ("ec", "ES256", ec.pem()), ("ed", "EdDSA", ed.pem())]
    {
        let file = setup.file(name);
        std::fs::write(&file, pem).unwrap();
        declared.push(format!("{algorithm}:{}", file.display()));
    }
    let server = setup.with("auth.public_keys", declared.join(",")).start().await;
    let claims = json!({"sub": "1", "exp": soon()});
    for signer in [&rsa as &dyn Signer, &ec, &ed, &Hmac::new(SECRET)] {
        assert_eq!(status(&server, &signer.jwt(&claims)).await, 200, "{}", signer.algorithm());
        // The right signature under another name is nothing.
        let others = ["RS256", "ES256", "EdDSA", "HS256"].into_iter();
        for other in others.filter(|name| *name != signer.algorithm()) {
            let token = signer.with_header(&json!({"alg": other}), &claims);
            assert_eq!(status(&server, &token).await, 401, "{} as {other}", signer.algorithm());
        }
    }
    for pem in [rsa.pem(), ec.pem(), ed.pem()] {
        assert_eq!(status(&server, &Hmac::new(pem.as_bytes()).jwt(&claims)).await, 401);
        assert_eq!(status(&server, &Hmac::new(pem.trim()).jwt(&claims)).await, 401);
    }
    assert_eq!(status(&server, &Ec::new().jwt(&claims)).await, 401);
    server.stop().await;
}

#[tokio::test]
async fn issuer_and_audience_must_fit_where_they_are_configured() {
    let setup = Setup::new().with("auth.issuer", "https://host.test").with("auth.audience", "chat");
    let server = setup.start().await;
    let hmac = Hmac::new(SECRET);
    for (iss, aud, expected) in [
        (json!("https://host.test"), json!("chat"), 200),
        (json!("https://host.test"), json!(["other", "chat"]), 200),
        (json!("https://evil.test"), json!("chat"), 401),
        (json!("https://host.test"), json!("other"), 401),
        (json!("https://host.test"), json!(null), 401),
        (json!(null), json!("chat"), 401),
    ] {
        let token = hmac.jwt(&json!({"sub": "1", "exp": soon(), "iss": iss, "aud": aud}));
        assert_eq!(status(&server, &token).await, expected, "{iss} {aud}");
    }
    server.stop().await;
}

#[tokio::test]
async fn unknown_users_are_refused_where_the_host_is_not_trusted() {
    let server = Setup::new().with("auth.trust_host_users", "off").start().await;
    server.alice().get("/api/v1/me").await.refused(401, "not_authenticated");
    server.stop().await;
}

/// Serves a key set that can be changed, and counts how often it is asked for.
struct KeySet {
    url: String,
    body: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl KeySet {
    async fn serve(keys: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let body = Arc::new(Mutex::new(json!({"keys": keys}).to_string()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (body.clone(), asked.clone());
        #[expect(clippy::disallowed_methods, reason = "a test's own little server")]
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let body = shared.lock().unwrap().clone();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        Self { url, body, asked }
    }
}

#[tokio::test]
async fn keys_of_a_key_set_verify_and_are_asked_for_seldom() {
    let (known, unknown) = (Ec::new(), Ec::new());
    let secret = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": base64url("x".repeat(40))});
    let keys = KeySet::serve(&json!([known.jwk("a"), secret, {"kty": "future"}])).await;
    let server = Setup::new().with("auth.jwks_url", &*keys.url).start().await;
    let claims = json!({"sub": "1", "exp": soon()});
    let header = |kid: &str| json!({"alg": "ES256", "kid": kid});
    assert_eq!(status(&server, &known.with_header(&header("a"), &claims)).await, 200);
    for kid in ["../../x", "' OR 1=1 --", &"k".repeat(4_000), "b"] {
        let token = known.with_header(&header(kid), &claims);
        assert_eq!(status(&server, &token).await, 401, "B4 {kid:.20}");
    }
    assert_eq!(status(&server, &unknown.with_header(&header("a"), &claims)).await, 401);
    let forged =
        Hmac::new("x".repeat(40)).with_header(&json!({"alg": "HS256", "kid": "s"}), &claims);
    assert_eq!(status(&server, &forged).await, 401, "a shared secret of a key set is no key");
    assert_eq!(keys.asked.load(Ordering::SeqCst), 1, "unknown key ids do not cause requests");
    // A broken answer does not take the keys away.
    *keys.body.lock().unwrap() = "oops".to_owned();
    assert_eq!(status(&server, &known.with_header(&header("a"), &claims)).await, 200);
    server.stop().await;
}
