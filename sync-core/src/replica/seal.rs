//! Sealing: turning edits into a batch that is sent as it is until it is answered, and back.

use crate::error::Result;
use crate::json::{Json, Limits};
use crate::merge::CollectionPolicy;
use crate::mutation::{Mutation, Op};
use crate::protocol::{ClientBatch, PushRequest};
use crate::replica::local::Local;
use crate::replica::row::{Row, parse};
use crate::replica::rows::{Base, Batch, Entry};
use crate::store::{FeedQuery, ScanQuery};
use crate::types::{Collection, CursorToken, Record, Seq, Version};

/// Mutations in a batch at most: what servers take by default.
pub(super) const BATCH_MUTATIONS_MAX: usize = 1000;
/// Content in a batch at most, bases included: a server reads bodies of 8 MiB, and a slow line takes a minute for it.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What sealing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// There is a batch to send.
    Batch,
    /// Some edits turned out to need nothing; look again.
    Again,
    /// Nothing is waiting.
    Nothing,
}

impl Local {
    /// The batch in flight.
    pub(super) async fn batch(&mut self) -> Result<Option<Batch>> {
        self.row(&Batch::key()).await
    }

    /// Seals the oldest edits, at most `n_max` of them, unless a batch is in flight already.
    pub(super) async fn seal(&mut self, n_max: usize) -> Result<Sealed> {
        if self.batch().await?.is_some() {
            return Ok(Sealed::Batch);
        }
        let mut state = self.state().await?;
        let bases = self.oldest_edits(state.edits_after, n_max).await?;
        if bases.is_empty() {
            return Ok(Sealed::Nothing);
        }
        self.load(bases.iter().map(|(_, base)| base.key.clone())).await?;
        let (mut entries, mut n_bytes) = (Vec::with_capacity(bases.len()), 0usize);
        for (version, base) in bases {
            let visible = self.get(&base.key).await?;
            let Some(mutation) = mutation(&base, visible.as_ref(), self.policy(&base.key)) else {
                self.settle(base, visible);
                state.edits_after = version;
                continue;
            };
            let entry = Entry::new(&mutation, base);
            n_bytes = n_bytes.saturating_add(entry.len());
            if n_bytes > BATCH_BYTES_MAX && !entries.is_empty() {
                break;
            }
            self.purge(Base::key_for(&entry.base.key));
            // An edit of what is not kept here: it goes when the server has it.
            state.narrowed |= !state.selects(&entry.base.key.collection);
            entries.push(entry);
            state.edits_after = version;
        }
        self.save(&state)?;
        if entries.is_empty() {
            return Ok(Sealed::Again);
        }
        self.save(&Batch { client: state.client, first: state.next, entries })?;
        Ok(Sealed::Batch)
    }

    /// Whether any record has edits that were not sealed. Cheap: the rows lie together.
    pub(super) async fn has_edits(&mut self) -> Result<bool> {
        let query = ScanQuery {
            collection: Some(Collection::system(Base::COLLECTION)),
            after: None,
            tombstones: false,
            rows_max: 1,
            bytes_max: 0,
        };
        Ok(!self.stored(&query).await?.records.is_empty())
    }

    /// The oldest edits in the order in which they were begun, each with the local version of its row.
    ///
    /// The rows lie among everything else that was written since, so nothing before `after` is looked at again.
    async fn oldest_edits(&mut self, after: Seq, n_max: usize) -> Result<Vec<(Version, Base)>> {
        if !self.has_edits().await? {
            return Ok(Vec::new());
        }
        let query = FeedQuery {
            after,
            up_to: Seq::MAX,
            collections: Some(vec![Collection::system(Base::COLLECTION)]),
            rows_max: n_max,
            bytes_max: BATCH_BYTES_MAX,
        };
        let page = self.stored_feed(query).await?;
        page.records.iter().map(|record| Ok((record.meta.version, parse(record)?))).collect()
    }

    /// An edit that asks for nothing: what the server has is shown.
    fn settle(&mut self, base: Base, visible: Option<Record>) {
        self.purge(Base::key_for(&base.key));
        if let (Some(mut record), Some(latest)) = (visible, base.latest) {
            record.data = latest.data;
            (record.meta.upstream, record.meta.revision) = (latest.version, latest.revision);
            self.set(record);
        }
    }

    /// Takes the batch apart again: its edits wait as before. Only for a batch of which nothing was done.
    pub(super) async fn unseal(&mut self) -> Result<()> {
        let Some(batch) = self.batch().await? else { return Ok(()) };
        self.purge(Batch::key());
        for entry in batch.entries {
            self.reopen(entry.base).await?;
        }
        Ok(())
    }

    /// Makes a record that was sealed dirty again, on its old base. What was edited meanwhile becomes part of that edit.
    pub(super) async fn reopen(&mut self, mut base: Base) -> Result<()> {
        let again = self.base_of(&base.key).await?;
        if let Some(resolves) = again.and_then(|again| again.resolves) {
            self.dismiss_earlier(&base).await?;
            base.resolves = Some(resolves);
        }
        let visible = self.get(&base.key).await?;
        if base.is_settled_by(visible.as_ref().and_then(|record| record.data.as_ref())) {
            self.purge(Base::key_for(&base.key));
            return Ok(());
        }
        self.save(&base)
    }
}

impl Batch {
    /// The batch as it is sent.
    pub(super) fn request(&self, after: Option<CursorToken>) -> Result<PushRequest> {
        let mutations = self.entries.iter().map(Entry::mutation).collect::<Result<_>>()?;
        let batch = Some(ClientBatch { client: self.client.clone(), first: self.first });
        Ok(PushRequest { batch, mutations, after })
    }
}

/// The mutation that leads from the base of a record to what the application sees; `None` if there is no difference.
pub(super) fn mutation(base: &Base, visible: Option<&Record>, policy: &CollectionPolicy) -> Option<Mutation> {
    let known = &base.base;
    let op = match (&known.data, visible.and_then(|record| record.data.as_ref())) {
        (None, None) if base.resolves.is_none() => return None,
        (Some(was), Some(now)) if was == now && base.resolves.is_none() => return None,
        (_, None) => Op::Delete,
        (Some(was), Some(now)) if !base.whole && base.resolves.is_none() => patch(was, now, policy),
        (_, Some(now)) => Op::Put(now.clone()),
    };
    let mut mutation = Mutation::new(base.key.clone(), op).based_on(known.version);
    mutation.at = visible.filter(|_| !base.undated).map(|record| record.meta.edited_at);
    mutation.resolves = base.resolves.as_ref().map(|resolves| resolves.id.clone());
    Some(mutation)
}

/// The difference, or the whole record where the difference (which says what was there, too) is too large to be read.
fn patch(was: &Json, now: &Json, policy: &CollectionPolicy) -> Op {
    let patch = policy.diff(Some(&was.to_value()), &now.to_value());
    let text = serde_json::to_string(&patch).expect("a patch has a JSON form");
    match Json::parse(text.as_bytes(), &Limits::RECORD) {
        Ok(_) => Op::Patch(patch),
        Err(_) => Op::Put(now.clone()),
    }
}
