//! The suite that every store passes, unchanged, on files.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use redb::{ReadableTable, TableDefinition};
use sync_core::conformance::Subject;
use sync_core::store::Store;
use sync_core::{Accounts, RecordKey, Result, Runtime, SpaceId, TokioRuntime};
use sync_store_redb::RedbStore;

struct Fresh {
    folder: tempfile::TempDir,
    /// `None` only while it is opened again: redb opens a file once.
    store: Option<RedbStore>,
}

impl Fresh {
    async fn open(&mut self) -> Result<()> {
        self.store = None;
        self.store = Some(RedbStore::open(self.folder.path().join("store.redb")).await?);
        Ok(())
    }

    fn redb(&self) -> &RedbStore {
        self.store.as_ref().unwrap()
    }
}

#[async_trait::async_trait]
impl Subject for Fresh {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.redb().clone())
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(TokioRuntime)
    }

    fn accounts(&self) -> Option<Arc<dyn Accounts>> {
        Some(Arc::new(self.redb().clone()))
    }

    async fn reopen(&mut self) -> Result<bool> {
        self.open().await.map(|()| true)
    }

    async fn damage(&self, space: &SpaceId, key: &RecordKey) -> Result<bool> {
        let name = format!("records/{space}");
        let table = TableDefinition::<(&str, &str), &[u8]>::new(&name);
        let txn = self.redb().database().begin_write().unwrap();
        {
            let (mut records, place) =
                (txn.open_table(table).unwrap(), (key.collection.as_str(), key.id.as_str()));
            let mut row = records.get(place).unwrap().unwrap().value().to_vec();
            let n = row.len();
            row[n - 3] ^= 1; // a letter of the content
            records.insert(place, row.as_slice()).unwrap();
        }
        txn.commit().unwrap();
        Ok(true)
    }
}

async fn fresh() -> Option<Box<dyn Subject>> {
    let mut fresh = Fresh { folder: tempfile::tempdir().unwrap(), store: None };
    fresh.open().await.unwrap();
    Some(Box::new(fresh))
}

sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] fresh }
