//! Switching to a side that was loaded: what the server does not know yet is carried over, in the one commit that makes
//! that side live.

use std::sync::Arc;

use crate::conflict::Conflict;
use crate::error::{ErrorKind, Result};
use crate::replica::Replica;
use crate::replica::app::aside::AsideRow;
use crate::replica::local::groups::Group;
use crate::replica::local::open::Inner;
use crate::replica::local::place::Side;
use crate::replica::local::row::{Row, parse};
use crate::replica::local::rows::{Base, Entry, Known};
use crate::replica::local::state::{Loading, Reload, State};
use crate::replica::local::txn::Local;
use crate::replica::sync::incoming::Taken;
use crate::replica::sync::report::SyncReport;
use crate::store::{Mode, ScanQuery};
use crate::types::{Collection, Record, RecordId, Seq, Version};

/// Rows that are read at once.
const SCAN_ROWS_MAX: usize = 1000;

/// What becomes of unsent work in a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// It goes onto the new side, and is sent from there.
    Over,
    /// It is set aside: it cannot be sent any more.
    Aside,
}

/// What of a side the server has not confirmed: everything that a switch must not lose.
pub(crate) struct Unsent {
    pub(crate) state: State,
    /// Edits in the order in which they were begun, with what the application sees.
    pub(crate) edits: Vec<(Base, Option<Record>)>,
    /// The batch in flight.
    pub(crate) sent: Vec<Entry>,
    /// Edits that were set aside, as they are.
    pub(crate) asides: Vec<Record>,
    /// What of the edits is sent together, as it is.
    pub(crate) groups: Vec<Record>,
}

impl Replica {
    /// Makes the standby live, with all unsent work on it. Local writes wait for that moment; a caller may go away.
    /// `None`, and nothing done, when it was prepared for something else than what is wanted now.
    pub(crate) async fn switch(&self, how: Carry) -> Result<Option<SyncReport>> {
        let inner = Arc::clone(&self.0);
        self.in_task(async move {
            let _alone = inner.place.enter_standby().await;
            let Some(report) = inner.switch(how).await? else { return Ok(None) };
            // If it stays, it is removed when the replica is opened.
            if let Err(error) = inner.store.delete_space(inner.place.space(Side::Standby)).await {
                tracing::warn!(%error, "the side of a replica that was replaced could not be removed");
            }
            Ok(Some(report))
        })
        .await
    }
}

impl Inner {
    async fn switch(&self, how: Carry) -> Result<Option<SyncReport>> {
        let _entered = self.place.enter().await;
        let unsent = self.begin(self.place.space(Side::Live), Mode::Read).await?.unsent_work().await?;
        let mut standby = self.begin(self.place.space(Side::Standby), Mode::Write).await?;
        if !unsent.state.is_prepared_by(&standby.state().await?) {
            return Ok(None);
        }
        let report = match how {
            Carry::Over => standby.carry_over(unsent).await?,
            Carry::Aside => standby.set_all_aside(unsent).await?,
        };
        match standby.commit().await {
            Ok(()) => {
                self.place.turn();
                self.signals.reload();
            }
            Err(error) => {
                if error.kind() == ErrorKind::Unavailable {
                    self.doubt_switch().await;
                }
                return Err(error);
            }
        }
        Ok(Some(report))
    }
}

impl Local {
    /// Reads everything that a switch must not lose.
    async fn unsent_work(&mut self) -> Result<Unsent> {
        let state = self.state().await?;
        let asides = self.all_of(AsideRow::COLLECTION).await?;
        let groups = self.all_of(Group::COLLECTION).await?;
        let sent = self.batch().await?.map(|batch| batch.entries).unwrap_or_default();
        let mut bases = self.all_of(Base::COLLECTION).await?;
        bases.sort_by_key(|row| row.meta.version);
        let bases: Vec<Base> = bases.iter().map(parse).collect::<Result<_>>()?;
        self.load(bases.iter().map(|base| base.key.clone())).await?;
        let mut edits = Vec::with_capacity(bases.len());
        for base in bases {
            let visible = self.get(&base.key).await?;
            edits.push((base, visible));
        }
        Ok(Unsent { state, edits, sent, asides, groups })
    }

    /// Every row of one of the books.
    pub(crate) async fn all_of(&mut self, collection: &'static str) -> Result<Vec<Record>> {
        let collection = Some(Collection::system(collection));
        let (rows_max, bytes_max) = (SCAN_ROWS_MAX, usize::MAX);
        let mut query =
            ScanQuery { collection, after: None, descending: false, tombstones: false, rows_max, bytes_max };
        let mut rows = Vec::new();
        loop {
            let page = self.stored(&query).await?;
            query.after = page.records.last().map(|record| record.key.clone());
            rows.extend(page.records);
            if !page.more {
                return Ok(rows);
            }
        }
    }

    /// Puts the unsent work of the other side onto this one, and makes it live.
    async fn carry_over(&mut self, unsent: Unsent) -> Result<SyncReport> {
        let loaded = self.state().await?;
        // Ops that a restored server lost wait here already.
        let edits_after = if self.has_edits().await? { loaded.edits_after } else { self.space_head().head };
        let mut report = SyncReport::default();
        self.load(unsent.edits.iter().map(|(base, _)| base.key.clone())).await?;
        for (base, visible) in unsent.edits {
            let resolves = base.resolves.clone();
            report.count_taken(self.carry_edit(base, visible, &unsent.state).await?);
            if let Some(resolves) = resolves {
                self.hide_conflict(&resolves.id, resolves.version).await?;
            }
        }
        for row in unsent.asides.into_iter().chain(unsent.groups) {
            self.set(row);
        }
        self.save(&State {
            cursor: loaded.cursor,
            trail: loaded.trail,
            loading: Loading::default(),
            edits_after,
            generation: loaded.generation,
            confirmed: Seq::ZERO,
            standby: false,
            reload: None,
            ..unsent.state
        })?;
        Ok(report)
    }

    async fn carry_edit(&mut self, mut base: Base, visible: Option<Record>, from: &State) -> Result<Taken> {
        base.since = Seq::ZERO;
        let theirs = self.get(&base.key).await?;
        // A server that keeps its history has no older state than it told of once. It cannot tell itself that it was
        // restored where the cursor is older than what it keeps.
        let is_older = theirs.as_ref().is_some_and(|theirs| theirs.meta.upstream < base.newest().version);
        let went_back = from.reload == Some(Reload::WentBack) || is_older;
        if went_back {
            // The version belongs to a history that is gone. What was there still tells what the edit changed.
            base.base.version = Version::ZERO;
        }
        if let Some(mut theirs) = theirs {
            theirs.meta.version = theirs.meta.upstream;
            let known = visible.as_ref().map_or(Version::ZERO, |record| record.meta.upstream);
            if went_back || theirs.meta.version > known {
                return self.rebase(base, visible, theirs);
            }
        } else if from.selects(&base.key.collection) {
            let absent = Known::absent();
            if went_back {
                // It was lost in a restore, not deleted: the edit creates it again.
                (base.base, base.latest) = (absent, None);
            } else if base.newest().version > Version::ZERO {
                // It was deleted long ago: the server judges, and needs all of it to keep it.
                (base.latest, base.whole) = (Some(absent), true);
            }
        }
        self.save(&base)?;
        if let Some(mut record) = visible {
            if went_back {
                record.meta.upstream = Version::ZERO;
            }
            self.set(record);
        }
        Ok(Taken::Known)
    }

    /// Hides a conflict whose resolution is on the way.
    async fn hide_conflict(&mut self, id: &RecordId, version: Version) -> Result<()> {
        let conflict = self.get(&Conflict::key(id.clone())).await?;
        if let Some(mut conflict) = conflict.filter(|conflict| conflict.meta.upstream == version) {
            conflict.data = None;
            self.set(conflict);
        }
        Ok(())
    }
}
