//! A TLS client that believes any certificate, for asking this machine's own server whether it is well.
//!
//! The certificate names the host that people know, not the address that is asked here; and nothing is sent that anyone may
//! not hear, nor is anything believed but that someone answers.

use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

use super::{VERSIONS, provider};

/// Speaks TLS on a connection to `ip`.
///
/// # Errors
///
/// When TLS cannot be set up at all; what goes wrong between the two is told by reading and writing.
pub(crate) fn connect_unverified(
    ip: IpAddr,
    stream: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>, Error> {
    let verifier = Arc::new(AnyCertificate(provider()));
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()));
    let builder = builder.with_protocol_versions(&VERSIONS)?;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::IpAddress(ip.into()))?;
    Ok(StreamOwned::new(connection, stream))
}

#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
