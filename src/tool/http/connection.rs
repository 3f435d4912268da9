//! One connection for one request: to an address that was judged, with TLS where the address says so. Knows when the first
//! byte of the request may have left, because from then on nobody can tell whether it had an effect.

use super::{address::Address, policy::HttpPolicy};
use crate::Failure;
use cuelight_base::FailureMode;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{self, Connection},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// For finding an address, and for each connection to one.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Header fields of an answer, and bytes that its head may have.
const FIELDS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Settings that all requests of one workspace share.
#[derive(Default)]
pub(crate) struct Door {
    pub(super) policy: HttpPolicy,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
type Carrier = TokioIo<Box<dyn Stream>>;

impl Door {
    pub(crate) fn new(policy: HttpPolicy) -> Self {
        Self { policy, tls: OnceLock::new() }
    }

    /// Looks a name up, once; only what was judged comes back.
    pub(super) async fn addresses(&self, to: &Address) -> Result<Vec<SocketAddr>, Failure> {
        let unknown = |why: String| {
            let message = format!("{} could not be found: {why}; see the name and the network", to.host);
            Failure { mode: FailureMode::SystemNetwork, message }
        };
        let found: Vec<IpAddr> = match to.ip() {
            Some(ip) => vec![ip],
            // As RFC 6761 has it: this machine, whatever somebody's name server says.
            None if to.host == "localhost" || to.host.ends_with(".localhost") => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]
            }
            None => match timeout(CONNECT_MAX, lookup_host((to.host.as_str(), to.port))).await {
                Ok(Ok(found)) => found.map(|timeout| timeout.ip()).collect(),
                Ok(Err(error)) => return Err(unknown(error.to_string())),
                Err(_) => return Err(unknown("no name server has answered".to_owned())),
            },
        };
        if found.is_empty() {
            return Err(unknown("it has no address".to_owned()));
        }
        self.policy.check_addresses(to, found)
    }

    /// A connection to the first of these that takes one.
    pub(super) async fn connect(&self, to: &Address, addresses: &[SocketAddr]) -> Result<Line, Failure> {
        let network = |why: String| {
            let message =
                format!("{} could not be reached: {why}; see whether the other side runs", to.origin());
            Failure { mode: FailureMode::SystemNetwork, message }
        };
        let mut last = "it has no address".to_owned();
        for address in addresses {
            let stream = match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    last = format!("{address}: {error}");
                    continue;
                }
                Err(_) => {
                    last = format!("{address}: no answer within {} s", CONNECT_MAX.as_secs());
                    continue;
                }
            };
            // The only failure is an option the system does not know; then small requests wait a little.
            drop(stream.set_nodelay(true));
            let stream: Box<dyn Stream> =
                if to.is_secure { self.encrypt(to, stream).await? } else { Box::new(stream) };
            let mut http = http1::Builder::new();
            http.max_headers(FIELDS_MAX).max_buf_size(HEAD_BYTES_MAX);
            let (sender, connection) =
                http.handshake(TokioIo::new(stream)).await.map_err(|error| network(error.to_string()))?;
            return Ok(Line { sender, connection: Box::pin(connection), is_over: false });
        }
        Err(network(last))
    }

    async fn encrypt(&self, to: &Address, stream: TcpStream) -> Result<Box<dyn Stream>, Failure> {
        let config = self.tls.get_or_init(|| tls_config(&self.policy)).clone();
        let config = config.map_err(|message| Failure { mode: FailureMode::ResourceTool, message })?;
        let name = match to.ip() {
            Some(ip) => ServerName::IpAddress(ip.into()),
            None => ServerName::try_from(to.host.clone()).map_err(|_| {
                let message = format!("{} is no name that a certificate can have", to.host);
                Failure { mode: FailureMode::UserInvalidInput, message }
            })?,
        };
        match timeout(CONNECT_MAX, TlsConnector::from(config).connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(untrusted(to, &error)),
            Err(_) => {
                let message = format!(
                    "{} has not agreed on encryption within {} s",
                    to.origin(),
                    CONNECT_MAX.as_secs()
                );
                Err(Failure { mode: FailureMode::SystemNetwork, message })
            }
        }
    }
}

/// Tells an invalid certificate from a broken connection.
fn untrusted(to: &Address, error: &io::Error) -> Failure {
    let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => Failure {
            mode: FailureMode::PolicySecurity,
            message: format!(
                "{} is not who it should be: its certificate was refused ({why:?}); an authority of your own goes into http-authorities in .cuelight/config.toml",
                to.origin()
            ),
        },
        _ => Failure {
            mode: FailureMode::SystemNetwork,
            message: format!(
                "{} could not agree on encryption: {error}; see whether it speaks TLS there",
                to.origin()
            ),
        },
    }
}

/// The line broke, or what came over it is no HTTP.
pub(super) fn broken(to: &Address, error: &hyper::Error) -> Failure {
    let origin = to.origin();
    if error.is_parse() {
        let message =
            format!("{origin} answers with what is no HTTP: {error}; see whether it speaks that there");
        return Failure { mode: FailureMode::ResourceApi, message };
    }
    let what = if error.is_incomplete_message() || error.is_body_write_aborted() {
        "closed the connection in the middle".to_owned()
    } else {
        let cause = std::error::Error::source(error).map_or(String::new(), |source| format!(": {source}"));
        format!("broke off: {error}{cause}")
    };
    let message = format!("{origin} {what}; see the network and the other side");
    Failure { mode: FailureMode::SystemNetwork, message }
}

/// The authorities of this system, and those of the workspace.
fn tls_config(policy: &HttpPolicy) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = policy.authorities() {
        let wrong =
            |why: String| format!("could not read {}: {why}; write certificates in PEM", path.display());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    if roots.is_empty() {
        return Err("could not find certificates of any authority; install ca-certificates, or set http-authorities in .cuelight/config.toml".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("could not prepare encryption: {error}"))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// A connection on which one request is sent and one answer read. Nothing is spawned: it moves while somebody waits on it.
pub(super) struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<Carrier, Full<Bytes>>>>,
    is_over: bool,
}

impl Line {
    /// Sends it; the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let sending = self.sender.send_request(request);
        drive(&mut self.connection, &mut self.is_over, sending).await
    }

    /// The next stretch of the body; none at its end.
    pub(super) async fn next(&mut self, body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
        loop {
            match drive(&mut self.connection, &mut self.is_over, body.frame()).await? {
                // Fields after the body say nothing that we would read.
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Moves a connection while its work is waited for.
async fn drive<W: Future>(
    connection: &mut Pin<Box<Connection<Carrier, Full<Bytes>>>>,
    is_over: &mut bool,
    work: W,
) -> W::Output {
    tokio::pin!(work);
    poll_fn(|context| {
        // What went wrong with it is told to whoever waits for the answer.
        *is_over = *is_over || connection.as_mut().poll(context).is_ready();
        work.as_mut().poll(context)
    })
    .await
}
