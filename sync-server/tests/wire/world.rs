//! A server on a free port with trivial warp routes, and a client that writes raw bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sync_core::ManualClock;
use sync_server::client::{ClientAddress, TrustedProxies};
use sync_server::cors::Cors;
use sync_server::edge::{Around, Edge};
use sync_server::gate::{Gate, GateLimits};
use sync_server::limit::Limiter;
use sync_server::listen::{ListenLimits, serve};
use sync_server::reject::recover;
use sync_server::reply::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

/// Longer than any answer takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    /// How many requests reached a route.
    pub(crate) served: Arc<AtomicUsize>,
    /// Lets `GET /slow` finish.
    pub(crate) finish_slow: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

fn routes(served: Arc<AtomicUsize>, slow: Arc<Notify>) -> BoxedFilter<(Response,)> {
    let count = warp::any()
        .map(move || {
            served.fetch_add(1, SeqCst);
        })
        .untuple_one()
        .boxed();
    let peer = warp::path!("peer").and(warp::get()).and(count.clone()).and(warp::ext::get());
    let peer = peer.map(|peer: SocketAddr| peer.ip().to_string().into_response()).boxed();
    let client = warp::path!("client").and(warp::get()).and(count.clone()).and(warp::ext::get());
    let client = client.map(|client: ClientAddress| client.ip().to_string().into_response()).boxed();
    let echo = warp::path!("echo").and(warp::post()).and(count.clone()).and(warp::body::bytes());
    let echo = echo.map(|body: Bytes| Response::new(body.into())).boxed();
    let wait = move || {
        let slow = Arc::clone(&slow);
        async move {
            slow.notified().await;
            "done".into_response()
        }
    };
    let slow = warp::path!("slow").and(warp::get()).and(count).then(wait).boxed();
    let panics = warp::path!("panic").map(|| -> Response { panic!("as the test wants it") }).boxed();
    let upgrade = warp::path!("upgrade").and(warp::ext::get()).map(echo_upgraded).boxed();
    let all =
        peer.or(client).unify().or(upgrade).unify().or(echo).unify().or(slow).unify().or(panics).unify();
    all.recover(recover).unify().boxed()
}

/// Takes the connection from HTTP and sends back what comes, as a WebSocket route would.
fn echo_upgraded(upgrade: OnUpgrade) -> Response {
    tokio::spawn(async move {
        let io = TokioIo::new(upgrade.await.unwrap());
        let (mut read, mut write) = tokio::io::split(io);
        tokio::io::copy(&mut read, &mut write).await
    });
    let switching =
        hyper::Response::builder().status(101).header("connection", "upgrade").header("upgrade", "echo");
    switching.body("".into()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(GateLimits::default(), ListenLimits::default()).await
    }

    /// Behind a proxy on this machine.
    pub(crate) async fn behind_a_proxy() -> Self {
        let proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]);
        Self::with(GateLimits::default(), ListenLimits { proxies, ..ListenLimits::default() }).await
    }

    pub(crate) async fn with(gate: GateLimits, limits: ListenLimits) -> Self {
        let (served, finish_slow) = <(Arc<AtomicUsize>, Arc<Notify>)>::default();
        let routes = warp::service(routes(Arc::clone(&served), Arc::clone(&finish_slow)));
        let cors = Cors::new(&["https://app.example".into()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        let proxies = limits.proxies.clone();
        // Time stands still: what is used up stays used up.
        let limiter = Arc::new(Limiter::new(Arc::new(ManualClock::default()), [7; 16]));
        let around = Around { gate: Gate::new(gate), cors, proxies, limiter, ..Around::default() };
        let edge = Edge::new(around, routes);
        let server = tokio::spawn(serve(listener, limits, edge, stopped));
        Self { address, served, finish_slow, stop: Some(stop), server }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), received: Vec::new() }
    }

    /// Sends `request` on a connection of its own and returns all that comes back until it is closed.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.until_closed().await
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(&mut self) {
        tokio::time::timeout(PATIENCE, &mut self.server).await.expect("the server should end").unwrap();
    }
}

/// A connection and what it has received.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends in the knowledge that the server may have stopped listening.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Everything received up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        while !self.text().contains(end) {
            assert!(self.receive().await > 0, "closed before {end:?}: {}", self.text());
        }
        self.text()
    }

    /// Waits for this many answers in all.
    pub(crate) async fn until_answered(&mut self, n_answers: usize) {
        while self.text().matches("HTTP/1.1 ").count() < n_answers {
            assert!(self.receive().await > 0, "closed after {n_answers} answers");
        }
    }

    /// Everything received until the server closed; a reset counts as closing.
    pub(crate) async fn until_closed(&mut self) -> String {
        while self.receive().await > 0 {}
        self.text()
    }

    async fn receive(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.received);
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time").unwrap_or(0)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}
