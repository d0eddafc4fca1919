//! The store: spaces, and transactions on them.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};
use sync_core::store::{HintHub, LogEntry, Mode, SpaceHead, SpaceStats, Store, StoreTxn, space_exists};
use sync_core::{Epoch, Result, Seq, SpaceId, Tag};

use crate::blocking::blocking;
use crate::error::{Failure, Job, corrupt, unknown_outcome};
use crate::options;
use crate::read;
use crate::rows;
use crate::tables::{SPACES, create_all, delete_all};
use crate::txn::RedbTxn;
use crate::view::View;
use crate::writers::Writers;

/// Spaces and accounts in one redb file.
///
/// Clones share the file. It is closed when the last of them and of their transactions is dropped.
#[derive(Clone, Debug)]
pub struct RedbStore {
    database: Arc<Database>,
    writers: Writers,
    hub: HintHub,
}

impl RedbStore {
    /// Opens the file, and creates it where there is none.
    ///
    /// # Errors
    ///
    /// [`Incompatible`](sync_core::ErrorKind::Incompatible) when another process has it open, or it is not of this format.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        Self::on(blocking(move || options::open(&path)).await?).await
    }

    /// The store in a database that the application has opened: in memory, say, or with a larger cache.
    ///
    /// # Errors
    ///
    /// [`Incompatible`](sync_core::ErrorKind::Incompatible) when what is in there is not of this format.
    pub async fn on(database: Database) -> Result<Self> {
        let database = blocking(move || options::prepare(&database).map(|()| Arc::new(database))).await?;
        Ok(Self { database, writers: Writers::new(), hub: HintHub::default() })
    }

    /// The database itself, for tables of the application's own beside those of the store. Its write transactions must
    /// be short: they have no place in the queue, and the writer of a space waits for them on a thread.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Reads outside of any space.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        job: impl FnOnce(&ReadTransaction) -> Job<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        blocking(move || job(&database.begin_read()?)).await
    }

    /// Writes outside of any space, in one transaction that is durable when this returns.
    pub(crate) async fn writing<T: Send + 'static>(
        &self,
        job: impl FnOnce(&WriteTransaction) -> Job<T> + Send + 'static,
    ) -> Result<T> {
        self.writing_if(|_| true, job).await
    }

    /// The same, unless what the job yields is not `good`: then nothing was done.
    pub(crate) async fn writing_if<T: Send + 'static>(
        &self,
        good: fn(&T) -> bool,
        job: impl FnOnce(&WriteTransaction) -> Job<T> + Send + 'static,
    ) -> Result<T> {
        let (database, turn) = (Arc::clone(&self.database), self.writers.turn().await?);
        let job = move || {
            let _turn = turn;
            let txn = database.begin_write()?;
            let answer = job(&txn)?;
            if good(&answer) {
                txn.commit().map_err(|error| unknown_outcome(Failure::from(error).0))?;
            }
            Ok(answer)
        };
        blocking(job).await
    }

    /// Reads one space at the moment.
    async fn viewing<T: Send + 'static>(
        &self,
        space: &SpaceId,
        job: impl FnOnce(&View) -> Job<T> + Send + 'static,
    ) -> Result<T> {
        let (database, space) = (Arc::clone(&self.database), space.clone());
        blocking(move || job(&View::begin(database, space, None)?)).await
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        let space = space.clone();
        let head = SpaceHead { epoch, head: Seq::ZERO, tag: Tag::ZERO, floor: Seq::ZERO, log_head: 0 };
        self.writing(move |txn| {
            let mut spaces = txn.open_table(SPACES)?;
            if spaces.get(space.as_str())?.is_some() {
                return Err(space_exists(&space).into());
            }
            spaces.insert(space.as_str(), rows::from_value(&head).as_slice())?;
            Ok(create_all(txn, &space)?)
        })
        .await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        let space = space.clone();
        self.writing(move |txn| {
            let was_there = txn.open_table(SPACES)?.remove(space.as_str())?.is_some();
            if was_there {
                delete_all(txn, &space)?;
            }
            Ok(was_there)
        })
        .await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        let after = after.cloned();
        self.reading(move |txn| {
            let from = after.as_ref().map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str()));
            let spaces = txn.open_table(SPACES)?;
            let listed = spaces.range::<&str>((from, Bound::Unbounded))?.take(limit);
            let damaged = |error| corrupt("the name of a space is damaged").with_source(error);
            listed.map(|entry| Ok(SpaceId::new(entry?.0.value()).map_err(damaged)?)).collect()
        })
        .await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        let turn = match mode {
            Mode::Read => None,
            Mode::Write => Some(self.writers.turn().await?),
        };
        let (database, space, hub) = (Arc::clone(&self.database), space.clone(), self.hub.clone());
        let txn = blocking(move || Ok(RedbTxn::new(View::begin(database, space, turn)?, hub))).await?;
        Ok(Box::new(txn))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.viewing(space, read::stats).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.viewing(space, move |view| read::log(view, before, limit)).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        Box::pin(self.hub.subscribe(space))
    }
}
