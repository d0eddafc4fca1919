//! Loading the space: a snapshot and what happened since go into the standby, which then becomes live.
//!
//! ```text
//! live      put, get, list ─────────────────────────────────┐ carry edits over
//! standby   snapshot part, part, part ─▶ pull, pull, pull ───┴▶ switch: live from here on
//! ```
//!
//! It goes on where it broke, also after the program ended. What an application has asked to see while it arrives goes
//! into the live side instead, once: there is nothing yet that it could be mixed with.

pub(super) mod carry;
pub(super) mod lost;
pub(super) mod revoked;
pub(super) mod snapshot;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::error::{ErrorKind, Result};
use crate::replica::Replica;
use crate::replica::load::carry::Carry;
use crate::replica::local::place::Side;
use crate::replica::local::rows::Base;
use crate::replica::local::state::{Loading, Reload, State};
use crate::replica::local::txn::Local;
use crate::replica::sync::incoming::Taken;
use crate::replica::sync::page::is_delivered;
use crate::replica::sync::report::SyncReport;
use crate::replica::sync::{Run, Step};
use crate::types::{Collection, CursorToken, Record, Version};

/// Records of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// What it was asked for.
    pub(crate) selection: Option<BTreeSet<Collection>>,
    pub(crate) records: Vec<Record>,
    /// How far the snapshot is with this part.
    pub(crate) loading: Loading,
    /// Where to pull from, if this is the last part.
    pub(crate) end: Option<CursorToken>,
}

impl Run<'_> {
    /// Loads the space if it has to be.
    pub(crate) async fn load(&mut self) -> Result<Step> {
        loop {
            let live = self.replica.state().await?;
            if !live.needs_load() {
                return Ok(Step::Done);
            }
            let side = self.replica.side_to_load(&live).await?;
            if !self.fill(side).await? {
                continue;
            }
            if side == Side::Live {
                continue;
            }
            if let Step::Resync(reason) = self.pull_into(Side::Standby).await? {
                self.replica.discard_standby().await?;
                return Ok(Step::Resync(reason));
            }
            self.keep_what_was_lost().await?;
            if let Some(report) = self.replica.switch(Carry::Over).await? {
                self.report.add(report);
                return Ok(Step::UpToDate);
            }
        }
    }

    /// Loads a snapshot into a side, as long as attempts lead further. `false` when it has to begin anew.
    async fn fill(&mut self, side: Side) -> Result<bool> {
        loop {
            let state = self.replica.state_at(side).await?;
            if state.cursor.is_some() {
                return Ok(true);
            }
            if state.loading.is_stray {
                // The next snapshot begins later, and does not tell what of this was deleted until then.
                self.replica.begin_anew(side).await?;
                return Ok(false);
            }
            let before = state.loading.resume.clone();
            let Err(error) = self.receive(side, state).await else { return Ok(true) };
            let has_moved = self.replica.state_at(side).await?.loading.resume != before;
            match error.kind() {
                // The place to go on from is of no use any more.
                ErrorKind::Invalid if before.is_some() => {
                    self.replica.begin_anew(side).await?;
                    return Ok(false);
                }
                ErrorKind::Unavailable if has_moved => {}
                _ => return Err(error),
            }
        }
    }
}

impl Replica {
    pub(crate) async fn state_at(&self, side: Side) -> Result<State> {
        let inner = Arc::clone(&self.0);
        self.in_task(async move {
            inner.begin(inner.place.space(side), crate::store::Mode::Read).await?.state().await
        })
        .await
    }

    /// Where a load of what `live` stands for goes: on with what was begun, if it is of any use.
    async fn side_to_load(&self, live: &State) -> Result<Side> {
        if self.0.options.shows_partial_load && live.generation == 0 && live.reload.is_none() {
            return Ok(Side::Live);
        }
        self.prepare_standby(live).await?;
        Ok(Side::Standby)
    }

    /// Makes sure that there is a standby to take the place of `live`.
    pub(crate) async fn prepare_standby(&self, live: &State) -> Result<()> {
        let (inner, live) = (Arc::clone(&self.0), live.clone());
        self.in_task(async move {
            let _alone = inner.place.enter_standby().await;
            let begun = inner.state_at(Side::Standby).await?;
            if begun.as_ref().is_some_and(|begun| live.is_prepared_by(begun)) {
                return Ok(());
            }
            inner.store.delete_space(inner.place.space(Side::Standby)).await?;
            inner.create_if_missing(Side::Standby).await?;
            let state = live.of_standby();
            inner.write(Side::Standby, |local| async move { local.save(&state) }.boxed()).await
        })
        .await
    }

    /// Forgets what was loaded so far. What already shows is replaced as a whole.
    async fn begin_anew(&self, side: Side) -> Result<()> {
        if side == Side::Standby {
            return self.discard_standby().await;
        }
        self.write(|local| {
            async move {
                let mut state = local.state().await?;
                state.loading = Loading::default();
                state.ask_for_load(Reload::Expired);
                local.save(&state)
            }
            .boxed()
        })
        .await
    }

    pub(crate) async fn discard_standby(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        self.in_task(async move {
            let _alone = inner.place.enter_standby().await;
            inner.store.delete_space(inner.place.space(Side::Standby)).await.map(|_| ())
        })
        .await
    }
}

impl Local {
    /// Stores a part and how far it leads. Does nothing if this side was loaded by someone else meanwhile.
    pub(crate) async fn load_part(&mut self, part: Part) -> Result<SyncReport> {
        let mut report = SyncReport::default();
        let mut state = self.state().await?;
        // A part that comes late, of a snapshot that nobody receives any more, says nothing about this one.
        if state.cursor.is_some() || state.loading.stream != part.loading.stream {
            return Ok(report);
        }
        if state.selection != part.selection {
            state.ask_for_load(Reload::Expired);
            self.save(&state)?;
            return Ok(report);
        }
        let is_wanted = |record: &Record| is_delivered(&record.key) && state.selects(&record.key.collection);
        let records: Vec<Record> = part.records.into_iter().filter(is_wanted).collect();
        self.load(records.iter().map(|record| record.key.clone())).await?;
        if !state.standby {
            self.load(records.iter().map(|record| Base::key_for(&record.key))).await?;
        }
        for record in records {
            let taken =
                if state.standby { self.receive_unseen(record).await? } else { self.receive(record).await? };
            report.count_taken(taken);
        }
        state.loading = part.loading;
        if let Some(end) = part.end {
            state.move_to(end, self.options.clock.now());
        }
        self.save(&state)?;
        Ok(report)
    }

    /// Takes in a record on a side without edits.
    async fn receive_unseen(&mut self, theirs: Record) -> Result<Taken> {
        let visible = self.get(&theirs.key).await?;
        let known = visible.as_ref().map_or(Version::ZERO, |record| record.meta.upstream);
        if known > theirs.meta.version {
            return Ok(Taken::Known);
        }
        Ok(self.adopt(visible, theirs))
    }
}
