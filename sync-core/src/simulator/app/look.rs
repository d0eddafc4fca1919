//! Looking: what an app sees must not go back, and everything it can show is looked up when all is quiet.

use std::collections::BTreeMap;

use super::App;
use super::outline::fault_of;
use crate::error::Result;
use crate::replica::{Query, Replica, SetAside, ShownConflict};
use crate::simulator::Invariant;
use crate::simulator::scenario::{COUNTERS, OUTLINE, OWN, PAIRS, SHARED};
use crate::types::{Record, RecordKey, Version};

/// Records, conflicts and refused edits that are read at once: more than there ever are.
const ALL: usize = 100_000;

/// What a replica can show.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) records: Vec<Record>,
    /// Open ones and settled ones, by name.
    pub(crate) conflicts: Vec<ShownConflict>,
    pub(crate) set_aside: Vec<SetAside>,
}

/// Every collection there is.
fn collections() -> impl Iterator<Item = &'static str> {
    SHARED.iter().map(|(name, ..)| *name).chain([COUNTERS, OWN, PAIRS])
}

async fn records(replica: &Replica) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for collection in collections() {
        records.extend(replica.list(collection, &Query::all()).await?);
    }
    Ok(records)
}

/// A pair that was written in one transaction, and of which only one record shows it.
fn torn_pair(records: &[Record]) -> Option<String> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.key.collection.as_str() == PAIRS) {
        let name = record.key.id.as_str().trim_end_matches(['a', 'b']).to_owned();
        let pair = record.data.as_ref().map(|data| data.to_value()["pair"].to_string());
        pairs.entry(name).or_default().extend(pair);
    }
    pairs
        .into_iter()
        .find(|(_, of)| of.len() != 2 || of[0] != of[1])
        .map(|(name, of)| format!("{name} {of:?}"))
}

/// Everything that a replica can show.
pub(crate) async fn everything(replica: &Replica) -> Result<Shown> {
    let mut conflicts = replica.conflicts(ALL).await?;
    conflicts.extend(replica.settled_conflicts(ALL).await?);
    conflicts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Shown { records: records(replica).await?, conflicts, set_aside: replica.set_aside(ALL).await? })
}

impl App {
    /// Looks at all records: none may have gone back to an older state of the server.
    pub(super) async fn look(&self) -> Result<()> {
        let records = records(self.replica()).await?;
        if let Some(torn) = torn_pair(&records).filter(|_| self.pairs_stay_together) {
            let detail = format!("{} shows one of the pair {torn} without the other", self.device);
            self.journal.broken(Invariant::SessionOrder, detail);
        }
        if let Some(fault) = self.replica().tree(OUTLINE)?.read(|tree| fault_of(tree.state())).await? {
            self.journal.broken(Invariant::TreeValid, format!("{} shows no tree: {fault}", self.device));
        }
        let now: BTreeMap<RecordKey, Version> =
            records.into_iter().map(|record| (record.key, record.meta.upstream)).collect();
        let went_back = self.device.sees(now);
        // A server that went back takes its replicas with it.
        if let Some((key, before, now)) = went_back.filter(|_| self.facts.n_restores() == 0) {
            let detail = format!("{} saw {key} at {before} and sees it at {now}", self.device);
            self.journal.broken(Invariant::SessionOrder, detail);
        }
        Ok(())
    }
}
