//! What the server had confirmed and does not have any more, because it was restored from a backup: set aside, so that
//! someone can look at it.
//!
//! ```text
//! known here     a@3   b@5   c@9   d@9 + edit       @: version at the server
//! at the server  a@3   b@8   c@8   d@4              both have the same history up to 6
//!                      │     │     └ set aside what the edit was made on, and send the edit
//!                      │     └ someone else wrote it since: set aside
//!                      └ the backup had b@5, and someone changed it since: not lost
//! ```

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;

use crate::conflict::{Conflict, ConflictState};
use crate::error::Result;
use crate::json::Json;
use crate::mutation::{Mutation, Op};
use crate::replica::app::aside::LOST_IN_RESTORE;
use crate::replica::local::open::Inner;
use crate::replica::local::place::Side;
use crate::replica::local::rows::Base;
use crate::replica::local::state::Reload;
use crate::replica::local::txn::Local;
use crate::replica::sync::Run;
use crate::replica::sync::page::is_delivered;
use crate::store::{Mode, ScanQuery};
use crate::types::{Collection, Cursor, Record, RecordId, RecordKey, Seq};

/// Records that are compared at once.
const SCAN_ROWS_MAX: usize = 1000;
/// Their content at most.
const SCAN_BYTES_MAX: usize = 8 << 20;

/// A state of a record that the server confirmed.
struct Confirmed {
    record: Record,
    /// What was made of it since and not sent.
    edited: Option<Option<Json>>,
}

impl Run<'_> {
    /// Sets aside what the server had confirmed and lost when it went back in time, if it did.
    pub(crate) async fn keep_what_was_lost(&mut self) -> Result<()> {
        if self.replica.state().await?.reload != Some(Reload::WentBack) {
            return Ok(());
        }
        let (common, inner) = (self.common_history().await?, Arc::clone(&self.replica.0));
        self.replica.in_task(async move { inner.keep_lost(common).await }).await
    }

    /// Up to where the server has the history that the replica knows: at least to here, and to zero if it cannot tell.
    async fn common_history(&mut self) -> Result<Seq> {
        let space = self.replica.space();
        let trail = self.replica.state().await?.trail;
        for cursor in trail.into_cursors() {
            if let Ok(place) = Cursor::decode(&cursor, space)
                && self.is_in_history(&cursor).await?
            {
                return Ok(place.seq);
            }
        }
        Ok(Seq::ZERO)
    }
}

impl Inner {
    /// Keeps what the server had acknowledged after `common` and does not have, on the side that is to be live.
    async fn keep_lost(&self, common: Seq) -> Result<()> {
        let mut live = self.begin(self.place.space(Side::Live), Mode::Read).await?;
        let mut after = None;
        loop {
            let (rows_max, bytes_max) = (SCAN_ROWS_MAX, SCAN_BYTES_MAX);
            let query = ScanQuery {
                collection: None,
                after,
                descending: false,
                tombstones: true,
                rows_max,
                bytes_max,
            };
            let page = live.stored(&query).await?;
            after = page.records.last().map(|record| record.key.clone());
            let confirmed = live.confirmed_after(common, page.records).await?;
            if !confirmed.is_empty() {
                self.write(Side::Standby, |standby| standby.keep_if_lost(confirmed).boxed()).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

impl Local {
    /// What of these records the server confirmed after a position.
    async fn confirmed_after(&mut self, common: Seq, records: Vec<Record>) -> Result<Vec<Confirmed>> {
        let state = self.state().await?;
        let is_theirs = |key: &RecordKey| is_delivered(key) && state.selects(&key.collection);
        let records: Vec<Record> = records.into_iter().filter(|record| is_theirs(&record.key)).collect();
        self.load(records.iter().map(|record| Base::key_for(&record.key))).await?;
        let mut confirmed = Vec::new();
        for mut record in records {
            let mut edited = None;
            if let Some(Base { base, .. }) = self.base_of(&record.key).await? {
                edited = Some(std::mem::replace(&mut record.data, base.data));
                record.meta.upstream = base.version;
            }
            if record.meta.upstream > common {
                confirmed.push(Confirmed { record, edited });
            }
        }
        Ok(confirmed)
    }

    /// Sets aside those of these states that the server does not have any more.
    async fn keep_if_lost(&mut self, confirmed: Vec<Confirmed>) -> Result<()> {
        self.load(confirmed.iter().map(|confirmed| confirmed.record.key.clone())).await?;
        for confirmed in confirmed {
            let theirs = self.get(&confirmed.record.key).await?.and_then(|record| record.data);
            if theirs.is_none() && self.is_own_op(&confirmed.record) {
                // Nobody can have decided against it: it is sent again.
                self.edit(&confirmed.record.key, confirmed.record.data).await?;
                continue;
            }
            if let Some(mutation) = confirmed.lost_to(theirs.as_ref())? {
                let detail = "the server was restored from a backup without it";
                self.put_aside_as(confirmed.name(), &mutation, LOST_IN_RESTORE, detail)?;
            }
        }
        Ok(())
    }
}

impl Local {
    /// Whether a record is an op that was made here, or by the same person elsewhere. Those of others are theirs to send.
    fn is_own_op(&self, record: &Record) -> bool {
        record.key.collection.is_tree() && record.meta.author == self.options.actor
    }
}

impl Confirmed {
    /// What to set aside when the server has `theirs` now.
    fn lost_to(&self, theirs: Option<&Json>) -> Result<Option<Mutation>> {
        let Record { key, data, .. } = &self.record;
        // An edit of what is not there any more brings all of it back, and one that deletes it wants it gone.
        let goes_with_edit = self
            .edited
            .as_ref()
            .is_some_and(|edited| theirs.is_none() || edited.is_none() || edited.as_ref() == theirs);
        if data.as_ref() == theirs || goes_with_edit {
            return Ok(None);
        }
        if key.collection.as_str() == Collection::CONFLICTS {
            return self.lost_conflict();
        }
        Ok(Some(Mutation::new(key.clone(), data.clone().map_or(Op::Delete, Op::Put))))
    }

    /// Of a conflict that is open, the edit it held. One that was resolved is simply open again.
    fn lost_conflict(&self) -> Result<Option<Mutation>> {
        let conflict = Conflict::from_record(&self.record)?;
        let open = conflict.filter(|conflict| conflict.body.state == ConflictState::Open);
        Ok(open.map(|Conflict { body, .. }| {
            let mine = body.mine.as_ref().and_then(|mine| Json::from_value(mine).ok());
            Mutation::new(body.key, mine.map_or(Op::Delete, Op::Put))
        }))
    }

    /// A name that follows from the state, so that it is kept once however often a switch is tried.
    fn name(&self) -> RecordId {
        let Record { key, meta, .. } = &self.record;
        let hash = blake3::Hasher::new()
            .update(key.collection.as_str().as_bytes())
            .update(&[0])
            .update(key.id.as_str().as_bytes())
            .update(&meta.upstream.get().to_le_bytes())
            .finalize();
        RecordId::new(URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..16]))
            .expect("22 letters and digits are an id")
    }
}
