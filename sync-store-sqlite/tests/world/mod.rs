//! A store in a folder of its own, for the tests.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::conformance::Subject;
use sync_core::store::Store;
use sync_core::{Accounts, ErrorKind, OpId, RecordKey, Result, Runtime, SpaceId, TokioRuntime};
use sync_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// A store and the folder it lives in.
pub(crate) struct World {
    pub(crate) store: SqliteStore,
    pub(crate) options: SqliteOptions,
    pub(crate) folder: TempDir,
    in_one_file: bool,
}

impl World {
    /// Everything in one file.
    pub(crate) async fn file() -> Self {
        Self::new(|folder| SqliteOptions::file(folder.join("sync.db")), true).await
    }

    /// One file per space.
    pub(crate) async fn folder() -> Self {
        Self::new(|folder| SqliteOptions::folder(folder.join("data")), false).await
    }

    async fn new(options: impl Fn(&Path) -> SqliteOptions, in_one_file: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let options = options(folder.path());
        let store = SqliteStore::open(options.clone()).await.unwrap();
        Self { store, options, folder, in_one_file }
    }

    /// Where the records of a space are.
    pub(crate) fn path_of(&self, space: &SpaceId) -> PathBuf {
        if self.in_one_file {
            return self.folder.path().join("sync.db");
        }
        let name = space.as_str();
        self.folder.path().join("data").join(name.get(..2).unwrap_or(name)).join(format!("{name}.db"))
    }
}

#[async_trait]
impl Subject for World {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(TokioRuntime)
    }

    fn accounts(&self) -> Option<Arc<dyn Accounts>> {
        Some(Arc::new(self.store.clone()))
    }

    async fn reopen(&mut self) -> Result<bool> {
        self.store.close().await;
        self.store = SqliteStore::open(self.options.clone()).await?;
        Ok(true)
    }

    async fn damage(&self, space: &SpaceId, key: &RecordKey) -> Result<bool> {
        flip_a_bit(&self.path_of(space), key);
        Ok(true)
    }
}

/// Changes one bit of the content of a record, in a row that stays well-formed.
pub(crate) fn flip_a_bit(path: &Path, key: &RecordKey) {
    let database = rusqlite::Connection::open(path).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let (table, column, which) = match (key.collection.tree(), OpId::from_record_id(&key.id)) {
        (Some(tree), Ok(op)) => {
            let which = format!("tree_id = '{tree}' AND clock = {} AND peer_id = '{}'", op.clock, op.peer);
            ("tree_ops", "value", which)
        }
        _ => ("records", "data", format!("collection = '{}' AND id = '{}'", key.collection, key.id)),
    };
    let select = format!("SELECT {column} FROM {table} WHERE {which}");
    let data: String = database.query_row(&select, (), |row| row.get(0)).unwrap();
    let mut bytes = data.into_bytes();
    let idx = bytes.iter().position(|b| b.is_ascii_alphanumeric()).unwrap();
    bytes[idx] ^= 1;
    let data = String::from_utf8(bytes).unwrap();
    let changed = database.execute(&format!("UPDATE {table} SET {column} = ? WHERE {which}"), (data,));
    assert_eq!(changed.unwrap(), 1);
}

/// The kind of an error that had to happen.
pub(crate) fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}
