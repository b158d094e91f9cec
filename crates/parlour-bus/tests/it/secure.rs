//! TLS with an authority of one's own, and passwords.

use std::{fs, sync::Arc};

use parlour_bus::RedisOptions;
use parlour_core::{NodeId, testing::bus_suite::Ear};
use parlour_engines::{Redis, free_port, skip};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::rig::{Processes, conversation, until};

/// An authority, and a certificate for this machine with its key, in PEM form.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

fn certificates() -> Certificates {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    Certificates {
        authority: issuer.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

#[tokio::test]
async fn tls_believes_the_named_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = certificates();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (file("cert.pem", &made.certificate), file("key.pem", &made.key));
    let tls_port = free_port().unwrap();
    let port = tls_port.to_string();
    let arguments = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "s3cret/@",
    ];
    let Some(_redis) = Redis::start(&arguments).unwrap() else { return skip("no Redis") };
    let url = format!("rediss://:s3cret%2F%40@localhost:{port}");
    let processes = Processes::new(url.clone(), vec![]).with_authorities(made.authority);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
    let strangers = Processes::new(url, vec![]).with_authorities(certificates().authority);
    let c = strangers.start();
    until("refusals", || c.counters.read().reconnects >= 3).await;
    assert!(!c.bus.is_healthy());
}

#[tokio::test]
async fn a_wrong_password_is_no_reason_to_give_up() {
    let password = ["--requirepass", "right"];
    let Some(redis) = Redis::start(&password).unwrap() else { return skip("no Redis") };
    let at = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port());
    let (right, wrong) = (Processes::new(at("right"), vec![]), Processes::new(at("wrong"), vec![]));
    let (a, b, c) = (right.ready().await, right.ready().await, wrong.start());
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
    until("refusals", || c.counters.read().reconnects >= 3).await;
    assert!(!c.bus.is_healthy());
    let port = redis.port();
    Redis::cli(
        port,
        &["-a", "right", "--no-auth-warning", "CONFIG", "SET", "requirepass", "wrong"],
    )
    .unwrap();
    until("health", || c.bus.is_healthy()).await;
}

/// A user with the rights that the documents name, and no others.
#[tokio::test]
async fn the_documented_rights_are_enough() {
    let Some(redis) = Redis::start(&[]).unwrap() else { return skip("no Redis") };
    let rights = "ACL SETUSER chat on >pw resetchannels &test:* -@all +hello +auth +ping \
                  +subscribe +unsubscribe +publish";
    let rights: Vec<_> = rights.split_whitespace().collect();
    Redis::cli(redis.port(), &rights).unwrap();
    let url = format!("redis://chat:pw@127.0.0.1:{}", redis.port());
    let processes = Processes::new(url, vec![]);
    let (a, b) = (processes.ready().await, processes.ready().await);
    b.bus.listen(vec![conversation(1)]).await;
    a.reaches(&b, &conversation(1)).await;
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_connected() {
    let check = |url, prefix| {
        let options = RedisOptions { url, prefix, authorities: None };
        options.check().map_err(|error| error.to_string())
    };
    assert_eq!(check("rediss://h", "parlour"), Ok(()));
    assert!(check("redis://h", "a{b}").unwrap_err().contains("prefix"));
    let options = RedisOptions { url: "rediss://h", prefix: "a", authorities: Some("") };
    let opened = parlour_bus::open(Some(options), NodeId(1), Arc::new(Ear::default()));
    assert!(opened.is_err_and(|error| error.to_string().contains("authority")));
    let error = check("http://:secret@h", "a").unwrap_err();
    assert!(error.contains("redis://") && !error.contains("secret"), "{error}");
}
