//! What a client can tell of its connection.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use parlour_harness::socket::{Incoming, Socket};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// Where only the way there is cut, others are still heard; that is no sign of life.
#[tokio::test]
async fn a_connection_is_silent_until_a_ping_is_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (reads_again, may_read) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        socket.send(Message::text("{}")).await.unwrap();
        may_read.await.unwrap();
        // Reading answers the ping.
        assert!(socket.next().await.unwrap().unwrap().is_ping());
        socket.flush().await.unwrap();
        socket.send(Message::text("{}")).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    });
    let mut socket = Socket::connect_bare(address, &format!("ws://{address}/")).await.unwrap();
    assert_eq!(socket.silence(), Duration::ZERO);
    socket.ping().await.unwrap();
    assert!(matches!(socket.receive().await.unwrap(), Incoming::Frame(..)));
    assert!(socket.silence() > Duration::ZERO);
    reads_again.send(()).unwrap();
    assert!(matches!(socket.receive().await.unwrap(), Incoming::Frame(..)));
    assert_eq!(socket.silence(), Duration::ZERO);
    drop(socket);
    server.await.unwrap();
}
