//! One space as one redb transaction sees it.

use std::borrow::Borrow;
use std::ops::RangeBounds;
use std::sync::Arc;

use redb::{
    AccessGuard, Database, Key, Range, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    Table, TableDefinition, Value, WriteTransaction,
};
use sync_core::store::{SpaceHead, space_not_found};
use sync_core::{Error, ErrorKind, SpaceId};

use crate::error::Job;
use crate::rows;
use crate::tables::{PerSpace, SPACES};
use crate::writers::Turn;

/// A space, to read or also to write. The order of the fields is the order in which they are let go: the next writer may
/// begin when this transaction has ended, and the file is closed after both.
pub(crate) struct View {
    txn: Txn,
    _turn: Option<Turn>,
    _database: Arc<Database>,
    pub(crate) space: SpaceId,
    /// Where the space stands after what this transaction wrote.
    pub(crate) head: SpaceHead,
}

enum Txn {
    Read(ReadTransaction),
    Write(Box<WriteTransaction>),
}

/// A table of a transaction that reads or writes: two types in redb, with the same two methods that are needed here.
pub(crate) enum Opened<'t, K: Key + 'static, V: Value + 'static> {
    Read(ReadOnlyTable<K, V>),
    Write(Table<'t, K, V>),
}

impl View {
    /// Begins a transaction, and only then looks where the space stands, and whether it is still there.
    pub(crate) fn begin(database: Arc<Database>, space: SpaceId, turn: Option<Turn>) -> Job<Self> {
        let (txn, head) = match turn {
            None => {
                let txn = database.begin_read()?;
                let head = head_in(&txn.open_table(SPACES)?, &space)?;
                (Txn::Read(txn), head)
            }
            Some(_) => {
                let txn = database.begin_write()?;
                let head = head_in(&txn.open_table(SPACES)?, &space)?;
                (Txn::Write(Box::new(txn)), head)
            }
        };
        Ok(Self { txn, _turn: turn, _database: database, space, head })
    }

    /// Opens a table of the space for reading.
    pub(crate) fn table<K: Key, V: Value>(&self, table: PerSpace<K, V>) -> Job<Opened<'_, K, V>> {
        let name = table.name(&self.space);
        Ok(match &self.txn {
            Txn::Read(txn) => Opened::Read(txn.open_table(TableDefinition::new(&name))?),
            Txn::Write(txn) => Opened::Write(txn.open_table(TableDefinition::new(&name))?),
        })
    }

    /// Opens a table of the space for writing.
    pub(crate) fn table_mut<K: Key, V: Value>(&self, table: PerSpace<K, V>) -> Job<Table<'_, K, V>> {
        Ok(self.writer()?.open_table(TableDefinition::new(&table.name(&self.space)))?)
    }

    /// Stores where the space stands, as the last thing that a write does.
    pub(crate) fn store_head(&self) -> Job<()> {
        let row = rows::from_value(&self.head);
        self.writer()?.open_table(SPACES)?.insert(self.space.as_str(), row.as_slice())?;
        Ok(())
    }

    fn writer(&self) -> Job<&WriteTransaction> {
        match &self.txn {
            Txn::Write(txn) => Ok(txn),
            Txn::Read(_) => {
                Err(Error::new(ErrorKind::Internal, "cannot write in a transaction that reads").into())
            }
        }
    }

    /// Ends the transaction; what it wrote is on the disk when this returns.
    pub(crate) fn commit(self) -> Job<()> {
        match self.txn {
            Txn::Read(_) => Ok(()),
            Txn::Write(txn) => Ok(txn.commit()?),
        }
    }
}

fn head_in(spaces: &impl ReadableTable<&'static str, &'static [u8]>, space: &SpaceId) -> Job<SpaceHead> {
    let row = spaces.get(space.as_str())?.ok_or_else(|| space_not_found(space))?;
    Ok(rows::to_value("the head of a space", row.value())?)
}

impl<K: Key, V: Value> Opened<'_, K, V> {
    pub(crate) fn get<'k>(&self, key: impl Borrow<K::SelfType<'k>>) -> Job<Option<AccessGuard<'_, V>>> {
        Ok(match self {
            Self::Read(table) => ReadableTable::get(table, key)?,
            Self::Write(table) => table.get(key)?,
        })
    }

    pub(crate) fn range<'k, B>(&self, range: impl RangeBounds<B> + 'k) -> Job<Range<'_, K, V>>
    where
        B: Borrow<K::SelfType<'k>> + 'k,
    {
        Ok(match self {
            Self::Read(table) => ReadableTable::range(table, range)?,
            Self::Write(table) => table.range(range)?,
        })
    }
}
