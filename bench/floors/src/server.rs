//! The listener, and the one thread that serves all sockets.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use anyhow::{Context as _, Result};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

use crate::{Store, connection, hub::Hub};

/// Connections that may wait to be accepted: a storm of them must not be turned away.
const BACKLOG: u32 = 16 * 1024;

/// The port that the environment names, or any.
///
/// # Errors
/// When it is no port.
pub fn port() -> Result<u16> {
    match env::var("PORT") {
        Ok(port) => port.parse().context("PORT"),
        Err(_) => Ok(0),
    }
}

/// Serves on a port of this machine until it fails; tells the address first.
///
/// # Errors
/// When the port is taken, or the store fails.
pub fn serve(port: u16, store: Option<Store>, tell: impl FnOnce(SocketAddr)) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer files there are fewer connections.
    let _ = setrlimit(Resource::Nofile, limit);
    let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = listen(port)?;
        tell(listener.local_addr()?);
        let (hub, store) = (Rc::new(Hub::default()), store.map(Rc::new));
        let relay = {
            let (hub, store) = (hub.clone(), store.clone());
            async move {
                match store {
                    Some(store) => store.relay(&hub).await,
                    None => std::future::pending().await,
                }
            }
        };
        spawn_local(write(hub.clone(), store.clone()));
        tokio::select! {
            result = accept(&listener, &hub, store.as_ref()) => result,
            result = spawn_local(relay) => result?,
        }
    })
}

/// Writes what is due, and lets the store begin, round by round.
async fn write(hub: Rc<Hub>, store: Option<Rc<Store>>) {
    loop {
        hub.round().await;
        hub.flush();
        if let Some(store) = &store {
            store.wake();
        }
    }
}

fn listen(port: u16) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket.listen(BACKLOG)?)
}

async fn accept(listener: &TcpListener, hub: &Rc<Hub>, store: Option<&Rc<Store>>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(connection::serve(hub.clone(), store.cloned(), stream));
    }
}
