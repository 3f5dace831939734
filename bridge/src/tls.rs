//! TLS, for bridges without a proxy before them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is missing or holds no PEM of that kind.
    #[error("{path} cannot be read as PEM: {why}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file without a certificate.
    #[error("{0} holds no certificate; name the file with the chain in PEM, the server's own certificate first")]
    Empty(PathBuf),
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("the certificate {cert} cannot be used with the key {key}: {why}")]
    Certificate {
        /// The chain's file.
        cert: PathBuf,
        /// The key's.
        key: PathBuf,
        /// In the library's words.
        why: String,
    },
}

/// What accepts TLS connections, if the configuration names a certificate.
pub(crate) fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|error| pem(cert, error))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(cert.clone()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, error))?;
    let tls = server_config(chain, secret);
    let tls = tls.map_err(|error| TlsError::Certificate { cert: cert.clone(), key: key.clone(), why: error.to_string() })?;
    Ok(Some(TlsAcceptor::from(Arc::new(tls))))
}

fn server_config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()?;
    let mut tls = builder.with_no_client_auth().with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn pem(path: &Path, error: rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Pem { path: path.to_owned(), why: error.to_string() }
}
