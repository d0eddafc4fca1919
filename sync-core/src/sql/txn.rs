//! The store contract's transaction over SQL, once for all backends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::sql::collect::{self, Collectable};
use crate::sql::driver::{Driver, Statement};
use crate::sql::pack::{damaged, fields, split_rows};
use crate::sql::pages::Selection;
use crate::sql::{checkpoints, clients, history, read, rows, spaces, write};
use crate::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, KEYS_MAX, LogEntry, Mode,
    OnCommit, Page, ScanQuery, SpaceHead, SpaceStats, StoreTxn,
};
use crate::types::{Record, RecordKey, Seq, SpaceId, TreeId};

/// A transaction on one space over an open transaction of a backend.
#[derive(Debug)]
pub struct SqlTxn<D> {
    driver: D,
    space: SpaceId,
    mode: Mode,
    head: SpaceHead,
    /// No content in the space is longer than this many bytes, so that most pages need not be measured first.
    largest: usize,
    on_commit: Arc<dyn OnCommit>,
    /// Where the writes of this transaction move the head.
    moved_to: Option<Seq>,
    /// True from the start of a method until it succeeds, so that one that failed or was dropped spoils the commit.
    failed: bool,
}

impl<D: Driver> SqlTxn<D> {
    /// Reads where the space stands, which fixes the moment of a reading transaction and, in databases with row
    /// locks, locks the space for a writing one. Commits that move the head are told to `on_commit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such space; those of the driver.
    pub async fn begin(
        mut driver: D,
        space: &SpaceId,
        mode: Mode,
        on_commit: Arc<dyn OnCommit>,
    ) -> Result<Self> {
        let found = spaces::stand(&mut driver, space, mode).await?;
        let (head, largest) = found.ok_or_else(|| crate::store::space_not_found(space))?;
        Ok(Self {
            driver,
            space: space.clone(),
            mode,
            head,
            largest,
            on_commit,
            moved_to: None,
            failed: false,
        })
    }

    /// Counts for [`Store::stats`](crate::store::Store::stats).
    ///
    /// # Errors
    ///
    /// Those of the driver.
    pub async fn stats(&mut self) -> Result<SpaceStats> {
        let collections = spaces::collections(&mut self.driver, &self.space).await?;
        Ok(SpaceStats { collections })
    }

    /// Entries for [`Store::log`](crate::store::Store::log).
    ///
    /// # Errors
    ///
    /// Those of the driver.
    pub async fn log(&mut self, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        let statement = history::log_before(self.driver.dialect(), &self.space, before, limit);
        let packed = self.driver.text(statement).await?;
        split_rows(packed.as_deref()).map(rows::log_entry).collect()
    }

    fn start(&mut self) -> Result<()> {
        if self.failed {
            return Err(misuse("cannot go on with a transaction that has failed"));
        }
        self.failed = true;
        Ok(())
    }

    fn start_writing(&mut self) -> Result<()> {
        let may_write = self.mode == Mode::Write;
        self.start()?;
        if may_write { Ok(()) } else { Err(misuse("cannot write in a transaction that only reads")) }
    }

    fn done<T>(&mut self, result: T) -> Result<T> {
        self.failed = false;
        Ok(result)
    }

    async fn page(&mut self, selection: &Selection, rows_max: usize, bytes_max: usize) -> Result<Page> {
        let dialect = self.driver.dialect();
        let (limit, more) = if rows_max.saturating_mul(self.largest) > bytes_max {
            let sizes = self.driver.text(selection.sizes(dialect, rows_max.saturating_add(1))).await?;
            fit(sizes.as_deref(), rows_max, bytes_max)?
        } else {
            (rows_max.saturating_add(1), false)
        };
        let packed = self.driver.text(selection.records(dialect, limit)).await?;
        let page = Page::cut(rows::records(packed.as_deref())?, rows_max, bytes_max);
        Ok(Page { more: page.more || more, ..page })
    }

    async fn write_all(&mut self, write: &CommitWrite) -> Result<()> {
        let (dialect, space) = (self.driver.dialect(), &self.space);
        let mut statements = write::contents(dialect, space, &write.records)?;
        self.largest = write.records.iter().map(Record::data_len).fold(self.largest, usize::max);
        if !write.purges.is_empty() {
            // By themselves and after the records: a driver may send what is in one call as one statement, in which
            // nothing may be touched twice.
            self.driver.execute_all(std::mem::take(&mut statements)).await?;
            self.driver.execute_all(write::purges(dialect, space, &write.purges)).await?;
        }
        for chunk in write.clients.chunks(KEYS_MAX) {
            statements.push(clients::write(dialect, space, chunk)?);
        }
        for chunk in write.log.chunks(KEYS_MAX) {
            statements.push(history::write_log(dialect, space, chunk)?);
        }
        let checkpoints = write.checkpoints.iter();
        statements.extend(checkpoints.map(|checkpoint| checkpoints::write(dialect, space, checkpoint)));
        let commits = write.commits.chunks(KEYS_MAX);
        statements.extend(commits.map(|chunk| history::write_commits(dialect, space, chunk)));
        statements.extend(write::head(dialect, space, write, self.largest));
        self.driver.execute_all(statements).await?;
        self.moved_to = write.head().map(|commit| commit.last).or(self.moved_to);
        Ok(())
    }

    /// Removes at most `limit` of `what`; yields how many went and whether there are more.
    async fn remove(&mut self, what: Collectable, floor: Seq, limit: usize) -> Result<(usize, bool)> {
        let (dialect, space) = (self.driver.dialect(), &self.space);
        let counted = self.driver.text(what.count(dialect, space, floor, limit.saturating_add(1))).await?;
        let [n, last] = fields(counted.as_deref().ok_or_else(damaged)?)?;
        let (n, last): (usize, i64) = (rows::number(n)?, rows::number(last)?);
        let more = n > limit;
        // With more than the limit, the last one counted is the first that stays.
        let end = if more { last } else { last + 1 };
        if n.min(limit) > 0 {
            self.driver.execute(what.remove(dialect, space, end)).await?;
        }
        Ok((n.min(limit), more))
    }

    async fn collect_all(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        let (dialect, space) = (self.driver.dialect(), &self.space);
        self.driver.execute(collect::raise_floor(dialect, space, floor)).await?;
        let now = spaces::head(&mut self.driver, space, Mode::Write).await?.ok_or_else(damaged)?;
        let tombstones = self.remove(Collectable::Tombstones, now.floor, limit).await?;
        let entries = self.remove(Collectable::LogEntries, now.floor, limit).await?;
        let commits = self.remove(Collectable::Commits, now.floor, limit).await?;
        Ok(Collected { n_removed: tombstones.0 + entries.0, more: tombstones.1 || entries.1 || commits.1 })
    }
}

#[async_trait]
impl<D: Driver> StoreTxn for SqlTxn<D> {
    fn head(&self) -> SpaceHead {
        self.head
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.start()?;
        let mut found = HashMap::with_capacity(keys.len());
        for statement in read::by_keys(self.driver.dialect(), &self.space, keys) {
            let packed = self.driver.text(statement).await?;
            found.extend(rows::records(packed.as_deref())?.into_iter().map(|r| (r.key.clone(), r)));
        }
        self.done(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        self.start()?;
        let selection = read::feed(&self.space, query);
        let page = self.page(&selection, query.rows_max, query.bytes_max).await?;
        if !page.records.is_sorted_by(|a, b| a.meta.version < b.meta.version) {
            return Err(damaged());
        }
        self.done(page)
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        self.start()?;
        let page = match read::scan(&self.space, query) {
            Some(selection) => self.page(&selection, query.rows_max, query.bytes_max).await?,
            None => Page::default(),
        };
        let is_next = |a: &Record, b: &Record| if query.descending { a.key > b.key } else { a.key < b.key };
        if !page.records.is_sorted_by(is_next) {
            return Err(damaged());
        }
        self.done(page)
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        self.start()?;
        let (dialect, space) = (self.driver.dialect(), &self.space);
        let statements: Vec<Statement> = match query {
            ClientQuery::Named(names) => {
                names.chunks(KEYS_MAX).map(|chunk| clients::by_ids(dialect, space, chunk)).collect()
            }
            ClientQuery::After(after, limit) => vec![clients::after(dialect, space, after, limit)],
        };
        let mut found = BTreeMap::new();
        for statement in statements {
            let packed = self.driver.text(statement).await?;
            for row in split_rows(packed.as_deref()) {
                let state = rows::client(row)?;
                found.insert(state.client.clone(), state);
            }
        }
        self.done(found.into_values().collect())
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        self.start()?;
        let statement = history::commits_from(self.driver.dialect(), &self.space, from, limit);
        let packed = self.driver.text(statement).await?;
        let commits = split_rows(packed.as_deref()).map(rows::commit).collect::<Result<_>>()?;
        self.done(commits)
    }

    async fn checkpoint(&mut self, tree: &TreeId) -> Result<Option<String>> {
        self.start()?;
        let body = self.driver.text(checkpoints::read(self.driver.dialect(), &self.space, tree)).await?;
        self.done(body)
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        self.start_writing()?;
        self.write_all(write).await?;
        self.done(())
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.start_writing()?;
        let collected = self.collect_all(floor, limit).await?;
        self.done(collected)
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.start()?;
        self.driver.commit().await?;
        if let Some(head) = self.moved_to {
            self.on_commit.moved(&self.space, head);
        }
        Ok(())
    }
}

/// How many rows of these sizes fit a page, and whether there are more.
fn fit(sizes: Option<&str>, rows_max: usize, bytes_max: usize) -> Result<(usize, bool)> {
    let (mut n_rows, mut n_fit, mut n_bytes) = (0, 0, 0usize);
    for size in split_rows(sizes) {
        n_bytes = n_bytes.saturating_add(rows::number(size)?);
        n_fit += usize::from(n_bytes <= bytes_max);
        n_rows += 1;
    }
    let n = n_fit.max(1).min(rows_max).min(n_rows);
    Ok((n, n < n_rows))
}

fn misuse(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
