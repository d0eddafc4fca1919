//! What the server made of a batch, recorded in one step with the removal of the batch.

use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::mutation::{Op, Outcome};
use crate::protocol::code;
use crate::replica::local::rows::{Base, Batch, Entry, Known};
use crate::replica::local::txn::Local;
use crate::replica::sync::incoming::Verdict;
use crate::replica::sync::report::SyncReport;
use crate::replica::sync::seal::{mutation, units};
use crate::replica::tell::watch::Origin;
use crate::types::{Record, RecordKey, RecordMeta, Version};

impl Local {
    /// Records the outcomes of the batch in flight; says `None` when that is another one by now.
    pub(crate) async fn record_outcomes(
        &mut self,
        sent: &Batch,
        outcomes: Vec<Outcome>,
    ) -> Result<Option<SyncReport>> {
        let Some(batch) = self.batch().await?.filter(|batch| batch.is(sent)) else { return Ok(None) };
        if outcomes.len() != batch.entries.len() {
            let message = format!("{} outcomes for {} mutations", outcomes.len(), batch.entries.len());
            return Err(Error::new(ErrorKind::Distrusted, message));
        }
        let keys = batch.entries.iter().map(|entry| &entry.base.key);
        self.load(keys.flat_map(|key| [key.clone(), Base::key_for(key)])).await?;
        let mut state = self.state().await?;
        let exhausted = || Error::invalid(code::VERSION_EXHAUSTED, "the replica has used up its numbers");
        state.next = batch.first.checked_add(batch.entries.len()).ok_or_else(exhausted)?;
        self.purge(Batch::key());
        let mut report = SyncReport { parted: std::mem::take(&mut state.n_parted), ..SyncReport::default() };
        self.save(&state)?;
        let mut outcomes = outcomes.into_iter();
        for unit in units(batch.entries) {
            let outcomes: Vec<Outcome> = outcomes.by_ref().take(unit.len()).collect();
            if let Some(bases) = asked_again(&unit, &outcomes) {
                self.reopen_together(bases).await?;
                continue;
            }
            for (entry, outcome) in unit.into_iter().zip(outcomes) {
                report.count(&outcome);
                self.settle_entry(entry, outcome).await?;
            }
        }
        Ok(Some(report))
    }

    /// Sets aside everything in the batch in flight, which the server refuses as a whole. Its numbers stay free.
    pub(crate) async fn give_up(&mut self, refused: &Batch, code: &str, detail: &str) -> Result<()> {
        let Some(batch) = self.batch().await?.filter(|batch| batch.is(refused)) else { return Ok(()) };
        self.purge(Batch::key());
        for entry in batch.entries {
            self.settle_entry(entry, Outcome::rejected(code, detail)).await?;
        }
        Ok(())
    }

    async fn settle_entry(&mut self, entry: Entry, outcome: Outcome) -> Result<()> {
        let mutation = entry.mutation()?;
        let base = entry.base;
        match outcome {
            Outcome::Applied { version, revision } => {
                let data = sent(&base, &mutation.op);
                self.confirm(&base.key, Known::new(version, revision, data)).await?;
                self.sign(&base.key).await
            }
            Outcome::Unchanged { version } => self.confirm_unchanged(base, &mutation.op, version).await,
            Outcome::Merged { version, revision, data, .. } => {
                self.meet(&base, &mutation.op, Known::new(version, revision, data)).await?;
                self.set_origin(&base.key, Origin::Merge);
                Ok(())
            }
            Outcome::Conflict { version, theirs, .. } => {
                let newest = base.newest();
                let server = if newest.version == version && newest.data == theirs {
                    newest.clone()
                } else {
                    Known::new(version, newest.revision, theirs)
                };
                if base.resolves.is_some() {
                    // The conflict stays as it was, so what was to settle it is kept apart.
                    self.put_aside(&mutation, code::VERSION_CONFLICT, "the record has moved on since")?;
                    self.restore_conflict(&base).await?;
                }
                self.meet(&base, &mutation.op, server).await
            }
            Outcome::Rejected { code, .. } if base.key.collection.is_tree() && is_taken(&code) => {
                self.number_refused(&base, &mutation.op).await
            }
            Outcome::Rejected { code, detail } => {
                self.put_aside(&mutation, &code, &detail)?;
                // Nothing is left of the conflict at the server; the feed need not tell that it went.
                let is_gone = [code::NOT_FOUND, code::VERSION_CONFLICT].contains(&code.as_str());
                let resolves = base.resolves.filter(|_| !is_gone);
                self.refuse(Base { resolves, ..base }, &mutation.op).await
            }
            Outcome::Superseded => {
                self.put_aside(&mutation, "superseded", "a mutation it depends on was not carried out")?;
                self.refuse(base, &mutation.op).await
            }
        }
    }

    /// The server has exactly what was sent.
    async fn confirm(&mut self, key: &RecordKey, server: Known) -> Result<()> {
        let Some(mut visible) = self.get(key).await? else { return Ok(()) };
        visible.meta.upstream = server.version;
        match self.base_of(key).await? {
            // Edited again meanwhile, on top of what was sent.
            Some(again) => self.save(&Base { base: server, ..again })?,
            None => visible.meta.revision = server.revision,
        }
        self.set(visible);
        Ok(())
    }

    /// Says in the record, as the server does to everyone else, that this replica has made it.
    async fn sign(&mut self, key: &RecordKey) -> Result<()> {
        let client = self.state().await?.client;
        if self.base_of(key).await?.is_none()
            && let Some(mut record) = self.get(key).await?
        {
            record.meta.client = Some(client);
            self.set(record);
        }
        Ok(())
    }

    async fn confirm_unchanged(&mut self, base: Base, op: &Op, version: Version) -> Result<()> {
        if let Some(latest) = base.latest.as_ref().filter(|latest| latest.version == version) {
            let server = latest.clone();
            return self.meet(&base, op, server).await;
        }
        let revision = base.newest().revision;
        if version == base.base.version || matches!(op, Op::Delete) {
            let data = sent(&base, op);
            return self.confirm(&base.key, Known::new(version, revision, data)).await;
        }
        // Others changed it too, in places that were not touched here: the feed brings the whole of it.
        if let Some(again) = self.edited_again(&base, op).await? {
            self.save(&again)?;
        }
        Ok(())
    }

    /// What an edit made meanwhile is based on: what was sent, which no version at the server is known to be.
    async fn edited_again(&mut self, base: &Base, op: &Op) -> Result<Option<Base>> {
        let again = self.base_of(&base.key).await?;
        let known = Known { data: sent(base, op), ..base.base.clone() };
        Ok(again.map(|again| Base { base: known, ..again }))
    }

    /// The server has something else than what was sent: that counts, with what was edited meanwhile on top.
    async fn meet(&mut self, base: &Base, op: &Op, server: Known) -> Result<()> {
        let visible = self.get(&base.key).await?;
        let theirs = server_record(&base.key, visible.as_ref(), &server, &self.options.actor);
        match self.edited_again(base, op).await? {
            Some(again) => {
                self.rebase(again, visible, theirs)?;
            }
            None => {
                self.adopt(visible, theirs);
            }
        }
        Ok(())
    }

    /// The server keeps what it had; so does the replica, except for what was edited meanwhile.
    async fn refuse(&mut self, base: Base, op: &Op) -> Result<()> {
        self.restore_conflict(&base).await?;
        let server = base.newest().clone();
        let Some(again) = self.edited_again(&base, op).await? else {
            return self.meet(&base, op, server).await;
        };
        let visible = self.get(&base.key).await?;
        let mine = visible.as_ref().and_then(|record| record.data.as_ref());
        if self.judge(&again, mine, server.data.as_ref()) == Verdict::Clash {
            if base.group.is_none() {
                // What was edited meanwhile stands on what was refused: it is one edit, and is sent again as such.
                return self.reopen(Base { resolves: None, ..base }).await;
            }
            // Sent again, it would take along its part of what was refused as a whole.
            self.put_edit_aside(again).await?;
        }
        self.meet(&base, op, server).await
    }

    /// Sets aside an edit that was not sealed, with all it belongs to. What it was made on shows again.
    async fn put_edit_aside(&mut self, base: Base) -> Result<()> {
        for base in self.with_its_group(base).await? {
            let visible = self.get(&base.key).await?;
            if let Some(mutation) = mutation(&base, visible.as_ref(), self.policy(&base.key)) {
                self.put_aside(&mutation, "superseded", "an edit it was made on was not carried out")?;
            }
            self.restore_conflict(&base).await?;
            self.purge(Base::key_for(&base.key));
            self.adopt(
                visible.clone(),
                server_record(&base.key, visible.as_ref(), base.newest(), &self.options.actor),
            );
        }
        Ok(())
    }
}

/// How edits must be sent again because the server asked for more, or for less, of one of them. Those that were not tried
/// because of it go with it.
fn asked_again(unit: &[Entry], outcomes: &[Outcome]) -> Option<Vec<Base>> {
    let mut bases: Vec<Base> = unit.iter().map(|entry| entry.base.clone()).collect();
    for (idx, outcome) in outcomes.iter().enumerate() {
        let Outcome::Rejected { code, .. } = outcome else { continue };
        match code.as_str() {
            code::CONTENT_NEEDED if !bases[idx].whole => bases[idx].whole = true,
            // A device whose clock is wrong would have all its edits refused; the server dates them instead.
            code::CLOCK_DRIFT if !bases[idx].undated => bases.iter_mut().for_each(|base| base.undated = true),
            _ => continue,
        }
        return Some(bases);
    }
    None
}

/// Whether an op was refused because of its id alone.
fn is_taken(code: &str) -> bool {
    [code::FORBIDDEN_CLIENT, code::OP_CONFLICT].contains(&code)
}

/// What a record was when its mutation was sealed.
pub(crate) fn sent(base: &Base, op: &Op) -> Option<Json> {
    match op {
        Op::Put(data) => Some(data.clone()),
        Op::Delete => None,
        Op::Patch(patch) => {
            let value = patch.apply(base.base.data.as_ref().map(Json::to_value).as_ref());
            // It was a record before it was sealed, so it is within the limits of one.
            value.and_then(|value| Json::from_value(&value).ok())
        }
    }
}

/// What the server has, as it sends it. What it did not say is as it is shown.
pub(crate) fn server_record(
    key: &RecordKey,
    visible: Option<&Record>,
    server: &Known,
    actor: &crate::types::ActorId,
) -> Record {
    let shown = visible.map(|record| record.meta.clone());
    let mut meta = shown.unwrap_or_else(|| RecordMeta::first(Version::ZERO, actor.clone()));
    server.tell(&mut meta);
    (meta.version, meta.upstream) = (server.version, Version::ZERO);
    Record { key: key.clone(), data: server.data.clone(), meta }
}
