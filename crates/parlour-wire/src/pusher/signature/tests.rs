//! Signatures against the vectors of the protocol's documentation, and against forgeries.

use super::*;

const KEY: &str = "278d425bdf160c739803";
const PRIVATE: &str = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
const MR_PUSHER: &str = "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
const MR_CHANNELS: &str = "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80";
const USER: &str = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";
const BODY: &str = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
const BODY_MD5: &str = "ec365a775a4cd0599faeb73354201b6f";
const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
const CALL: &str = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
const NOW: u64 = 1_353_088_179;

fn signer() -> Signer {
    Signer::new(KEY, "7ad3773142a6692b25b8").unwrap()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name, &PusherLimits::default()).unwrap()
}

const SOCKET: SocketId = SocketId::new(1234, 1234);

#[test]
fn vectors_of_channels_and_users() {
    let signer = signer();
    let check = |auth: String, digest: &str| assert_eq!(auth, format!("{KEY}:{digest}"));
    check(signer.sign_channel(SOCKET, &channel("private-foobar"), None), PRIVATE);
    for (name, digest) in [("Mr. Pusher", MR_PUSHER), ("Mr. Channels", MR_CHANNELS)] {
        let data = format!(r#"{{"user_id":10,"user_info":{{"name":"{name}"}}}}"#);
        let presence = channel("presence-foobar");
        let auth = signer.sign_channel(SOCKET, &presence, Some(&data));
        assert_eq!(signer.verify_channel(Some(&auth), SOCKET, &presence, Some(&data)), Ok(()));
        check(auth, digest);
    }
    let user = r#"{"id":"12345"}"#;
    check(signer.sign_user(SOCKET, user), USER);
    assert_eq!(signer.verify_user(&format!("{KEY}:{USER}"), SOCKET, user), Ok(()));
}

#[test]
fn m1_signatures_for_something_else() {
    let (signer, foobar) = (signer(), channel("private-foobar"));
    let good = format!("{KEY}:{PRIVATE}");
    let verify = |auth: Option<&str>, socket, channel: &ChannelName, data| {
        signer.verify_channel(auth, socket, channel, data)
    };
    assert_eq!(verify(Some(&good), SOCKET, &foobar, None), Ok(()));

    let wrong = |channel: &ChannelName, socket, with_data| {
        Err(Refusal::InvalidSignature { socket, channel: Some(channel.clone()), with_data })
    };
    let (other, socket) = (channel("private-foobaz"), SocketId::new(1234, 1235));
    assert_eq!(verify(Some(&good), SOCKET, &other, None), wrong(&other, SOCKET, false));
    assert_eq!(verify(Some(&good), socket, &foobar, None), wrong(&foobar, socket, false));
    assert_eq!(verify(Some(&good), SOCKET, &foobar, Some("")), wrong(&foobar, SOCKET, true));
    let upper = format!("{KEY}:{}", PRIVATE.to_uppercase());
    let short = &good[..good.len() - 1];
    let long = format!("{good}0");
    let changed = good.replace("58df", "58de");
    for auth in
        ["", ":", KEY, &format!("{KEY}:"), &upper, short, &long, &changed, &format!(" {good}")]
    {
        let refusal = verify(Some(auth), SOCKET, &foobar, None).unwrap_err();
        assert!(
            matches!(refusal, Refusal::InvalidSignature { .. } | Refusal::InvalidKey),
            "{auth}: {refusal}"
        );
        assert!(!refusal.to_string().contains("58df8b0c"), "{refusal}");
    }
    assert_eq!(verify(None, SOCKET, &foobar, None), wrong(&foobar, SOCKET, false));
    let foreign = format!("other:{PRIVATE}");
    assert_eq!(verify(Some(&foreign), SOCKET, &foobar, None), Err(Refusal::InvalidKey));

    let user = format!("{KEY}:{USER}");
    assert!(signer.verify_user(&user, SOCKET, r#"{"id":"12346"}"#).is_err());
    assert!(signer.verify_user(&user, socket, r#"{"id":"12345"}"#).is_err());
    for auth in ["", &format!("other:{USER}")] {
        let refusal = signer.verify_user(auth, SOCKET, r#"{"id":"12345"}"#).unwrap_err();
        assert_eq!(refusal.code(), Some(4009), "{auth}");
    }
}

#[test]
fn keys_that_are_none_and_secrets_that_are_not_shown() {
    for (key, secret) in
        [("", "s"), ("k", ""), ("a:b", "s"), ("a b", "s"), (&*"k".repeat(129), "s")]
    {
        assert_eq!(Signer::new(key, secret).err(), Some(BadKey), "{key}");
    }
    let shown = format!("{:?}", Signer::new("k", "very-secret").unwrap());
    assert_eq!(shown, r#"Signer { key: "k", .. }"#);
    assert_eq!(key_of("k:abc"), Some("k"));
    assert_eq!(key_of("kabc"), None);
}

#[test]
fn a_webhook_is_signed_over_its_raw_body() {
    // HMAC-SHA256 of RFC 4231, test case 2.
    let signer = Signer::new("k", "Jefe").unwrap();
    assert_eq!(
        signer.sign_body(b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

/// A query signed with the right secret, whatever it says.
fn signed(method: &str, path: &str, plain: &str) -> String {
    let mac = signer().mac.chain_update(format!("{method}\n{path}\n{plain}"));
    format!("{plain}&auth_signature={}", hex(&mac.finalize().into_bytes()))
}

fn verify(query: &str, method: &str, path: &str, body: &str, now: u64) -> Result<(), ApiError> {
    let limits = PusherLimits::default();
    let query = SignedQuery::parse(query, &limits)?;
    query.verify(&signer(), method, path, body.as_bytes(), Duration::from_secs(now), &limits)
}

fn vector() -> String {
    format!(
        "auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0&body_md5={BODY_MD5}&auth_signature={CALL}"
    )
}

#[test]
fn the_vector_of_the_http_api() {
    assert_eq!(verify(&vector(), "POST", "/apps/3/events", BODY, NOW), Ok(()));
    let query = SignedQuery::parse(&vector(), &PusherLimits::default()).unwrap();
    assert_eq!((query.key(), query.get("auth_version")), (KEY, Some("1.0")));
    // Another order, and keys in upper case, are the same call.
    let shuffled = format!(
        "auth_signature={CALL}&body_md5={BODY_MD5}&Auth_Version=1.0&auth_timestamp={NOW}&auth_key={KEY}"
    );
    assert_eq!(verify(&shuffled, "POST", "/apps/3/events", BODY, NOW), Ok(()));
}

#[test]
fn m10_calls_that_were_changed_or_kept() {
    let check = |query: &str, method, path, body, now, text| {
        assert_eq!(
            verify(query, method, path, body, now),
            Err(ApiError::Unauthorized(text)),
            "{query}"
        );
    };
    let (path, wrong) = ("/apps/3/events", "Invalid signature");
    check(&vector(), "PUT", path, BODY, NOW, wrong);
    check(&vector(), "POST", "/apps/4/events", BODY, NOW, wrong);
    check(&format!("{}&info=x", vector()), "POST", path, BODY, NOW, wrong);
    let later = vector().replace(&NOW.to_string(), &(NOW + 1).to_string());
    check(&later, "POST", path, BODY, NOW, wrong);

    let body = BODY.replace("foo", "bar");
    check(&vector(), "POST", path, &body, NOW, "body_md5 is not that of the body");
    check(&vector(), "POST", path, "", NOW, "body_md5 is not that of the body");
    let bare = format!("auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0");
    check(&signed("POST", path, &bare), "POST", path, BODY, NOW, "body_md5 is missing");

    let old = "auth_timestamp is too far from the server's time";
    assert_eq!(verify(&vector(), "POST", path, BODY, NOW + 600), Ok(()));
    assert_eq!(verify(&vector(), "POST", path, BODY, NOW - 600), Ok(()));
    check(&vector(), "POST", path, BODY, NOW + 601, old);
    check(&vector(), "POST", path, BODY, NOW - 601, old);
    check(&vector(), "POST", path, BODY, 0, old);
}

#[test]
fn reading_calls_with_and_without_the_sum_of_no_body() {
    let path = "/apps/3/channels";
    let with = format!(
        "auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0&body_md5={EMPTY_MD5}&filter_by_prefix=presence-a b"
    );
    // Signed decoded, sent encoded.
    let sent = signed("GET", path, &with).replace("a b", "a%20b");
    assert_eq!(verify(&sent, "GET", path, "", NOW), Ok(()));
    assert_eq!(verify(&sent.replace("%20", "+"), "GET", path, "", NOW), Ok(()));
    let without = format!("auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0&info=user_count");
    assert_eq!(verify(&signed("GET", path, &without), "GET", path, "", NOW), Ok(()));
    let array = format!("auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0&c[]=b&c[]=a");
    assert_eq!(verify(&signed("GET", path, &array), "GET", path, "", NOW), Ok(()));
}

#[test]
fn m10_queries_that_are_none() {
    let limits = PusherLimits::default();
    for (from, to) in [
        ("auth_signature=", "x="),
        (CALL, ""),
        (&CALL.to_uppercase()[..8], "DA454824"),
        ("auth_key=", "x="),
        ("auth_version=1.0", "auth_version=2.0"),
        ("auth_version=1.0", "auth_key=other"),
        ("auth_timestamp=", "auth_timestamp=-"),
        ("auth_timestamp=", "auth_timestamp=99999999999999999999"),
        ("auth_timestamp=", "x="),
    ] {
        let query = vector().replace(&from.to_lowercase(), to);
        let outcome = SignedQuery::parse(&query, &limits);
        assert!(matches!(outcome, Err(ApiError::Unauthorized(_))), "{query}: {outcome:?}");
    }
    let many = format!("{}&{}", vector(), "a=b&".repeat(40));
    assert!(matches!(SignedQuery::parse(&many, &limits), Err(ApiError::TooMany { .. })));
}
