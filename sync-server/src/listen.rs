//! The accept loop: sockets in, requests to a service, and an end in good order.
//!
//! HTTP/1.1 only, in clear text or over TLS. A connection has a limited time to send a whole request head, and the
//! same time to begin its next request, so idle connections are reaped by the same clock. One whose peer does not read its
//! answers is cut off by another. hyper itself
//! closes a connection that sent both `Content-Length` and `Transfer-Encoding`; what follows such a request
//! on the wire is never read as a request.
//!
//! A connection over a cap is told 503 and closed without being read. That answer is a courtesy: a client
//! that has already sent its request may see a reset instead, and one that waits for TLS is told nothing. Greeting a client of TLS
//! takes a slot, too, and has as long as a request head.

mod descriptors;
mod limits;
mod moving;
mod slots;
mod stream;

pub use descriptors::raise_descriptors;
pub use limits::ListenLimits;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client::Holding;
use crate::tls::Tls;
use moving::Moving;
use slots::Slots;
use stream::PeerStream;

/// Pause after the system refused a socket (usually for want of descriptors). Long enough not to spin,
/// short enough that nobody notices once a descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Headers in one request. 100: hyper's own default, named here because it is promised.
const HEADERS_MAX: usize = 100;

/// Bytes hyper buffers per connection. 96 KiB: room to read a 70 kB line and answer 414 to it, while the
/// gate holds heads to 64 KiB.
const BUFFER_BYTES_MAX: usize = 96 << 10;

/// The answer to a connection over a cap. It is a problem like any other, so that clients take it for the server's own word and
/// not for trouble of something in between.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
content-type: application/problem+json\r\ncontent-length: 143\r\ncache-control: no-store\r\n\
x-content-type-options: nosniff\r\n\r\n\
{\"code\":\"overloaded\",\"detail\":\"too many connections\",\"status\":503,\"title\":\"The server is busy; try again\",\"type\":\"urn:sync:problem:overloaded\"}";

/// A connection that was accepted, before anything is spoken on it.
type Socket = PeerStream<Moving<TcpStream>>;

/// A bound socket, and the certificate with which TLS is spoken on it, if it is.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// The certificate; without one, clear text is spoken.
    pub tls: Option<Tls>,
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }
}

/// Serves connections of `listener` with `service` until `stop` is ready, then drains.
///
/// Each request carries its peer's [`SocketAddr`] in its extensions. After `stop` nothing new is accepted,
/// idle connections close at once, requests in flight get
/// [`ListenLimits::drain_timeout`], and what is left is cut.
/// Upgraded connections (WebSocket) belong to whoever upgraded them: they keep their slot under the caps
/// until they are dropped, but are not waited for.
pub async fn serve<S, B>(
    listener: impl Into<Listener>,
    limits: ListenLimits,
    service: S,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Listener { socket, tls } = listener.into();
    let tls = tls.map(|tls| tls.acceptor());
    let (stopping, _) = watch::channel(());
    let ListenLimits { header_timeout, stall_timeout, drain_timeout, .. } = limits;
    let protocol = protocol(header_timeout);
    let slots = Slots::new(limits);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => if let Some((stream, slot)) = admit(stream, peer, &slots, tls.is_some()) {
                    let io = PeerStream::new(Moving::new(stream, stall_timeout), slot);
                    let (protocol, service) = (protocol.clone(), WithPeer { peer, service: service.clone() });
                    let stopping = stopping.subscribe();
                    match tls.clone() {
                        None => connections.spawn(connection(protocol, io, service, stopping)),
                        Some(tls) => connections.spawn(async move {
                            if let Some(io) = greet(tls, io, header_timeout, stopping.clone()).await {
                                connection(protocol, io, service, stopping).await;
                            }
                        }),
                    };
                },
                Err(error) => pause_after(error).await,
            }
        }
    }
    drop(socket);
    drain(stopping, connections, drain_timeout).await;
}

/// Agrees on TLS with a client, unless that takes too long, fails, or the server stops.
async fn greet(
    tls: TlsAcceptor,
    io: Socket,
    timeout: Duration,
    mut stopping: watch::Receiver<()>,
) -> Option<TlsStream<Socket>> {
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(timeout, tls.accept(io)) => greeted.ok()?,
        _ = stopping.changed() => return None,
    };
    greeted.inspect_err(|error| tracing::debug!(%error, "a client could not agree on TLS")).ok()
}

async fn drain(stopping: watch::Sender<()>, mut connections: JoinSet<()>, timeout: Duration) {
    stopping.send_replace(());
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, all_ended).await.is_err() {
        tracing::warn!(n_connections = connections.len(), "cut the connections still busy after the drain");
        connections.shutdown().await;
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, slots: &Slots, is_tls: bool) -> Option<(TcpStream, Holding)> {
    let Some(slot) = slots.take(peer.ip().into()) else {
        tracing::debug!("refused a connection over a cap");
        if !is_tls {
            stream.try_write(FULL).ok();
        }
        return None;
    };
    // Answers are written whole, so waiting for more to send only delays them.
    stream.set_nodelay(true).ok();
    Some((stream, slot))
}

/// A connection that died before it was accepted is not a reason to wait; lack of descriptors is.
async fn pause_after(error: io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "could not accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Puts the peer's address where routes can find it.
struct WithPeer<S> {
    peer: SocketAddr,
    service: S,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }
}

async fn connection<I, S, B>(protocol: http1::Builder, io: I, service: S, mut stopping: watch::Receiver<()>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = protocol.serve_connection(TokioIo::new(io), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn protocol(header_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .half_close(false);
    builder
}
