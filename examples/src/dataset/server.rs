//! The server between the replicas: a running one, or one of our own.

use std::path::Path;
use std::sync::Arc;

use sync_core::transport::HttpTransport;
use sync_core::{ActorId, IdSource, OsIds, SpaceId, StateHash};
use sync_server::config::{Config, Settings};

use crate::Error;

/// A server on which we have an account.
pub(crate) struct Server {
    base: String,
    username: String,
    /// Our space there.
    pub(crate) space: SpaceId,
    /// Who we are there.
    pub(crate) user: ActorId,
    transport: HttpTransport,
}

/// The account is made for one run and never used again.
const PASSWORD: &str = "only for this run";

impl Server {
    /// Takes the server at `base`, or starts one on SQLite in `folder`, and registers.
    pub(crate) async fn reach(base: Option<&str>, folder: &Path) -> Result<Self, Error> {
        let base = match base {
            Some(base) => base.to_owned(),
            None => start(folder).await?,
        };
        let transport = HttpTransport::new(&base, None)?;
        let username = format!("dataset-{}", OsIds.new_hex_id());
        let account = transport.register(&username, PASSWORD).await?;
        Ok(Self { base, username, space: account.space, user: account.user, transport })
    }

    /// A connection of its own for one replica.
    pub(crate) async fn connect(&self) -> Result<Arc<HttpTransport>, Error> {
        let transport = HttpTransport::new(&self.base, None)?;
        transport.login(&self.username, PASSWORD).await?;
        Ok(Arc::new(transport))
    }

    /// Hash of everything in our space.
    pub(crate) async fn hash(&self) -> Result<StateHash, Error> {
        Ok(self.transport.state_hash(&self.space).await?)
    }
}

async fn start(folder: &Path) -> Result<String, Error> {
    let store = format!("sqlite:{}", folder.join("server.db").display());
    let settings = Settings {
        listen: Some("127.0.0.1:0".into()),
        store: Some(store.as_str().into()),
        ..Settings::default()
    };
    let server = sync_server::Server::start(Config::load(settings, |_| None, None)?).await?;
    let base = format!("http://{}", server.address());
    // It serves until the program ends.
    tokio::spawn(server.run(std::future::pending()));
    Ok(base)
}
