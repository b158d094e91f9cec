//! What `parlour doctor` asks of others: the database's clock and the processes on it, the bus, and the proxy in front.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parlour_bus::Opened;
use parlour_core::{
    NodeId,
    port::{
        bus::{BusListener, Hint},
        clock::Clock as _,
        store::{Node, Store},
    },
};
use reqwest::{Response, header};

use super::checks::Findings;
use crate::{
    config::Config,
    http::health::SEEN,
    parts,
    system::{SystemClock, SystemRandom},
};

/// From here on the difference of two clocks is told.
const SKEW: Duration = Duration::from_secs(1);

/// From here on it is wrong: tokens are accepted or refused by the wall clock, with 30 s of tolerance.
const MOST_SKEW: Duration = Duration::from_secs(30);

/// As what it names itself while it looks.
const DOCTOR: &str = "doctor";

/// How long a bus, or a proxy, may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the database has the same time.
pub(super) async fn check_clock(store: &dyn Store, findings: &mut Findings) -> anyhow::Result<()> {
    let begun = Instant::now();
    let theirs = store.database_time().await?;
    // The answer was given between asking and hearing it: half of the time is the best guess.
    let half = i64::try_from(begun.elapsed().as_millis() / 2).unwrap_or_default();
    let ours = SystemClock::default().now() - half;
    let skew = Duration::from_millis(ours.abs_diff(theirs));
    let text = format!("this machine's clock and the database's differ by {} ms", skew.as_millis());
    match skew {
        skew if skew >= MOST_SKEW => findings.bad(&text),
        skew if skew >= SKEW => findings.warn(&text),
        _ => findings.good(&text),
    }
    Ok(())
}

/// Who else is on the database: other versions, other buses.
pub(super) async fn check_cluster(
    node: NodeId,
    bus: &Arc<str>,
    store: &dyn Store,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let own = Node {
        id: node,
        version: version.into(),
        address: DOCTOR.into(),
        bus: bus.clone(),
        started_at: 0,
    };
    let others: Vec<Node> = store
        .renew_lease(own)
        .await?
        .into_iter()
        .filter(|other| other.id != node && *other.address != *DOCTOR)
        .collect();
    findings.good(&format!("{} processes are running on this database", others.len()));
    for other in &others {
        if *other.version != *version {
            findings.warn(&format!(
                "{} runs version {}, this is {version}",
                other.address, other.version
            ));
        }
        if !other.bus.is_empty() && other.bus != *bus {
            findings.bad(&format!(
                "{} is on the bus {}, this configuration names {}: they would not hear each other",
                other.address, other.bus, bus
            ));
        }
    }
    Ok(())
}

/// A bus that nothing goes over yet, and who would hear it.
pub(super) struct OpenBus {
    opened: Opened,
    _ear: Arc<dyn BusListener>,
}

impl OpenBus {
    /// Which bus it is.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.opened.name
    }
}

/// Opens the bus that is configured; `None` where there is none.
pub(super) fn open_bus(config: &Config) -> Option<anyhow::Result<OpenBus>> {
    config.bus.redis_url.as_ref()?;
    let ear: Arc<dyn BusListener> = Arc::new(Deaf);
    let opened = parts::open_redis(&config.bus, parts::random_node(&SystemRandom), ear.clone());
    Some(opened.map(|opened| OpenBus { opened, _ear: ear }))
}

/// Whether the bus carries something there and back.
pub(super) async fn check_bus(bus: Option<anyhow::Result<OpenBus>>, findings: &mut Findings) {
    let OpenBus { opened, _ear } = match bus {
        None => return findings.good("no bus is configured: this is a single process"),
        Some(Err(error)) => return findings.bad(&format!("{error:#}")),
        Some(Ok(bus)) => bus,
    };
    let Opened { bus, driver, name, .. } = opened;
    let begun = Instant::now();
    let healthy = async {
        while !bus.is_healthy() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let reached = tokio::select! {
        () = driver.run(std::future::pending()) => false,
        reached = tokio::time::timeout(PATIENCE, healthy) => reached.is_ok(),
    };
    if reached {
        let took = begun.elapsed().as_millis();
        findings.good(&format!(
            "the bus {name} carries messages there and back (ready after {took} ms)"
        ));
    } else {
        findings
            .bad(&format!("the bus {name} cannot be used: nothing came back within {PATIENCE:?}"));
    }
}

/// Nobody listens to what a command hears.
struct Deaf;

impl BusListener for Deaf {
    fn received(&self, _: NodeId, _: Hint) {}

    fn lagged(&self) {}
}

/// What a request over the public address looks like to the server, and whether a socket can be opened over it.
pub(super) async fn check_proxy(config: &Config, findings: &mut Findings) {
    let Some(url) = config.server.public_url.as_deref().map(|url| url.trim_end_matches('/')) else {
        return findings.good("server.public_url is not set: what is in front was not checked");
    };
    match ask(&format!("{url}/healthz"), false).await {
        Err(error) => {
            findings.warn(&format!(
                "{url} does not answer from here, so nothing in front was checked: {error}"
            ));
            return;
        }
        Ok(answer) => judge_seen(url, &answer, findings),
    }
    match ask(&format!("{url}/api/v1/ws"), true).await {
        Ok(answer) if answer.status() == http::StatusCode::SWITCHING_PROTOCOLS => {
            findings.good("sockets can be opened over it");
        }
        Ok(answer) => findings.bad(&format!(
            "a socket over {url} was answered with {}: the proxy must pass `Upgrade` and `Connection` on, over HTTP/1.1",
            answer.status()
        )),
        Err(error) => findings.bad(&format!("a socket over {url} could not be opened: {error}")),
    }
}

async fn ask(url: &str, upgrade: bool) -> reqwest::Result<Response> {
    let client = reqwest::Client::builder().timeout(PATIENCE).http1_only().build()?;
    let request = client.get(url);
    let request = if upgrade {
        request
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "AAAAAAAAAAAAAAAAAAAAAA==")
            .header(header::SEC_WEBSOCKET_PROTOCOL, "parlour.v1")
    } else {
        request
    };
    request.send().await
}

fn judge_seen(url: &str, answer: &Response, findings: &mut Findings) {
    let seen = answer.headers().get(SEEN).and_then(|seen| seen.to_str().ok()).unwrap_or_default();
    let part = |name: &str| {
        seen.split("; ")
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    };
    if seen.is_empty() {
        return findings.bad(&format!("what answers at {url} is no Parlour"));
    }
    match part("forwarded") {
        "ignored" => findings.bad(&format!(
            "the proxy in front is not in server.trusted_proxies: everybody counts as {}",
            part("client")
        )),
        "believed" => findings
            .good(&format!("the proxy in front tells whose request it is: {}", part("client"))),
        _ => findings.warn(&format!(
            "requests come without X-Forwarded-For: behind a proxy, everybody counts as {}",
            part("client")
        )),
    }
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    if part("host") == host {
        findings.good("the proxy passes the name of the host on");
    } else {
        findings.bad(&format!(
            "requests for {host} arrive as for {}: the proxy must pass `Host` on, or pages cannot use the session cookie",
            part("host")
        ));
    }
}
