//! TLS at the listener: a certificate from files, which may be replaced while the server runs.
//!
//! TLS 1.2 and 1.3 with the cryptography of `ring`, and HTTP/1.1 alone, as everywhere in this server. The files are looked at
//! every few seconds; connections that are open keep the certificate they began with. One that cannot be used is said in the
//! log, and the one before it stays; so is one that has expired or is about to.

mod apart;
mod files;
mod unverified;
mod validity;

pub use files::TlsFiles;
pub(crate) use unverified::connect_unverified;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sync_core::Clock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use apart::apart;
use files::Stamp;

/// How often the files are looked at. 2 s: it costs two calls, and whoever renewed a certificate looks whether it came.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The one protocol that is spoken inside.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The versions that are spoken.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// What a listener needs to speak TLS. Clones share the certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    files: TlsFiles,
    clock: Arc<dyn Clock>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// The certificate that new connections get, and what its files were like.
#[derive(Debug)]
struct Current {
    certificate: RwLock<Arc<CertifiedKey>>,
    stamp: RwLock<Stamp>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certificate.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the certificate and its key. By `clock` it is known whether the certificate has expired, which is told in the log.
    ///
    /// # Errors
    ///
    /// Text that names the file and says what is wrong with it: missing, no regular file, open to others, not PEM, or not a pair.
    pub fn load(files: TlsFiles, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let stamp = files.stamp();
        let certificate = files.load(&provider())?;
        let current =
            Arc::new(Current { certificate: RwLock::new(Arc::new(certificate)), stamp: RwLock::new(stamp) });
        let builder = ServerConfig::builder_with_provider(Arc::new(provider()));
        let builder = builder
            .with_protocol_versions(&VERSIONS)
            .map_err(|error| format!("cannot speak TLS: {error}"))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(current.clone());
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        let tls = Self { files, clock, current, config: Arc::new(config) };
        tls.tell_validity();
        Ok(tls)
    }

    /// What greets the clients of a listener.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Takes over the files whenever they change, for ever.
    pub async fn follow(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = self.clone();
            apart(move || tls.look()).await;
        }
    }

    fn look(&self) {
        let stamp = self.files.stamp();
        if *self.current.stamp.read().unwrap_or_else(PoisonError::into_inner) == stamp {
            return;
        }
        match self.files.load(&provider()) {
            Ok(certificate) => {
                *self.current.certificate.write().unwrap_or_else(PoisonError::into_inner) =
                    Arc::new(certificate);
                tracing::info!("took over the new TLS certificate");
                self.tell_validity();
            }
            Err(why) => {
                tracing::warn!(%why, "the new TLS certificate cannot be used; the one before it stays")
            }
        }
        // Also of files that cannot be used: they are told of once.
        *self.current.stamp.write().unwrap_or_else(PoisonError::into_inner) = stamp;
    }

    fn tell_validity(&self) {
        let current = Arc::clone(&self.current.certificate.read().unwrap_or_else(PoisonError::into_inner));
        let now = Duration::from_micros(u64::try_from(self.clock.now().as_micros()).unwrap_or(0));
        let why = current
            .end_entity_cert()
            .ok()
            .and_then(|certificate| validity::warning(certificate, UnixTime::since_unix_epoch(now)));
        if let Some(why) = why {
            tracing::warn!(%why, "the TLS certificate has to be renewed");
        }
    }
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

#[cfg(test)]
mod tests;
