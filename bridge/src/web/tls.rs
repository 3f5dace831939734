//! TLS, for a bridge without a proxy in front of it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use aqueduct_core::net::Limit;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::Error::NoItemsFound;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, file};
use crate::limits::address_rate::AddressRate;
use crate::sync::{read, write};

/// The number of seconds' worth of handshakes that an address may start in a burst.
const HANDSHAKE_BURST: u64 = 5;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file does not exist or contains no PEM of the required kind.
    #[error("{path} cannot be read as PEM: {why}")]
    Pem {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file without a certificate.
    #[error(
        "{0} holds no certificate; name the file with the chain in PEM, the server's own certificate first"
    )]
    Empty(PathBuf),
    /// A file without a private key that can be read.
    #[error(
        "{0} holds no private key; name the file with the certificate's key in PEM, which has no passphrase"
    )]
    NoKey(PathBuf),
    /// Certificate and key do not match, or are of an unsupported kind.
    #[error("the certificate {cert} cannot be used with the key {key}: {why}")]
    Certificate {
        /// The chain's file.
        cert: PathBuf,
        /// The key's.
        key: PathBuf,
        /// The library's reason.
        why: String,
    },
}

/// A certificate that can be reloaded: it is renewed every few weeks, which should not end
/// sessions.
pub(crate) struct Tls {
    cert: PathBuf,
    key: PathBuf,
    acceptor: RwLock<TlsAcceptor>,
    /// Limits handshakes, each of which costs a signature.
    handshakes: AddressRate,
}

impl Tls {
    /// Reads the certificate, if the configuration names one.
    pub(crate) fn read(config: &Config) -> Result<Option<Self>, TlsError> {
        let (Some(cert), Some(key)) = (config.tls_cert.clone(), config.tls_key.clone()) else {
            return Ok(None);
        };
        let acceptor = RwLock::new(acceptor(&cert, &key)?);
        let limits = &config.limits;
        let rate = u64::from(limits.tls_handshakes_per_address);
        let rate = Limit::per_second(rate).with_burst(rate.saturating_mul(HANDSHAKE_BURST));
        let handshakes = AddressRate::new(rate, limits.addresses_per_site);
        Ok(Some(Self {
            cert,
            key,
            acceptor,
            handshakes,
        }))
    }

    /// Reads the certificate again. If that fails, the current one stays.
    pub(crate) fn reread(&self) -> Result<(), TlsError> {
        let new = acceptor(&self.cert, &self.key)?;
        *write(&self.acceptor) = new;
        Ok(())
    }

    /// Whether this address may start a handshake now.
    pub(crate) fn admits(&self, ip: IpAddr) -> bool {
        self.handshakes.take(ip, Instant::now()).is_ok()
    }

    /// The acceptor for a new connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        read(&self.acceptor).clone()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("cert", &self.cert)
            .finish_non_exhaustive()
    }
}

fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let bytes = file::read(cert).map_err(|error| pem(cert, &error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| pem(cert, &error))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(cert.to_owned()));
    }
    let bytes = file::read(key).map_err(|error| pem(key, &error))?;
    let secret = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        NoItemsFound => TlsError::NoKey(key.to_owned()),
        error => pem(key, &error),
    })?;
    let tls = server_config(chain, secret);
    let tls = tls.map_err(|error| TlsError::Certificate {
        cert: cert.to_owned(),
        key: key.to_owned(),
        why: error.to_string(),
    })?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let mut tls = builder.with_no_client_auth().with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn pem(path: &Path, error: &dyn std::error::Error) -> TlsError {
    TlsError::Pem {
        path: path.to_owned(),
        why: error.to_string(),
    }
}
