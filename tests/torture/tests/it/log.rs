//! A log that cannot be written ends nothing.

use parlour_harness::process::{Options, Server};
use serde_json::json;

#[tokio::test]
async fn g16_a_full_disk_under_the_log_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A device on which there never is room.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("server.log")).unwrap();
    let options = Options::new(folder.path()).unwrap().env("PARLOUR_LOG_LEVEL", "debug");
    let mut server = Server::start(options).await.unwrap();
    let rest = server.rest("alice").unwrap();
    let conversation = rest.create_conversation("direct", &["bob"]).await.unwrap();
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let body = json!({"content": "said without a word in the log"});
    assert_eq!(rest.post(&path, &body).await.unwrap().status, 201);
    // Something that is logged as a failure, too.
    assert_eq!(rest.get("/api/v1/conversations/999999").await.unwrap().status, 404);
    assert!(server.terminate().await.unwrap().success());
}
