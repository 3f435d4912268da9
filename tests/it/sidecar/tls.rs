//! The door with encryption: who can be spoken to, in which tongue, and by which certificate.

use super::{MOST, Said, Sidecar, said};
use crate::requests::{certificate, has_openssl};
use cuelight_gateway::TlsFiles;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate and key for `localhost`, in a directory of its own.
fn pair(dir: &Path) -> TlsFiles {
    let (key, certificate) = certificate(dir, "localhost");
    TlsFiles { certificate, key }
}

/// A line to it for whoever trusts these, and speaks this.
async fn connect(sidecar: &Sidecar, trusted: &Path, tongue: &[u8]) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).expect("a certificate")).expect("taken");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![tongue.to_vec()];
    let line = TcpStream::connect(sidecar.at).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let agreed = timeout(MOST, TlsConnector::from(Arc::new(config)).connect(name, line)).await;
    agreed.expect("in time").map_err(|error| error.to_string())
}

async fn ask(sidecar: &Sidecar, trusted: &Path) -> Result<Said, String> {
    let mut line = connect(sidecar, trusted, b"http/1.1").await?;
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    line.write_all(request).await.expect("sent");
    let mut heard = Vec::new();
    drop(timeout(MOST, line.read_to_end(&mut heard)).await.expect("in time"));
    Ok(said(&String::from_utf8_lossy(&heard)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_port_answers_in_both_tongues_and_nobody_without_encryption() {
    if !has_openssl() {
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let files = pair(dir.path());
    let encrypted = Sidecar::encrypted(files.clone()).await;
    assert_eq!(ask(&encrypted, &files.certificate).await.expect("encrypted").is(200)["status"], "healthy");
    let line = connect(&encrypted, &files.certificate, b"h2").await.expect("encrypted");
    let (mut http, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(line)).await.expect("HTTP/2");
    let moved = tokio::spawn(connection);
    // Many at once on one line, once it was said how many may be; then one under a name that is not this machine's.
    let get = |uri: String| Request::get(uri).body(Empty::<Bytes>::new()).expect("a request");
    let first = http.send_request(get("https://localhost/health".to_owned())).await.expect("answered");
    assert_eq!(first.status(), 200);
    let asked: Vec<_> =
        (0..60).map(|_| http.send_request(get("https://localhost/health".to_owned()))).collect();
    for one in asked {
        let answer = timeout(MOST, one).await.expect("in time").expect("answered");
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.expect("whole").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("\"healthy\""));
    }
    let elsewhere = http.send_request(get("https://evil.example/health".to_owned())).await.expect("answered");
    assert_eq!(elsewhere.status(), 403);
    drop((http, moved));
    let plain = encrypted.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(!plain.text.contains("healthy") && plain.status == 0, "{plain:?}");
    encrypted.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_was_renewed_counts_from_the_next_line_on_and_one_that_does_not_fit_never() {
    if !has_openssl() {
        return;
    }
    let (dir, renewed) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let files = pair(dir.path());
    let encrypted = Sidecar::encrypted(files.clone()).await;
    let before = fs::read(&files.certificate).expect("read");
    let after = pair(renewed.path());
    // Half of it is there: the pair that fitted goes on.
    fs::copy(&after.certificate, &files.certificate).expect("copied");
    let kept = renewed.path().join("before.pem");
    fs::write(&kept, before).expect("written");
    ask(&encrypted, &kept).await.expect("the old one").is(200);
    fs::copy(&after.key, &files.key).expect("copied");
    ask(&encrypted, &after.certificate).await.expect("the new one").is(200);
    ask(&encrypted, &kept).await.expect_err("the old one is gone");
    encrypted.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_encrypt_is_told_before_anybody_is_listened_to() {
    if !has_openssl() {
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let (files, other) = (pair(dir.path()), TempDir::new().expect("a directory"));
    let why = |files: TlsFiles| async { Sidecar::refused(files).await };
    let told = why(TlsFiles { key: pair(other.path()).key, ..files.clone() }).await;
    assert!(told.contains("is it the key of that certificate?"), "{told}");
    let told = why(TlsFiles { certificate: PathBuf::from("/nowhere/a.pem"), ..files.clone() }).await;
    assert!(told.starts_with("could not read /nowhere/a.pem: "), "{told}");
    let told = why(TlsFiles { certificate: files.key.clone(), ..files.clone() }).await;
    assert!(told.contains("no certificate is in it"), "{told}");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).expect("set");
    let told = why(files).await;
    assert!(told.contains("everybody may use it (mode 644); `chmod 600` it"), "{told}");
}

/// The words of the command, and what is shown to everybody where others can ask.
#[test]
fn for_other_machines_it_encrypts_or_says_that_it_does_not_and_shows_no_counts() {
    use crate::program::{Place, until};
    let place = Place::new();
    let free = || {
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
    };
    let port = free().port();
    let _open = place.start(&["serve", "--listen", &format!("0.0.0.0:{port}"), "--insecure"]);
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let plain = format!("http://127.0.0.1:{port}");
    let api =
        |path: &str, url: &str, more: &[&str]| place.cue(&[&["api", path, "--url", url][..], more].concat());
    api("/health", &plain, &[]).ok();
    let said = api("/status", &plain, &[]);
    assert!(said.code == 1 && said.err.contains("(HTTP 401)"), "{said:?}");
    place.cue(&["shutdown"]).ok();
    place.write(".cuelight/config.toml", "open-status = true\n");
    if !has_openssl() {
        return;
    }
    let files = pair(place.path());
    let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    let port = free().port();
    let address = format!("0.0.0.0:{port}");
    let half = place.cue(&["serve", "--listen", &address, "--tls-cert", &certificate]);
    assert!(half.code == 2 && half.err.contains("--tls-key"), "{half:?}");
    let _closed =
        place.start(&["serve", "--listen", &address, "--tls-cert", &certificate, "--tls-key", &key]);
    let url = format!("https://localhost:{port}");
    let own = ["--authorities", certificate.as_str()];
    until("it listens", || api("/health", &url, &own).code == 0);
    api("/status", &url, &own).ok();
    let unknown = api("/health", &url, &[]);
    assert!(unknown.code == 6 && unknown.err.contains("could not ask: "), "{unknown:?}");
}
