//! The server under test: the real one in this process, on a store of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;
use sync_core::service::ServiceBuilder;
use sync_server::Server;
use sync_server::config::{Config, Settings};
use sync_server::identity::Identity;
use tempfile::TempDir;

use crate::client::Client;

/// A running server with one user.
pub(crate) struct Subject {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Token of the user.
    pub(crate) token: String,
    /// Path of the routes of the user's space.
    pub(crate) space: String,
    /// The rules about accounts, asked without HTTP.
    pub(crate) identity: Identity,
    stop: tokio::sync::oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
    folder: TempDir,
}

/// Where the data of a server is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// In one SQLite file.
    Sqlite,
    /// In a schema of its own of the Postgres database with this URL.
    Postgres(&'a str),
}

/// Tells the schemas of one run apart.
static N_SCHEMAS: AtomicUsize = AtomicUsize::new(0);

impl Place<'_> {
    /// What the names of its benches begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres(_) => "Postgres: ",
        }
    }

    /// An empty store.
    pub(crate) fn store(self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}", folder.join("sync.db").display()),
            Self::Postgres(url) => format!("{url}&schema=bench_{}", N_SCHEMAS.fetch_add(1, Ordering::SeqCst)),
        }
    }
}

/// A server that listens on any free port.
pub(crate) async fn server(store: &str) -> Server {
    server_with(store, |service| service).await
}

/// The same with rules of its own.
async fn server_with(store: &str, rules: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Server {
    let settings =
        Settings { listen: Some("127.0.0.1:0".into()), store: Some(store.into()), ..Settings::default() };
    let config = Config::load(settings, |_| None, None).expect("the configuration is plain");
    Server::start_with(config, rules).await.expect("the server starts on an empty store")
}

impl Subject {
    /// Starts a server on an empty store.
    pub(crate) async fn start(place: Place<'_>) -> Self {
        Self::start_with(place, |service| service).await
    }

    /// The same with rules of its own.
    pub(crate) async fn start_with(
        place: Place<'_>,
        rules: impl FnOnce(ServiceBuilder) -> ServiceBuilder,
    ) -> Self {
        let folder = TempDir::new().expect("there is a place for temporary files");
        let server = server_with(&place.store(folder.path()), rules).await;
        let (address, identity) = (server.address(), server.identity().clone());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let served = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
        let (token, space) = register(address, "bench").await;
        Self { address, token, space, identity, stop, served, folder }
    }

    /// A new connection.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address, &self.token).await
    }

    /// Fills the space with records.
    pub(crate) async fn fill(&self, bodies: &[String]) {
        let mut client = self.client().await;
        let path = format!("{}/changes", self.space);
        for body in bodies {
            client.ok(Method::POST, &path, body.clone()).await;
        }
    }

    /// A folder on the same disk for a reference.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.expect("the server ends in order");
    }
}

/// Registers someone; yields their token and the path of the routes of their space.
pub(crate) async fn register(address: SocketAddr, name: &str) -> (String, String) {
    let mut client = Client::connect(address, "").await;
    let body = format!(r#"{{"username":"{name}","password":"bench-password"}}"#);
    let (_, answer) = client.request(Method::POST, "/v1/auth/register", body).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("the answer is JSON");
    let text = |name: &str| answer[name].as_str().expect("registering yields it").to_owned();
    (text("access_token"), format!("/v1/spaces/{}", text("space")))
}
