//! A server that speaks https: greeting, refusing, and changing its certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, KeyPair};
use sync_server::config::Settings;
use sync_server::health;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio_tungstenite::tungstenite::Message;

use crate::world::{PATIENCE, Running, exchange, start};

/// A certificate, the files it is in, and a server that has it.
struct World {
    certificate: PathBuf,
    key: PathBuf,
    server: Running,
    _home: TempDir,
}

fn made() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// Replaces a file as tools that renew certificates do: by another.
fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&draft, private).unwrap();
    std::fs::rename(draft, path).unwrap();
}

impl World {
    async fn with(first: &CertifiedKey<KeyPair>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (certificate, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
        replace(&certificate, &first.cert.pem());
        replace(&key, &first.signing_key.serialize_pem());
        let settings = Settings {
            store: Some("memory:".into()),
            tls_cert: Some(certificate.clone()),
            tls_key: Some(key.clone()),
            ..Settings::default()
        };
        Self { certificate, key, server: start(settings).await.unwrap(), _home: home }
    }

    /// A connection of a client that trusts `trusted` alone.
    async fn connect(
        &self,
        trusted: &CertifiedKey<KeyPair>,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(self.server.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
    }
}

async fn is_healthy(mut stream: TlsStream<TcpStream>) -> bool {
    let answer = exchange(&mut stream, "GET /health", "", "").await;
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    answer.starts_with("HTTP/1.1 200 ")
}

/// A request on a connection that is kept.
async fn ask_on(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer)).await;
        assert!(read.expect("an answer in time").unwrap() > 0, "the connection was closed");
    }
}

#[tokio::test]
async fn both_versions_are_spoken_and_one_protocol() {
    let made = made();
    let world = World::with(&made).await;
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = world.connect(&made, version).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(is_healthy(stream).await);
    }
    let address = world.server.address;
    tokio::task::spawn_blocking(move || health::check(address, true)).await.unwrap().unwrap();
    assert!(tokio::task::spawn_blocking(move || health::check(address, false)).await.unwrap().is_err());
    world.server.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_over_and_a_broken_one_is_not() {
    let (first, second) = (made(), made());
    let world = World::with(&first).await;
    let mut kept = world.connect(&first, &TLS13).await.unwrap();
    ask_on(&mut kept).await;
    replace(&world.certificate, "renewing broke off");
    // Longer than it takes until the server looks: what does not happen cannot be waited for.
    tokio::time::sleep(Duration::from_secs(3)).await;
    ask_on(&mut kept).await;
    assert!(is_healthy(world.connect(&first, &TLS13).await.unwrap()).await);

    replace(&world.certificate, &second.cert.pem());
    replace(&world.key, &second.signing_key.serialize_pem());
    let taken_over = async {
        while world.connect(&second, &TLS13).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken_over).await.expect("the new certificate is taken over");
    assert!(world.connect(&first, &TLS13).await.is_err());
    ask_on(&mut kept).await;
    world.server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_speak_tls_is_hung_up_on() {
    let made = made();
    let world = World::with(&made).await;
    let answer = world.server.ask("GET /health", "", "").await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
    assert!(is_healthy(world.connect(&made, &TLS13).await.unwrap()).await);
    world.server.stop().await;
}

#[tokio::test]
async fn a_client_that_never_greets_is_hung_up_on() {
    let world = World::with(&made()).await;
    let mut silent = TcpStream::connect(world.server.address).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, silent.read_u8()).await;
    assert!(read.expect("it is closed").is_err());
    world.server.stop().await;
}

#[tokio::test]
async fn a_server_does_not_start_without_what_it_was_told_to_show() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings {
        store: Some("memory:".into()),
        tls_cert: Some(home.path().join("cert.pem")),
        tls_key: Some(home.path().join("key.pem")),
        ..Settings::default()
    };
    assert!(start(settings).await.err().unwrap().contains("cert.pem"));
}

#[tokio::test]
async fn a_live_connection_is_spoken_over_tls() {
    let made = made();
    let world = World::with(&made).await;
    let stream = world.connect(&made, &TLS13).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async("wss://localhost/v1/live?auth=message", stream).await.unwrap();
    socket.send(Message::text(r#"{"type":"auth","token":"nobody's"}"#)).await.unwrap();
    let farewell = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(farewell, Message::Close(Some(frame)) if u16::from(frame.code) == 4401));
}
