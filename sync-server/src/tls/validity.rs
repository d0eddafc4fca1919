//! Until when a certificate is good, told before all clients refuse it.

use std::time::Duration;

use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use super::provider;

/// How long before its end a certificate is told of. 14 days: those that renew themselves do so a month before, so by then
/// something is wrong, and there is time.
const SOON: Duration = Duration::from_secs(14 * DAY_S);

const DAY_S: u64 = 24 * 3600;

/// What is to be said of `certificate` at `now`, if anything is.
pub(super) fn warning(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<String> {
    let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
    match (refusal(certificate, now), refusal(certificate, later)) {
        (Some(CertificateError::ExpiredContext { not_after, .. }), _) => {
            let days = now.as_secs().saturating_sub(not_after.as_secs()) / DAY_S;
            Some(format!("it expired {days} days ago; clients refuse it"))
        }
        (Some(CertificateError::NotValidYetContext { .. }), _) => {
            Some("it is not valid yet; clients refuse it".to_owned())
        }
        (_, Some(CertificateError::ExpiredContext { not_after, .. })) => {
            let days = not_after.as_secs().saturating_sub(now.as_secs()) / DAY_S;
            Some(format!("it expires in {days} days"))
        }
        _ => None,
    }
}

/// Why nobody would believe `certificate` at `time`. Nobody is trusted here, so there is always a reason; that the time is
/// wrong comes before that its issuer is unknown.
fn refusal(certificate: &CertificateDer<'_>, time: UnixTime) -> Option<CertificateError> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let algorithms = provider().signature_verification_algorithms.all;
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], time, algorithms) {
        Err(Error::InvalidCertificate(why)) => Some(why),
        _ => None,
    }
}
