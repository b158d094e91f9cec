//! The accept loop: TCP with deadlines for the first byte and the head of a request.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http::StatusCode;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Type};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use super::{
    http_stream::{HttpStream, Switch},
    socket::{Listener, Socket},
};
use crate::{config::Network, tasks::Tasks};

/// How long a client may take to send the head of a request, and how long a connection between two requests stays.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// Most header lines of a request.
const HEADERS: usize = 100;

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: i32 = 4096;

/// What the kernel may hold of a connection that its peer has no room for, in bytes: what is beyond waits in our own
/// queue, which is bounded, and not in the kernel's, which grows to megabytes for a reader that has stopped.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// Where a request really comes from: the peer, or what trusted reverse proxies say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    /// The right-most address of `X-Forwarded-For` that is no trusted proxy. The header of a peer that is none is
    /// ignored; so is everything left of an entry that is no address.
    pub(crate) fn of(headers: &http::HeaderMap, peer: IpAddr, proxies: &[Network]) -> Self {
        let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
        let mut client = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        for hop in hops {
            if !trusted(client) {
                break;
            }
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        Self(client)
    }
}

/// Binds an address, with room for a storm of reconnects.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Listener> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections have them from their listener.
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(UNSENT)?;
        socket.set_tcp_nodelay(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into()).map(Listener::Tcp)
}

/// Serves until the shutdown begins. Requests that are under way are finished by their own tasks.
pub(crate) async fn serve(
    mut listener: Listener,
    router: Router,
    proxies: Vec<Network>,
    tasks: Tasks,
) {
    let router = Arc::new((router, proxies));
    loop {
        let accepted = tokio::select! {
            biased;
            () = tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stopping) = (router.clone(), tasks.clone());
                tasks.spawn_connection(connection(stream, peer, router, stopping));
            }
            Err(error) => {
                // Out of descriptors, most likely: what is open goes on, and a moment later there may be room.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(
    stream: Socket,
    peer: SocketAddr,
    shared: Arc<(Router, Vec<Network>)>,
    tasks: Tasks,
) {
    #[cfg(not(target_os = "linux"))]
    if let Err(error) = stream.set_nodelay() {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let switch = Switch::default();
    let stream = HttpStream::new(stream, switch.clone());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (router, switch) = (shared.0.clone(), switch.clone());
        let client = ClientAddress::of(request.headers(), peer.ip(), &shared.1);
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(client);
            let response = router.oneshot(request).await;
            if let Ok(response) = &response
                && response.status() == StatusCode::SWITCHING_PROTOCOLS
            {
                switch.turn();
            }
            response
        }
    });
    let http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(http);
    let outcome = tokio::select! {
        biased;
        outcome = http.as_mut() => outcome,
        () = tasks.stopping() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let mut headers = http::HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let client = ClientAddress::of(&headers, peer.parse().unwrap(), &proxies);
        assert_eq!(client.0.to_string(), expected, "{peer} {forwarded:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn g9_the_kernel_holds_little_for_readers_that_stop_and_waits_for_nothing_more() {
        let mut listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::net::TcpStream::connect(address);
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (Socket::Tcp(stream), _) = accepted.unwrap() else { panic!("no TCP") };
        assert_eq!(socket2::SockRef::from(&stream).tcp_notsent_lowat().unwrap(), UNSENT);
        assert!(stream.nodelay().unwrap());
        drop(client);
    }

    #[test]
    fn a19_only_trusted_proxies_are_believed() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.2.3.4"], "198.51.100.1");
        check("10.0.0.1", &["6.6.6.6", "198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["6.6.6.6, nonsense"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1");
        check("10.0.0.1", &[&"10.9.9.9,".repeat(100)], "10.0.0.1");
    }
}
