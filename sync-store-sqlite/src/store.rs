//! The store: which file a call goes to.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use sync_core::sql::{Driver, SqlAccounts, SqlTxn, spaces};
use sync_core::store::{HintHub, LogEntry, Mode, SpaceStats, Store, StoreTxn, space_exists};
use sync_core::{Epoch, Result, Seq, SpaceId};

use crate::database::Database;
use crate::driver::SqliteDriver;
use crate::files;
use crate::folder::Folder;
use crate::lock::DataLock;
use crate::options::{Layout, SqliteOptions};
use crate::platform::{self, Listed};
use crate::schema::Role;

/// Spaces and accounts in SQLite files.
///
/// It must be used within a tokio runtime. Clones share it, and the data is locked against other processes until the
/// last one is dropped or [closed](SqliteStore::close).
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("sync.db");
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use sync_core::store::Store;
/// use sync_core::{Epoch, SpaceId};
/// use sync_store_sqlite::SqliteStore;
///
/// let store = SqliteStore::open_file(&path).await?;
/// store.create_space(&SpaceId::new("a")?, Epoch::from_bytes([1; 16])).await?;
/// store.close().await;
///
/// let store = SqliteStore::open_file(&path).await?;
/// assert_eq!(store.spaces(None, 10).await?, [SpaceId::new("a")?]);
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    hub: HintHub,
    lock: std::sync::Mutex<Option<DataLock>>,
}

#[derive(Debug)]
enum Place {
    File(Arc<Database>),
    Folder(Folder),
}

impl SqliteStore {
    /// Opens the layout with everything in one file, creating it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`open`](SqliteStore::open).
    pub async fn open_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(SqliteOptions::file(path)).await
    }

    /// Opens the layout with one file per space in a folder, creating it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`open`](SqliteStore::open).
    pub async fn open_dir(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(SqliteOptions::folder(path)).await
    }

    /// Opens a store: locks the data, brings the tables up to date and mends what a crash left half done.
    ///
    /// # Errors
    ///
    /// [`Incompatible`](sync_core::ErrorKind::Incompatible) when another process (or another store in this one) uses
    /// the data (with code [`DATA_IN_USE`](crate::DATA_IN_USE)), when it was written by a newer program, or is something else altogether;
    /// [`Corrupt`](sync_core::ErrorKind::Corrupt) when it is damaged: nothing is ever created over it;
    /// [`Unavailable`](sync_core::ErrorKind::Unavailable) or [`StorageFull`](sync_core::ErrorKind::StorageFull) from
    /// the file system.
    pub async fn open(options: SqliteOptions) -> Result<Self> {
        // To its end even when the caller goes away: half an opening would leave connections that close at any time.
        tokio::spawn(async move { Self::open_now(options).await }).await.map_err(crate::error::task)?
    }

    async fn open_now(options: SqliteOptions) -> Result<Self> {
        let (folder, lock_path) = match &options.layout {
            Layout::File(path) => (files::parent(path).to_owned(), files::with_ending(path, ".lock")),
            Layout::Folder(root) => (root.clone(), root.join("lock")),
        };
        let lock = files::blocking(move || {
            files::create_folders(&folder)?;
            DataLock::take(&lock_path)
        });
        let lock = std::sync::Mutex::new(Some(lock.await?));
        let place = match &options.layout {
            Layout::File(path) => Place::File(open_single(path, &options).await?),
            Layout::Folder(root) => Place::Folder(Folder::open(root, &options).await?),
        };
        Ok(Self(Arc::new(Inner { place, hub: HintHub::default(), lock })))
    }

    /// Waits for open transactions to end, closes all files and unlocks the data. Afterwards every call fails.
    pub async fn close(&self) {
        match &self.0.place {
            Place::File(file) => file.close().await,
            Place::Folder(folder) => folder.close().await,
        }
        drop(self.0.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }

    async fn driver(&self, space: &SpaceId, mode: Mode) -> Result<SqliteDriver> {
        match &self.0.place {
            Place::File(file) => file.pin().begin(mode).await,
            Place::Folder(folder) => folder.begin(space, mode).await,
        }
    }

    async fn txn(&self, space: &SpaceId, mode: Mode) -> Result<SqlTxn<SqliteDriver>> {
        SqlTxn::begin(self.driver(space, mode).await?, space, mode, Arc::new(self.0.hub.clone())).await
    }
}

async fn open_single(path: &Path, options: &SqliteOptions) -> Result<Arc<Database>> {
    if files::Identity::of(path)?.is_none() {
        files::check_never_was(path)?;
        Database::create(path, Role::Single, options, None).await?;
    }
    Database::open(path, Role::Single, options, Arc::default()).await
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        match &self.0.place {
            Place::Folder(folder) => folder.create(space, epoch).await,
            Place::File(file) => {
                let mut driver = file.pin().begin(Mode::Write).await?;
                if spaces::create(&mut driver, space, epoch).await? {
                    driver.commit().await
                } else {
                    Err(space_exists(space))
                }
            }
        }
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        match &self.0.place {
            Place::Folder(folder) => folder.delete(space).await,
            Place::File(file) => {
                let mut driver = file.pin().begin(Mode::Write).await?;
                let was_there = spaces::delete(&mut driver, space).await?;
                driver.commit().await?;
                Ok(was_there)
            }
        }
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        match &self.0.place {
            Place::Folder(folder) => platform::list(folder.platform(), Listed::Present, after, limit).await,
            Place::File(file) => spaces::list(&mut file.pin().begin(Mode::Read).await?, after, limit).await,
        }
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        Ok(Box::new(self.txn(space, mode).await?))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.txn(space, Mode::Read).await?.stats().await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.txn(space, Mode::Read).await?.log(before, limit).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.0.hub.subscribe(space).boxed()
    }
}

#[async_trait]
impl SqlAccounts for SqliteStore {
    type Driver = SqliteDriver;

    async fn begin_accounts(&self, mode: Mode) -> Result<SqliteDriver> {
        let file = match &self.0.place {
            Place::File(file) => file,
            Place::Folder(folder) => folder.platform(),
        };
        file.pin().begin(mode).await
    }
}
