//! The server under test: the real one, on SQLite in a folder of its own, in this process.

use std::net::SocketAddr;
use std::path::Path;

use hyper::Method;
use sync_server::Server;
use sync_server::config::{Config, Settings};
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
    stop: tokio::sync::oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
    folder: TempDir,
}

impl Subject {
    /// Starts a server on an empty database.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().expect("there is a place for temporary files");
        let store = format!("sqlite:{}", folder.path().join("sync.db").display());
        let settings = Settings {
            listen: Some("127.0.0.1:0".into()),
            store: Some(store.as_str().into()),
            ..Settings::default()
        };
        let config = Config::load(settings, |_| None, None).expect("the configuration is plain");
        let server = Server::start(config).await.expect("the server starts on an empty folder");
        let address = server.address();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let served = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
        let mut client = Client::connect(address, "").await;
        let body = r#"{"username":"bench","password":"bench-password"}"#;
        let (_, answer) = client.request(Method::POST, "/v1/auth/register", body).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("the answer is JSON");
        let text = |name: &str| answer[name].as_str().expect("registering yields it").to_owned();
        let (token, space) = (text("access_token"), format!("/v1/spaces/{}", text("space")));
        Self { address, token, space, stop, served, folder }
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
