//! A replica with a file of its own, as an application has one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::json::{Json, Limits};
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::transport::HttpTransport;
use sync_core::{ActorId, Collection, RecordId, RecordKey, SpaceId, TokioRuntime};
use sync_store_sqlite::SqliteStore;

use crate::data::Sample;
use crate::subject::Subject;

/// A replica, and the file it is in.
pub(super) struct Device {
    pub(super) replica: Replica,
    store: Arc<SqliteStore>,
    path: PathBuf,
}

impl Device {
    /// A new replica of the space at this path, in an empty file.
    pub(super) async fn create(folder: &Path, name: &str, space: &str) -> Self {
        let path = folder.join(format!("device-{name}.db"));
        let store = SqliteStore::open_file(&path).await.expect("the folder can be written");
        let store = Arc::new(store);
        let actor = ActorId::new("bench").expect("a word is an actor");
        let options = ReplicaOptions::new(Arc::new(TokioRuntime), actor);
        let space = space.rsplit('/').next().and_then(|name| SpaceId::new(name).ok());
        let space = space.expect("the path of a space ends with its name");
        let replica = Replica::open(store.clone(), space, options).await.expect("the store is empty");
        Self { replica, store, path }
    }

    /// A new replica of the space of a server.
    pub(super) async fn of(subject: &Subject, name: &str) -> Self {
        Self::create(subject.folder(), name, &subject.space).await
    }

    /// Puts records in, a thousand a commit.
    pub(super) async fn import(&self, samples: &[Sample]) {
        let n = self.replica.import(samples.iter().map(row)).await.expect("the store can be written");
        assert_eq!(n, samples.len() as u64);
    }

    /// Takes in everything that the server has, which is `n` records.
    pub(super) async fn load(&self, server: &HttpTransport, n: usize) {
        let report = self.replica.sync(server).await.expect("the server answers");
        assert_eq!(report.pulled, n as u64);
    }

    /// Closes the file and removes it.
    pub(super) async fn remove(self) {
        self.store.close().await;
        for ending in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(ending);
            // Not all of them are there.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The way of a replica to a server.
pub(super) fn transport(address: std::net::SocketAddr, token: &str) -> HttpTransport {
    HttpTransport::new(&format!("http://{address}"), Some(token)).expect("the address is plain")
}

fn row(sample: &Sample) -> (RecordKey, Json) {
    let notes = Collection::new("notes").expect("a word is a collection");
    let id = RecordId::new(&sample.id).expect("the ids of samples are plain");
    let data = Json::parse(sample.data.as_bytes(), &Limits::RECORD).expect("samples are JSON");
    (RecordKey::new(notes, id), data)
}
