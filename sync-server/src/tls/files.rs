//! A certificate and its key, as two PEM files.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::private_file;

/// Bytes of each file. 1 MiB: chains have a few kB, and a wrong path is noticed.
const BYTES_MAX: u64 = 1 << 20;

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, as PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// The key, as PEM. Strangers must not be able to read it.
    pub key: PathBuf,
}

/// What can be seen of both files without reading them; it differs when one was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<[i64; 5]>; 2]);

impl TlsFiles {
    /// What the files are like now.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp([&self.certificate, &self.key].map(|path| fs::metadata(path).ok().map(|found| stamp(&found))))
    }

    /// The pair in the files.
    ///
    /// # Errors
    ///
    /// Text that names the file and what is wrong with it.
    pub(super) fn load(&self, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
        let chain = read(&self.certificate, 0)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain =
            chain.ok_or_else(|| format!("{} holds no certificate as PEM", self.certificate.display()))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key, private_file::STRANGERS)?);
        let key = key.map_err(|_| format!("{} holds no key as PEM", self.key.display()))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            format!("{certificate} and {key} are not a certificate and its key: {error}")
        })
    }
}

fn read(path: &Path, forbidden: u32) -> Result<Vec<u8>, String> {
    private_file::read(path, forbidden, BYTES_MAX)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn stamp(found: &Metadata) -> [i64; 5] {
    let bits = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
    [bits(found.ino()), bits(found.size()), found.mtime(), found.mtime_nsec(), found.ctime()]
}
