//! A space as everyone sees it: the server's disk, and what each replica can show.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Result;
use crate::simulator::Invariant;
use crate::simulator::app::{Shown, everything};
use crate::simulator::device::Device;
use crate::simulator::world::World;
use crate::store::{Mode, ScanQuery, SpaceHead, Store};
use crate::types::{Collection, Record, RecordKey, SpaceId};

/// One space.
pub(crate) struct View {
    pub(crate) number: usize,
    pub(crate) space: SpaceId,
    pub(crate) head: SpaceHead,
    /// What is on the server's disk for its readers, tombstones and ops of trees included.
    pub(crate) records: BTreeMap<RecordKey, Record>,
    /// The devices that may still use it, and what they show.
    pub(crate) devices: Vec<(Arc<Device>, Shown)>,
}

impl View {
    /// Looks at a space; `None` when something cannot be read, which is in the journal then.
    pub(crate) async fn of(world: &mut World<'_>, number: usize) -> Option<Self> {
        let space = world.spaces.get(number)?.clone();
        let disk = world.branch.disk.clone();
        let store = world.look_at_disk(&disk).await?;
        let (head, mut records) = expected(world, read_all(&*store, &space).await)?;
        records.retain(|key, _| key.collection.is_delivered());
        let mut devices = Vec::new();
        for device in world.devices_of(number) {
            let Some(running) = device.running() else { continue };
            let shown = expected(world, everything(&running.replica).await)?;
            devices.push((device, shown));
        }
        Some(Self { number, space, head, records, devices })
    }

    /// Records of the application that are not deleted.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &Record> {
        let is_of_app = |key: &RecordKey| !key.collection.is_system() && !key.collection.is_tree();
        self.records.values().filter(move |record| !record.is_deleted() && is_of_app(&record.key))
    }

    /// Conflicts as they are kept.
    pub(crate) fn conflicts(&self) -> impl Iterator<Item = &Record> {
        let is_conflict = |r: &&Record| r.key.collection.as_str() == Collection::CONFLICTS && !r.is_deleted();
        self.records.values().filter(is_conflict)
    }
}

/// Reads that fail when nothing goes wrong any more are a violation.
pub(crate) fn expected<T>(world: &World<'_>, result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            world.journal.broken(Invariant::Live, format!("cannot be read when all is quiet: {error:?}"));
            None
        }
    }
}

/// Everything in a space, as its disk has it.
pub(super) async fn read_all(
    store: &dyn Store,
    space: &SpaceId,
) -> Result<(SpaceHead, BTreeMap<RecordKey, Record>)> {
    let mut txn = store.begin(space, Mode::Read).await?;
    let mut query = ScanQuery {
        collection: None,
        after: None,
        descending: false,
        tombstones: true,
        rows_max: 1000,
        bytes_max: 8 << 20,
    };
    let mut records = BTreeMap::new();
    loop {
        let page = txn.scan(&query).await?;
        query.after = page.records.last().map(|record| record.key.clone());
        records.extend(page.records.into_iter().map(|record| (record.key.clone(), record)));
        if !page.more {
            return Ok((txn.head(), records));
        }
    }
}
