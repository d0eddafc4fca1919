//! A server that was started from settings, and a client that speaks plain HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use sync_server::Server;
use sync_server::config::{Config, Settings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than any answer takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Starts a server on any free port.
pub(crate) async fn start(settings: Settings) -> Result<Running, String> {
    let settings = Settings { listen: Some("127.0.0.1:0".into()), ..settings };
    let server = Server::start(Config::load(settings, |_| None, None)?).await?;
    let (stop, stopped) = oneshot::channel();
    let address = server.address();
    let task = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
    Ok(Running { address, stop, task })
}

impl Running {
    /// Ends it in order.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the server should end").unwrap();
    }

    /// The answer to a request without TLS.
    pub(crate) async fn ask(&self, ask: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        exchange(&mut stream, ask, head, body).await
    }
}

/// Sends a request and reads until the server closes. `ask` is a method and an address, `head` further header lines.
pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    ask: &str,
    head: &str,
    body: &str,
) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    let request = format!(
        "{ask} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{head}{kind}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Bytes that came before a connection broke off are an answer, too.
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    drop(read.expect("an answer in time"));
    String::from_utf8_lossy(&answer).into_owned()
}
