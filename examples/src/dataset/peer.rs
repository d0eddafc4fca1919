//! One side: a replica on SQLite and its way to the server.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::Resolution;
use sync_core::json::Json;
use sync_core::replica::{Progress, Query, Replica, ReplicaOptions, SyncReport};
use sync_core::transport::HttpTransport;
use sync_core::{Collection, ConflictState, RecordKey, StateHash, TokioRuntime};
use sync_store_sqlite::SqliteStore;

use crate::Error;
use crate::server::Server;

/// Records and conflicts looked at in one go.
const PAGE: usize = 1000;

/// A replica and its connection.
pub(crate) struct Peer {
    replica: Replica,
    transport: Arc<HttpTransport>,
}

impl Peer {
    /// Opens the replica `name` in `folder`.
    pub(crate) async fn open(name: &str, folder: &Path, server: &Server) -> Result<Self, Error> {
        let store = SqliteStore::open_file(folder.join(format!("{name}.db"))).await?;
        let options = ReplicaOptions::new(Arc::new(TokioRuntime), server.user.clone());
        let replica = Replica::open(Arc::new(store), server.space.clone(), options).await?;
        Ok(Self { replica, transport: server.connect().await? })
    }

    pub(crate) async fn import(&self, records: Vec<(RecordKey, Json)>) -> Result<usize, Error> {
        Ok(usize::try_from(self.replica.import(records).await?)?)
    }

    pub(crate) async fn sync(&self, show: impl FnMut(Progress) + Send) -> Result<SyncReport, Error> {
        Ok(self.replica.sync_with_progress(&*self.transport, show).await?)
    }

    /// Ids of all records, ascending.
    pub(crate) async fn ids(&self, collection: &Collection) -> Result<Vec<String>, Error> {
        let mut ids: Vec<String> = Vec::new();
        loop {
            let page = Query::all().limit(PAGE);
            let page = match ids.last() {
                Some(last) => page.after(last),
                None => page,
            };
            let page = self.replica.list(collection.as_str(), &page).await?;
            let is_last = page.len() < PAGE;
            ids.extend(page.into_iter().map(|record| record.key.id.as_str().to_owned()));
            if is_last {
                return Ok(ids);
            }
        }
    }

    /// Merges members into a record; one that is no object is left alone.
    pub(crate) async fn merge(&self, collection: &Collection, id: &str, change: &Value) -> Result<(), Error> {
        if let Some(Value::Object(_)) = self.replica.get::<Value>(collection.as_str(), id).await? {
            self.replica.patch(collection.as_str(), id, change).await?;
        }
        Ok(())
    }

    pub(crate) async fn delete(&self, collection: &Collection, id: &str) -> Result<(), Error> {
        self.replica.delete(collection.as_str(), id).await?;
        Ok(())
    }

    pub(crate) async fn create(&self, collection: &Collection, id: &str) -> Result<(), Error> {
        // Ids have a limit; a very long one is cut, which makes the new one no less new.
        let id: String = id.chars().take(255).collect();
        self.replica.put(collection.as_str(), &id, &json!({"created": "offline"})).await?;
        Ok(())
    }

    /// Settles every open conflict by taking the edit that lost.
    pub(crate) async fn settle_conflicts(&self) -> Result<usize, Error> {
        let conflicts = self.replica.conflicts(usize::MAX).await?;
        let mut n_settled = 0;
        for conflict in conflicts.iter().filter(|conflict| conflict.body.state == ConflictState::Open) {
            self.replica.resolve(conflict, Resolution::TakeMine).await?;
            n_settled += 1;
        }
        Ok(n_settled)
    }

    pub(crate) async fn hash(&self) -> Result<StateHash, Error> {
        Ok(self.replica.state_hash().await?)
    }

    /// Edits that the server does not have, for whatever reason.
    pub(crate) async fn n_unsent(&self) -> Result<u64, Error> {
        let unsent = self.replica.unsent().await?;
        Ok(unsent.n_waiting + unsent.n_in_flight + unsent.n_set_aside)
    }
}
