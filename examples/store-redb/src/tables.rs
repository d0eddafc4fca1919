//! Which tables there are. redb compares tuples part by part and text by bytes, which is the order the contract asks for.

use std::marker::PhantomData;

use redb::{Key, TableDefinition, TableError, Value, WriteTransaction};
use sync_core::SpaceId;

/// Name → number: what the tables mean, see `options.rs`.
pub(crate) const FORMAT: TableDefinition<'_, &str, u32> = TableDefinition::new("format");
/// Space → where it stands.
pub(crate) const SPACES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("spaces");
/// Actor → user.
pub(crate) const USERS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("users");
/// Normal form of the name → actor.
pub(crate) const USER_NAMES: TableDefinition<'_, &str, &str> = TableDefinition::new("user_names");
/// Normal form of the mail address → actor.
pub(crate) const USER_ADDRESSES: TableDefinition<'_, &str, &str> = TableDefinition::new("user_addresses");
/// Actor, space → role.
pub(crate) const ROLES: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("roles");
/// Space, actor: the same roles from the other side.
pub(crate) const MEMBERS: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("members");
/// Space → what is known about it.
pub(crate) const SPACE_INFOS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("space_infos");
/// Id → credential.
pub(crate) const CREDENTIALS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("credentials");
/// Holder, id: what someone holds.
pub(crate) const HELD: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("held");
/// When it ends by itself, id: what ends first.
pub(crate) const ENDS: TableDefinition<'_, (i64, &str), ()> = TableDefinition::new("ends");
/// Id of a credential, space → how far the device is.
pub(crate) const SYNCED: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("synced");
/// Position → notice.
pub(crate) const NOTICES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("notices");

/// Collection, id → the record; the row is made in `rows.rs`.
pub(crate) const RECORDS: PerSpace<(&str, &str), &[u8]> = PerSpace::new("records");
/// Version → key: every record and tombstone once, under its latest version.
pub(crate) const FEED: PerSpace<i64, (&str, &str)> = PerSpace::new("feed");
/// The part of the feed that are tombstones, so that collecting does not search for them among all records.
pub(crate) const TOMBSTONES: PerSpace<i64, (&str, &str)> = PerSpace::new("tombstones");
/// Name → what is known of the replica.
pub(crate) const CLIENTS: PerSpace<&str, &[u8]> = PerSpace::new("clients");
/// Number → head after the entry, and the entry.
pub(crate) const LOG: PerSpace<i64, (i64, &[u8])> = PerSpace::new("log");
/// Last seq → first seq and tag.
pub(crate) const COMMITS: PerSpace<i64, (i64, [u8; 16])> = PerSpace::new("commits");

/// A table that each space has one of.
pub(crate) struct PerSpace<K, V>(&'static str, PhantomData<(K, V)>);

impl<K: Key + 'static, V: Value + 'static> PerSpace<K, V> {
    const fn new(name: &'static str) -> Self {
        Self(name, PhantomData)
    }

    /// Its name in the file: no space has a slash in its name.
    pub(crate) fn name(&self, space: &SpaceId) -> String {
        format!("{}/{space}", self.0)
    }

    fn create(&self, txn: &WriteTransaction, space: &SpaceId) -> Result<(), TableError> {
        txn.open_table(TableDefinition::<K, V>::new(&self.name(space))).map(drop)
    }

    fn delete(&self, txn: &WriteTransaction, space: &SpaceId) -> Result<(), TableError> {
        txn.delete_table(TableDefinition::<K, V>::new(&self.name(space))).map(drop)
    }
}

macro_rules! each_table {
    ($call:ident, $txn:expr, $space:expr) => {
        RECORDS.$call($txn, $space)?;
        FEED.$call($txn, $space)?;
        TOMBSTONES.$call($txn, $space)?;
        CLIENTS.$call($txn, $space)?;
        LOG.$call($txn, $space)?;
        COMMITS.$call($txn, $space)?;
    };
}

/// Makes the tables of a space: a reader can only open what is there.
pub(crate) fn create_all(txn: &WriteTransaction, space: &SpaceId) -> Result<(), TableError> {
    each_table!(create, txn, space);
    Ok(())
}

/// Drops the tables of a space.
pub(crate) fn delete_all(txn: &WriteTransaction, space: &SpaceId) -> Result<(), TableError> {
    each_table!(delete, txn, space);
    Ok(())
}
