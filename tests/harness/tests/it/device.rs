//! A device records why its connection has ended, also while it resumes.

use futures_util::{SinkExt as _, StreamExt as _};
use parlour_harness::{
    device::Device,
    history::{Recorder, What},
};
use tokio::net::TcpListener;
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

#[tokio::test]
async fn a_server_that_ends_during_a_resume_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let recorder = Recorder::new();
    let mut device = Device::new("phone", "ann", listener.local_addr().unwrap(), recorder.clone());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the shape of the callback")]
        let accept = |_: &Request, mut response: Response| {
            let protocol = "parlour.v1".parse().unwrap();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, accept).await.unwrap();
        socket.send(Message::text(r#"{"type":"hello"}"#)).await.unwrap();
        let asked = socket.next().await.unwrap().unwrap();
        assert!(asked.to_text().unwrap().contains("resume"), "{asked}");
        let restart = CloseFrame { code: CloseCode::Restart, reason: "later".into() };
        socket.close(Some(restart)).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    };
    let (connected, ()) = tokio::join!(device.connect(), server);
    assert!(connected.is_err());
    assert!(!device.is_connected());
    let history = recorder.history();
    let closed = history.iter().find_map(|entry| match &entry.what {
        What::Closed { code, cause, .. } => Some((*code, cause.is_some())),
        _ => None,
    });
    assert_eq!(closed, Some((Some(1012), false)));
}
