//! Encryption of a port: a certificate and its key, read again when their files have changed. Renewing them
//! needs no restart of the engine.

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio_rustls::TlsAcceptor;

/// HTTP/2, as an agreement on encryption names it (RFC 7301).
pub(super) const H2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// Permissions of a key that anybody else has.
const OTHERS: u32 = 0o007;

/// Paths of a certificate and its key, both as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and behind it those that lead to its authority.
    pub certificate: PathBuf,
    /// Private key of the certificate.
    pub key: PathBuf,
}

/// Accepts encrypted connections of HTTP callers.
///
/// # Errors
/// When one of the files cannot be read, when they do not belong together, and when anybody can read the key.
pub(super) fn acceptor(files: TlsFiles) -> Result<TlsAcceptor, String> {
    let stamp = stamp(&files);
    let pair = read(&files)?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("could not prepare encryption: {error}"))?;
    let known = Mutex::new((stamp, pair));
    let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(Pair { files, known }));
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Values that change when a file is replaced: its size, times and inode.
type Stamp = [(u64, i64, i64, u64); 2];

#[derive(Debug)]
struct Pair {
    files: TlsFiles,
    known: Mutex<(Option<Stamp>, Arc<CertifiedKey>)>,
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.files);
        // While the two are being replaced they may not fit; those that did are good until they expire.
        if now.is_some()
            && now != known.0
            && let Ok(pair) = read(&self.files)
        {
            *known = (now, pair);
        }
        Some(Arc::clone(&known.1))
    }
}

fn stamp(files: &TlsFiles) -> Option<Stamp> {
    let of = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
    };
    Some([of(&files.certificate)?, of(&files.key)?])
}

fn read(files: &TlsFiles) -> Result<Arc<CertifiedKey>, String> {
    let wrong = |path: &Path, why: String| format!("could not read {}: {why}", path.display());
    let not = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| wrong(&path, format!("{error}; it has to be PEM"))
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(not(&files.certificate))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, "no certificate is in it; it has to be PEM".to_owned()));
    }
    let mode = fs::metadata(&files.key).map_err(|error| wrong(&files.key, error.to_string()))?.mode();
    if mode & OTHERS != 0 {
        let why = format!("everybody may use it (mode {:o}); `chmod 600` it", mode & 0o777);
        return Err(wrong(&files.key, why));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(not(&files.key))?;
    let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
    let pair =
        pair.map_err(|error| wrong(&files.key, format!("{error}; is it the key of that certificate?")))?;
    Ok(Arc::new(pair))
}
