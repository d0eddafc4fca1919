//! Storing a part of a snapshot: it says everything about its range of keys.

use std::collections::HashSet;

use crate::conflict::{Conflict, ConflictState};
use crate::error::Result;
use crate::json::Json;
use crate::mutation::{Mutation, Op};
use crate::replica::aside::LOST_IN_RESTORE;
use crate::replica::incoming::Taken;
use crate::replica::local::Local;
use crate::replica::page::is_delivered;
use crate::replica::report::SyncReport;
use crate::replica::rows::{Base, Known, Loading};
use crate::store::ScanQuery;
use crate::types::{Collection, CursorToken, Record, RecordKey, Version};

/// Local records that are compared with a part at once.
const SCAN_ROWS_MAX: usize = 1000;
/// Their content at most.
const SCAN_BYTES_MAX: usize = 8 << 20;

/// Records of a snapshot, with the range of keys they stand for.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The range begins after this key.
    pub(super) after: Option<RecordKey>,
    /// It ends with this one, or with all keys if `end` is there.
    pub(super) upto: Option<RecordKey>,
    pub(super) records: Vec<Record>,
    /// How far the snapshot is with this part.
    pub(super) loading: Loading,
    /// Where to pull from, if this is the last part.
    pub(super) end: Option<CursorToken>,
}

impl Local {
    /// Stores a part and how far it leads. Does nothing if the space was loaded by someone else meanwhile.
    pub(super) async fn load_part(&mut self, part: Part) -> Result<SyncReport> {
        let mut report = SyncReport::default();
        let mut state = self.state().await?;
        if state.cursor.is_some() {
            return Ok(report);
        }
        let replace = part.loading.replace;
        self.remove_missing(&part, &mut report).await?;
        let records: Vec<Record> =
            part.records.into_iter().filter(|record| is_delivered(&record.key)).collect();
        self.load(records.iter().flat_map(|record| [record.key.clone(), Base::key_for(&record.key)])).await?;
        for record in records {
            let taken =
                if replace { self.receive_instead(record).await? } else { self.receive(record).await? };
            report.count_taken(taken);
        }
        (state.loading, state.cursor) = match part.end {
            Some(cursor) => (Loading::default(), Some(cursor)),
            None => (part.loading, None),
        };
        self.save(&state)?;
        Ok(report)
    }

    /// Takes in a record of a server that went back in time: its state counts, although it is older.
    async fn receive_instead(&mut self, theirs: Record) -> Result<Taken> {
        let visible = self.get(&theirs.key).await?;
        match self.base_of(&theirs.key).await? {
            Some(mut base) => {
                // The version belongs to a history that is gone. What was there still tells what the edit changed.
                base.base.version = Version::ZERO;
                self.rebase(base, visible, theirs)
            }
            None => {
                let lost = visible.as_ref().filter(|visible| {
                    visible.meta.upstream > theirs.meta.version && visible.data != theirs.data
                });
                if let Some(lost) = lost {
                    self.keep_lost(lost)?;
                }
                Ok(self.adopt(visible, theirs))
            }
        }
    }

    /// Removes what lies in the range of the part and is not in it.
    async fn remove_missing(&mut self, part: &Part, report: &mut SyncReport) -> Result<()> {
        let there: HashSet<&RecordKey> = part.records.iter().map(|record| &record.key).collect();
        let mut after = part.after.clone();
        loop {
            let page = self
                .stored(&ScanQuery {
                    collection: None,
                    after: after.take(),
                    tombstones: false,
                    rows_max: SCAN_ROWS_MAX,
                    bytes_max: SCAN_BYTES_MAX,
                })
                .await?;
            let in_range = |key: &RecordKey| part.end.is_some() || Some(key) <= part.upto.as_ref();
            let inside: Vec<&Record> =
                page.records.iter().take_while(|record| in_range(&record.key)).collect();
            let is_inside = inside.len() == page.records.len();
            let missing = inside.into_iter().filter(|record| {
                is_delivered(&record.key)
                    && !there.contains(&record.key)
                    && record.meta.upstream > Version::ZERO
            });
            let missing: Vec<Record> = missing.cloned().collect();
            self.load(missing.iter().map(|record| Base::key_for(&record.key))).await?;
            for record in missing {
                report.pulled += u64::from(self.remove_one(record, part.loading.replace).await?);
            }
            match page.records.last().filter(|_| page.more && is_inside) {
                Some(last) => after = Some(last.key.clone()),
                None => return Ok(()),
            }
        }
    }

    /// The server does not have this record. Says whether it went here, too.
    async fn remove_one(&mut self, mut record: Record, replace: bool) -> Result<bool> {
        let absent = Known { version: Version::ZERO, revision: 0, data: None };
        match self.base_of(&record.key).await? {
            // It was lost in a restore, not deleted: the edit creates it again.
            Some(mut base) if replace => {
                (base.base, base.latest) = (absent, None);
                record.meta.upstream = Version::ZERO;
                self.save(&base)?;
                self.set(record);
                Ok(false)
            }
            // It was deleted long ago: the server judges, and needs all of it to keep it.
            Some(mut base) => {
                (base.latest, base.whole) = (Some(absent), true);
                self.save(&base)?;
                Ok(false)
            }
            None => {
                if replace {
                    self.keep_lost(&record)?;
                }
                record.data = None;
                self.set(record);
                Ok(true)
            }
        }
    }

    /// Keeps what the server had acknowledged and lost. Of a conflict that is the edit it held.
    fn keep_lost(&mut self, record: &Record) -> Result<()> {
        let Some(data) = &record.data else { return Ok(()) };
        let mutation = if record.key.collection.as_str() == Collection::CONFLICTS {
            let Some(conflict) = Conflict::from_record(record)? else { return Ok(()) };
            if conflict.body.state == ConflictState::Settled {
                return Ok(());
            }
            let mine = conflict.body.mine.as_ref().and_then(|mine| Json::from_value(mine).ok());
            Mutation::new(conflict.body.key, mine.map_or(Op::Delete, Op::Put))
        } else {
            Mutation::put(record.key.clone(), data.clone())
        };
        self.put_aside(&mutation, LOST_IN_RESTORE, "the server was restored from a backup without it")
    }
}
