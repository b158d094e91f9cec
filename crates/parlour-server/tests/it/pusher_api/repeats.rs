//! A signed publish that somebody has caught, and makes again.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{publisher, setup};

fn body(text: &str) -> String {
    json!({"name": "greeting", "channel": "news", "data": text}).to_string()
}

#[tokio::test]
async fn m10_a_publish_that_was_made_before_is_refused() {
    let server = setup().with("pusher.repeat_window", "0s").start().await;
    let app = publisher(&server);
    let call = app.sign("POST", "/events", "", &body("once"));
    assert_eq!(app.send(&call).await.status, 200);
    let again = app.send(&call).await;
    assert_eq!(again.status, 401, "{}", again.text);
    // Another body is another call, and reading is no harm.
    assert_eq!(app.send(&app.sign("POST", "/events", "", &body("twice"))).await.status, 200);
    let read = app.sign("GET", "/channels", "", "");
    assert_eq!(app.send(&read).await.status, 200);
    assert_eq!(app.send(&read).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn m10_equal_publishes_of_a_moment_are_two_and_later_ones_a_replay() {
    let server = setup().start().await;
    let app = publisher(&server);
    let call = app.sign("POST", "/events", "", &body("typing"));
    assert_eq!(app.send(&call).await.status, 200);
    assert_eq!(app.send(&call).await.status, 200, "a library signs both alike");
    let end = Instant::now() + Duration::from_secs(20);
    while app.send(&call).await.status != 401 {
        assert!(Instant::now() < end, "still accepted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
}
