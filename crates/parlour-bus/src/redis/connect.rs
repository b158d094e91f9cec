//! One connection to one server: TCP, TLS where asked for, log in, and the protocol in which Redis may speak unasked.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo,
    aio::MultiplexedConnection,
};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::url::{Address, Login};

/// How long connecting may take in all.
const CONNECTING: Duration = Duration::from_secs(3);

/// A server that does not answer for so long is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// Why a server cannot be used. Nothing of it is secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it cannot be reached")]
    Network(#[from] std::io::Error),
    #[error("it does not answer in time")]
    Slow,
    #[error("its name cannot stand in a certificate")]
    Name,
    #[error("it refuses: {0}")]
    Refused(String),
    #[error("it has closed the connection")]
    Closed,
    #[error("it does not send back what it was sent")]
    Deaf,
    #[error("a channel has moved to another server")]
    Moved,
    #[error("it answers what was not asked: {0}")]
    Answer(&'static str),
    #[error("it is not the master")]
    NotMaster,
}

impl From<redis::RedisError> for Failure {
    fn from(error: redis::RedisError) -> Self {
        if error.is_timeout() {
            return Self::Slow;
        }
        match error.code() {
            // Redis names commands, channels and users in its details, never passwords.
            Some(code) => Self::Refused(match error.detail() {
                Some(detail) => format!("{code} {}", detail.chars().take(200).collect::<String>()),
                None => code.to_owned(),
            }),
            None if error.is_io_error() || error.is_connection_dropped() => Self::Closed,
            None => Self::Refused(error.category().to_owned()),
        }
    }
}

/// What certificates are believed, where there is TLS.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

/// Certificates that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of `bus.redis_ca_file`, or the system's, holds nothing usable.
    #[error("there is no certificate of an authority in it")]
    NoAuthority,
    /// The library refuses.
    #[error("TLS cannot be used")]
    Tls(#[from] rustls::Error),
    /// The file is not in PEM form.
    #[error("it is not in PEM form")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

impl Tls {
    /// Believes the authorities in a PEM text, else those of the system.
    pub(super) fn new(authorities: Option<&str>) -> Result<Self, TlsError> {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(text) => {
                for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
                    roots.add(certificate?)?;
                }
            }
            None => {
                let system = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(system.certs);
            }
        }
        if roots.is_empty() {
            return Err(TlsError::NoAuthority);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// Reads and writes for a [`MultiplexedConnection`]; it must be polled for anything to happen.
pub(super) type Io = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Connects and logs in. What the server says unasked goes to `pushed`.
pub(super) async fn connect(
    address: &Address,
    login: &Login,
    tls: Option<&Tls>,
    pushed: Option<impl Fn(PushInfo) + Send + Sync + 'static>,
) -> Result<(MultiplexedConnection, Io), Failure> {
    let connecting = async {
        let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
        tcp.set_nodelay(true)?;
        let mut info = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name();
        if let Some(user) = &login.user {
            info = info.set_username(user);
        }
        if let Some(password) = &login.password {
            info = info.set_password(password);
        }
        let mut config = AsyncConnectionConfig::new().set_response_timeout(Some(SILENCE));
        if let Some(pushed) = pushed {
            config = config.set_push_sender(move |info| {
                pushed(info);
                Ok::<_, redis::aio::SendError>(())
            });
        }
        let Some(Tls(tls)) = tls else {
            let (connection, io) =
                MultiplexedConnection::new_with_config(&info, tcp, config).await?;
            return Ok((connection, Box::pin(io) as Io));
        };
        let name = ServerName::try_from(address.host.clone()).map_err(|_| Failure::Name)?;
        let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await?;
        let (connection, io) =
            MultiplexedConnection::new_with_config(&info, stream, config).await?;
        Ok((connection, Box::pin(io) as Io))
    };
    tokio::time::timeout(CONNECTING, connecting).await.map_err(|_| Failure::Slow)?
}

/// Asks one question over a connection of its own.
pub(super) async fn ask(
    address: &Address,
    login: &Login,
    tls: Option<&Tls>,
    question: &redis::Cmd,
) -> Result<redis::Value, Failure> {
    let (mut connection, io) = connect(address, login, tls, None::<fn(PushInfo)>).await?;
    let answer = async {
        let answer = connection.send_packed_command(question);
        tokio::time::timeout(CONNECTING, answer)
            .await
            .map_err(|_| Failure::Slow)?
            .map_err(Failure::from)
    };
    let answer = tokio::select! {
        answer = answer => answer?,
        () = io => return Err(Failure::Closed),
    };
    match answer {
        redis::Value::ServerError(error) => Err(redis::RedisError::from(error).into()),
        answer => Ok(answer),
    }
}
