//! The application of the demonstration, whose secret everybody knows.

use serde_json::json;

use super::Publisher;
use crate::support::{Server, Setup};

fn publisher(server: &Server) -> Publisher<'_> {
    Publisher { server, app: "1", key: "demo-key", secret: "demo-secret-for-trying-out" }
}

#[tokio::test]
async fn the_demonstration_has_an_application_unless_one_is_configured() {
    let event = json!({"name": "greeting", "channel": "news", "data": "{}"});
    let server = Setup::new().demo().start().await;
    assert_eq!(publisher(&server).post("/events", &event).await.status, 200);
    server.stop().await;
    let server = super::setup().demo().start().await;
    assert_eq!(publisher(&server).post("/events", &event).await.status, 404);
    server.stop().await;
    let server = Setup::new().start().await;
    assert_eq!(publisher(&server).post("/events", &event).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn m1_what_everybody_knows_opens_no_database_of_others() {
    let server = Setup::new().start().await;
    server.person("1", "Zoe").get("/api/v1/me").await.ok();
    let server = server.stop_and_keep().await.demo().start().await;
    let event = json!({"name": "greeting", "channel": "private-user.1", "data": "{}"});
    assert_eq!(publisher(&server).post("/events", &event).await.status, 404);
    server.stop().await;
}
