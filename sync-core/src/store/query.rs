//! What is asked of a space, and conveniences built on it that every store gets for free.

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{ClientState, CommitInfo, Mode, Store, StoreTxn};
use crate::types::{ClientId, Collection, Record, RecordKey, Seq, SpaceId};

/// Which part of the feed to read.
#[derive(Clone, Debug)]
pub struct FeedQuery {
    /// Only versions after this one.
    pub after: Seq,
    /// Only versions up to and with this one.
    pub up_to: Seq,
    /// Only these collections; `None` for all, those of the library included.
    pub collections: Option<Vec<Collection>>,
    /// At most this many records.
    pub rows_max: usize,
    /// Stop before the record with which the contents would exceed this many bytes, but yield at least one.
    pub bytes_max: usize,
}

/// Which records to list.
#[derive(Clone, Debug)]
pub struct ScanQuery {
    /// Only this collection; `None` for all, those of the library included.
    pub collection: Option<Collection>,
    /// Only keys after this one in the order of the listing: those above it, or those below it when descending.
    pub after: Option<RecordKey>,
    /// From the last key to the first instead. `after` is the key that was listed last in both directions, so pages follow
    /// each other in the same way.
    pub descending: bool,
    /// Whether to list tombstones too.
    pub tombstones: bool,
    /// At most this many records.
    pub rows_max: usize,
    /// Stop before the record with which the contents would exceed this many bytes, but yield at least one.
    pub bytes_max: usize,
}

/// Which replicas to tell of.
#[derive(Clone, Copy, Debug)]
pub enum ClientQuery<'a> {
    /// Those with these names, in any order.
    Named(&'a [ClientId]),
    /// Those after this name, or from the first, at most so many. Each comes with the answer to its last batch, so ask
    /// for few at once.
    After(Option<&'a ClientId>, usize),
}

/// Some records, and whether there are more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, in the order of the query.
    pub records: Vec<Record>,
    /// Whether the query has more after these. `false` only when there is none.
    pub more: bool,
}

impl Page {
    /// Cuts `records`, which were read with one row more than `rows_max`, to the limits of a query.
    pub fn cut(mut records: Vec<Record>, rows_max: usize, bytes_max: usize) -> Self {
        let mut n_bytes = 0usize;
        let fits = |record: &&Record| {
            n_bytes = n_bytes.saturating_add(record.data_len());
            n_bytes <= bytes_max
        };
        let n_fit = records.iter().take_while(fits).count();
        let n = n_fit.max(1).min(rows_max).min(records.len());
        let more = n < records.len();
        records.truncate(n);
        Self { records, more }
    }

    /// Takes records until the limits of a query are reached, and looks at one more to know whether there is any.
    pub fn filled(records: impl IntoIterator<Item = Record>, rows_max: usize, bytes_max: usize) -> Self {
        let mut builder = PageBuilder::new(rows_max, bytes_max);
        for record in records {
            if !builder.takes(record) {
                break;
            }
        }
        builder.finish()
    }
}

/// A page that is read until it is full and no further, however large the limits of its query are.
///
/// ```
/// use sync_core::store::PageBuilder;
/// # let records = Vec::<sync_core::Record>::new();
/// let mut page = PageBuilder::new(100, 1 << 20);
/// for record in records {
///     if !page.takes(record) {
///         break;
///     }
/// }
/// assert!(!page.finish().more);
/// ```
#[derive(Debug)]
pub struct PageBuilder {
    records: Vec<Record>,
    n_bytes: usize,
    rows_max: usize,
    bytes_max: usize,
}

impl PageBuilder {
    /// An empty page with the limits of a query.
    pub fn new(rows_max: usize, bytes_max: usize) -> Self {
        Self { records: Vec::new(), n_bytes: 0, rows_max, bytes_max }
    }

    /// Takes the next record of the query; says whether the one after it is worth reading.
    pub fn takes(&mut self, record: Record) -> bool {
        self.n_bytes = self.n_bytes.saturating_add(record.data_len());
        self.records.push(record);
        let is_alone = self.records.len() == 1;
        self.records.len() <= self.rows_max && (is_alone || self.n_bytes <= self.bytes_max)
    }

    /// The page.
    pub fn finish(self) -> Page {
        Page::cut(self.records, self.rows_max, self.bytes_max)
    }
}

/// Conveniences over any [`Store`], written once.
#[async_trait]
pub trait StoreExt: Store {
    /// Begins reading.
    async fn read(&self, space: &SpaceId) -> Result<Box<dyn StoreTxn>> {
        self.begin(space, Mode::Read).await
    }

    /// Begins writing.
    async fn write(&self, space: &SpaceId) -> Result<Box<dyn StoreTxn>> {
        self.begin(space, Mode::Write).await
    }

    /// Whether there is a space of this name.
    async fn has_space(&self, space: &SpaceId) -> Result<bool> {
        match self.begin(space, Mode::Read).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// The error for a space that is to be created and is there; every store uses this one, so that they read alike.
pub fn space_exists(space: &SpaceId) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("there is a space {space} already"))
}

/// Conveniences over any [`StoreTxn`], written once.
#[async_trait]
pub trait StoreTxnExt: StoreTxn {
    /// The oldest commit whose last seq is at or after `seq`: the one that contains it, if any does.
    async fn commit_at(&mut self, seq: Seq) -> Result<Option<CommitInfo>> {
        Ok(self.commits(seq, 1).await?.pop())
    }

    /// What is known of one replica; `None` when it never pushed.
    async fn client(&mut self, name: &ClientId) -> Result<Option<ClientState>> {
        Ok(self.clients(ClientQuery::Named(std::slice::from_ref(name))).await?.pop())
    }
}

impl<T: StoreTxn + ?Sized> StoreTxnExt for T {}

/// The error for a space that is not there; every store uses this one, so that they read alike.
pub fn space_not_found(space: &SpaceId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no space {space}")).with_code("space_not_found")
}
