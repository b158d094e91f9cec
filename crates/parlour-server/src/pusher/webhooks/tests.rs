//! Receivers of webhooks that are real HTTP servers: quick, slow, broken and malicious ones.

use axum::{Router, body::Bytes, extract::State, response::IntoResponse, routing::any};
use http::{HeaderMap, StatusCode};
use parlour_core::testing::FakeClock;
use parlour_wire::pusher::Signer;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{super::hooks::Hooks, *};
use crate::config::{PusherApp, PusherKey, PusherSection, PusherWebhook, Secret, Sources, load};

const DEADLINE: Duration = Duration::from_secs(20);

/// What a receiver got.
struct Got {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn names(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let name = |event: &Value| event["name"].as_str().unwrap().to_owned();
        body["events"].as_array().unwrap().iter().map(name).collect()
    }
}

/// A server whose path says what it answers: `/ok`, `/slow`, `/broken-once`, `/broken`, `/moved`.
struct Receiving {
    url: String,
    got: UnboundedReceiver<Got>,
}

async fn answer(
    State(seen): State<UnboundedSender<Got>>,
    uri: http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    static CALLS: parking_lot::Mutex<Vec<Bytes>> = parking_lot::Mutex::new(Vec::new());
    let path = uri.path().to_owned();
    let again = {
        let mut calls = CALLS.lock();
        let again = calls.contains(&body);
        calls.push(body.clone());
        again
    };
    let _ = seen.send(Got { path: path.clone(), headers, body });
    match path.as_str() {
        "/slow" => std::future::pending().await,
        "/broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/broken-once" if !again => StatusCode::BAD_GATEWAY.into_response(),
        "/moved" => (StatusCode::FOUND, [("location", "/ok")]).into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

impl Receiving {
    async fn start(tasks: &Tasks) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, got) = unbounded_channel();
        let router = Router::new().fallback(any(answer)).with_state(sender);
        tasks.spawn("receiver", async { axum_serve(listener, router).await });
        Self { url, got }
    }

    async fn next(&mut self) -> Got {
        tokio::time::timeout(DEADLINE, self.got.recv()).await.unwrap().unwrap()
    }
}

/// Serves each connection until its end.
async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    let tasks = Tasks::default();
    let listener = crate::gateway::socket::Listener::Tcp(listener);
    crate::gateway::listener::serve(listener, router, Vec::new(), tasks).await;
}

/// An application with these receivers, and where its events go in.
struct Stage {
    apps: Apps,
    hooks: Hooks,
    metrics: Arc<Metrics>,
    clock: Arc<FakeClock>,
    tasks: Tasks,
}

impl Stage {
    fn start(webhooks: Vec<PusherWebhook>) -> Self {
        Self::with_queue(webhooks, 1_000)
    }

    fn with_queue(webhooks: Vec<PusherWebhook>, queue: usize) -> Self {
        crate::system::install_crypto();
        let key = |key| PusherKey::new(key, Secret::new("a secret of the tests"));
        let quiet = PusherApp { keys: vec![key("quiet")], ..PusherApp::new("2") };
        let app = PusherApp { keys: vec![key("told")], webhooks, ..PusherApp::new("1") };
        let section: PusherSection = PusherSection {
            apps: vec![app, quiet],
            ..load(&Sources::default()).unwrap().config.pusher
        };
        let metrics = Arc::new(Metrics::new());
        let clock = Arc::new(FakeClock::default());
        let (hooks, waiting) = Hooks::new(metrics.clone());
        let apps = Apps::new(&section, false).unwrap();
        let tasks = Tasks::default();
        let means =
            Means { clock: clock.clone(), metrics: metrics.clone(), tasks: tasks.clone(), queue };
        start(waiting, &apps, &means).unwrap();
        Self { apps, hooks, metrics, clock, tasks }
    }

    fn put(&self, event: WebhookEvent) {
        let app = self.apps.by_id("1").unwrap();
        self.hooks.put(app, 0, || event);
    }

    async fn counted(&self, counter: &prometheus_client::metrics::counter::Counter, least: u64) {
        let reached = async {
            while counter.get() < least {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, reached).await.is_ok(), "{}", counter.get());
    }
}

fn hook(url: String, events: Option<Vec<WebhookKind>>) -> PusherWebhook {
    PusherWebhook { url, events }
}

fn occupied(channel: &str) -> WebhookEvent {
    WebhookEvent::ChannelOccupied { channel: channel.into() }
}

fn vacated(channel: &str) -> WebhookEvent {
    WebhookEvent::ChannelVacated { channel: channel.into() }
}

#[tokio::test]
async fn calls_are_signed_and_hold_what_is_wanted_in_order() {
    let outside = Tasks::default();
    let mut receiving = Receiving::start(&outside).await;
    let stage = Stage::start(vec![
        hook(format!("{}/ok?token=x", receiving.url), None),
        hook(format!("{}/some", receiving.url), Some(vec![WebhookKind::ChannelVacated])),
    ]);
    stage.put(occupied("a"));
    stage.put(vacated("a"));
    let quiet = stage.apps.by_id("2").unwrap();
    stage.hooks.put(quiet, 0, || occupied("of another application"));

    let (mut all, mut some) = (Vec::new(), Vec::new());
    while all.len() < 2 || some.is_empty() {
        let got = receiving.next().await;
        assert_eq!(got.headers["content-type"], "application/json");
        assert_eq!(got.headers["x-pusher-key"], "told");
        let signer = Signer::new("told", "a secret of the tests").unwrap();
        let signature = got.headers["x-pusher-signature"].to_str().unwrap();
        assert_eq!(signature, signer.sign_body(&got.body));
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert!(body["time_ms"].is_i64(), "{body}");
        match got.path.as_str() {
            "/ok" => all.extend(got.names()),
            _ => some.extend(got.names()),
        }
    }
    assert_eq!(all, ["channel_occupied", "channel_vacated"]);
    assert_eq!(some, ["channel_vacated"]);
    stage.counted(&stage.metrics.pusher_hooks_told, 3).await;
    assert!(stage.tasks.shut_down(DEADLINE).await);
}

#[tokio::test]
async fn what_gathers_during_a_call_goes_out_together() {
    let outside = Tasks::default();
    let mut receiving = Receiving::start(&outside).await;
    let stage = Stage::start(vec![hook(format!("{}/broken-once", receiving.url), None)]);
    stage.put(occupied("gathering-0"));
    assert_eq!(receiving.next().await.names().len(), 1);
    for number in 1..=BATCH + 1 {
        stage.put(occupied(&format!("gathering-{number}")));
    }
    let again = receiving.next().await;
    assert_eq!(again.names().len(), 1, "the same once more, signed alike");
    stage.counted(&stage.metrics.pusher_hooks_failed, 1).await;
    assert_eq!(receiving.next().await.names().len(), BATCH);
    assert!(stage.tasks.shut_down(DEADLINE).await);
}

#[tokio::test]
async fn one_that_does_not_answer_delays_no_other() {
    let outside = Tasks::default();
    let mut receiving = Receiving::start(&outside).await;
    let slow = hook(format!("{}/slow", receiving.url), None);
    let quick = hook(format!("{}/ok", receiving.url), None);
    let stage = Stage::with_queue(vec![slow, quick], 2);
    stage.put(occupied("slow-0"));
    // Both are called before anything can gather.
    let paths = [receiving.next().await.path, receiving.next().await.path];
    assert!(paths.contains(&"/slow".to_owned()), "{paths:?}");
    let mut told = 1;
    for number in 1..8 {
        // One after the other, so that the quick one always has room.
        while told < number {
            told += if receiving.next().await.path == "/ok" { 1 } else { 0 };
        }
        stage.put(occupied(&format!("slow-{number}")));
    }
    // One in the call, two in the queue; the rest had no room.
    stage.counted(&stage.metrics.pusher_hooks_dropped, 5).await;
    assert_eq!(stage.metrics.pusher_hooks_dropped.get(), 5);
}

#[tokio::test]
async fn after_five_minutes_it_is_given_up() {
    let outside = Tasks::default();
    let mut receiving = Receiving::start(&outside).await;
    let stage = Stage::start(vec![hook(format!("{}/broken", receiving.url), None)]);
    stage.put(occupied("given-up"));
    receiving.next().await;
    receiving.next().await;
    assert_eq!(stage.metrics.pusher_hooks_dropped.get(), 0);
    stage.clock.advance(PATIENCE);
    stage.counted(&stage.metrics.pusher_hooks_dropped, 1).await;
    assert_eq!(stage.metrics.pusher_hooks_told.get(), 0);
    assert!(stage.tasks.shut_down(DEADLINE).await);
}

#[tokio::test]
async fn h3_a_redirect_is_not_followed() {
    let outside = Tasks::default();
    let mut receiving = Receiving::start(&outside).await;
    let stage = Stage::start(vec![hook(format!("{}/moved", receiving.url), None)]);
    stage.put(occupied("moved"));
    assert_eq!(receiving.next().await.path, "/moved");
    stage.counted(&stage.metrics.pusher_hooks_failed, 1).await;
    assert_eq!(receiving.next().await.path, "/moved", "tried again, at the same place");
}

#[tokio::test]
async fn g18_what_waits_is_told_before_the_end() {
    let outside = Tasks::default();
    let mut receiving = Receiving::start(&outside).await;
    let stage = Stage::start(vec![hook(format!("{}/ok", receiving.url), None)]);
    for number in 0..300 {
        stage.put(occupied(&format!("end-{number}")));
    }
    assert!(stage.tasks.shut_down(DEADLINE).await, "every task ends");
    let mut told = 0;
    while let Ok(got) = receiving.got.try_recv() {
        told += got.names().len();
    }
    assert_eq!(told, 300);
}
