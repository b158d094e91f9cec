//! Where the server is, and how it is spoken to: the address, TLS, and what every connection is set to.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio_postgres::{
    Client, Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

/// What went wrong, for people.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An idle connection is asked whether it lives after so long, and then so often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// What was sent and is not acknowledged for so long ends a connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// A server and a database in it.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    tasks: TaskTracker,
}

impl Server {
    /// Takes an address apart. `sslmode` is `disable`, `prefer` (the default) or `require`, which encrypt and do not
    /// ask who answers, or `verify-full`, which does: by the system's certificate authorities, or by those in the
    /// file that `sslrootcert` names.
    ///
    /// # Errors
    /// What is wrong with it, without the password.
    pub(super) fn parse(url: &str, tasks: TaskTracker) -> Result<Self, BoxError> {
        let (plain, trust) = take_trust(url);
        let mut config: Config = plain.parse()?;
        if trust.verify {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_user().is_none() {
            return Err("it names no user".into());
        }
        if config.get_application_name().is_none() {
            config.application_name("parlour");
        }
        config
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNACKNOWLEDGED);
        let tls = MakeRustlsConnect::new(trust.client_config()?);
        Ok(Self { config, tls, tasks })
    }

    /// Where the tasks of its connections run.
    pub(super) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The address without user and password, for people.
    pub(super) fn shown(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(place, host)| {
                let ports = self.config.get_ports();
                let port = ports.get(place).or_else(|| ports.first()).copied().unwrap_or(5432);
                match host {
                    Host::Tcp(name) => format!("{name}:{port}"),
                    #[cfg(unix)]
                    Host::Unix(path) => format!("{}:{port}", path.display()),
                }
            })
            .collect();
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("postgres://{}/{name}", hosts.join(","))
    }

    /// Connects. The connection is served by a task that ends with it.
    pub(super) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // Its task's name: `postgres-connection`. What ended it is also the error of whoever uses it.
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database has ended");
            }
        });
        Ok(client)
    }
}

/// Whom a connection trusts.
struct Trust {
    verify: bool,
    authorities: Option<String>,
}

/// Takes what the driver does not know out of an address.
fn take_trust(url: &str) -> (String, Trust) {
    let mut trust = Trust { verify: false, authorities: None };
    let Some((before, query)) = url.split_once('?') else { return (url.to_owned(), trust) };
    let mut left = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "verify-full" | "verify-ca")) => trust.verify = true,
            // What the server offers is taken; nobody asks for less on purpose.
            Some(("sslmode", "allow")) => left.push("sslmode=prefer"),
            Some(("sslrootcert", "system")) => trust.verify = true,
            Some(("sslrootcert", file)) => trust.authorities = Some(file.replace("%2F", "/")),
            _ => left.push(pair),
        }
    }
    (format!("{before}?{}", left.join("&")), trust)
}

impl Trust {
    fn client_config(&self) -> Result<ClientConfig, BoxError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        if !self.verify && self.authorities.is_none() {
            let anybody = Arc::new(Anybody(provider));
            return Ok(config
                .dangerous()
                .with_custom_certificate_verifier(anybody)
                .with_no_client_auth());
        }
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(file) => {
                for certificate in CertificateDer::pem_file_iter(file)
                    .map_err(|error| format!("cannot read {file}: {error}"))?
                {
                    roots.add(certificate.map_err(|error| format!("{file}: {error}"))?)?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
        }
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Takes any certificate: `sslmode=prefer` and `require` encrypt without asking who answers, as everywhere.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
