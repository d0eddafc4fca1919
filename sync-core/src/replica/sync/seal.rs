//! Sealing: turning edits into a batch that is sent as it is until it is answered, and back.

use std::collections::HashSet;

use crate::error::Result;
use crate::json::{Json, Limits};
use crate::merge::CollectionPolicy;
use crate::mutation::{Mutation, Op};
use crate::protocol::{ClientBatch, PushRequest};
use crate::replica::local::groups::GroupId;
use crate::replica::local::row::{Row, parse};
use crate::replica::local::rows::{Base, Batch, Entry};
use crate::replica::local::txn::Local;
use crate::store::{FeedQuery, ScanQuery};
use crate::types::{Collection, CursorToken, Record, RecordKey, Seq, Version};

/// Mutations in a batch at most: what servers take by default.
pub(crate) const BATCH_MUTATIONS_MAX: usize = 1000;
/// Content in a batch at most, bases included: a server reads bodies of 8 MiB, and a slow line takes a minute for it.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What sealing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// There is a batch to send.
    Batch,
    /// Some edits turned out to need nothing; look again.
    Again,
    /// Nothing is waiting.
    Nothing,
}

impl Local {
    /// The batch in flight.
    pub(crate) async fn batch(&mut self) -> Result<Option<Batch>> {
        self.row(&Batch::key()).await
    }

    /// Seals the oldest edits, at most `n_max` of them, unless a batch is in flight already. What belongs together goes
    /// together, even if it is more than `n_max`.
    pub(crate) async fn seal(&mut self, n_max: usize) -> Result<Sealed> {
        if self.batch().await?.is_some() {
            return Ok(Sealed::Batch);
        }
        let mut state = self.state().await?;
        let bases = self.oldest_edits(state.edits_after, n_max).await?;
        if bases.is_empty() {
            self.forget_groups().await?;
            return Ok(Sealed::Nothing);
        }
        self.load(bases.iter().map(|(_, base)| base.key.clone())).await?;
        self.load_groups(bases.iter().filter_map(|(_, base)| base.group.clone()), n_max).await?;
        let (mut entries, mut n_bytes) = (Vec::with_capacity(bases.len()), 0usize);
        let mut groups: HashSet<GroupId> = HashSet::new();
        for (version, base) in bases {
            if base.group.as_ref().is_some_and(|group| groups.contains(group)) {
                // It went with its group.
                state.edits_after = version;
                continue;
            }
            let group = base.group.clone();
            let (mut unit, settled) = self.unit(base).await?;
            let n_unit_bytes = unit.iter().map(Entry::len).sum();
            n_bytes = n_bytes.saturating_add(n_unit_bytes);
            let is_too_much = n_bytes > BATCH_BYTES_MAX || entries.len() + unit.len() > n_max;
            if is_too_much && !entries.is_empty() {
                break;
            }
            let n_fit = n_within(&unit, BATCH_BYTES_MAX);
            let is_cut = n_fit < unit.len();
            unit.truncate(n_fit);
            // An edit of what is not kept here: it goes when the server has it.
            state.narrowed |= unit.iter().any(|entry| !state.selects(&entry.base.key.collection));
            groups.extend(group.clone());
            self.take_out(&unit, group, settled).await?;
            entries.append(&mut unit);
            if is_cut {
                // The edit that led here may be in the part that is left, so the mark stays before it.
                state.n_parted = state.n_parted.saturating_add(1);
                break;
            }
            state.edits_after = version;
        }
        self.save(&state)?;
        if entries.is_empty() {
            return Ok(Sealed::Again);
        }
        self.save(&Batch { client: state.client, first: state.next, entries })?;
        Ok(Sealed::Batch)
    }

    /// What must be sent together with this edit, as entries of a batch. Those that turn out to need nothing are settled
    /// and only named.
    async fn unit(&mut self, base: Base) -> Result<(Vec<Entry>, Vec<RecordKey>)> {
        let (mut wishes, mut settled) = (Vec::new(), Vec::new());
        for base in self.with_its_group(base).await? {
            let visible = self.get(&base.key).await?;
            match mutation(&base, visible.as_ref(), self.policy(&base.key)) {
                Some(mutation) => wishes.push((mutation, base)),
                None => {
                    settled.push(base.key.clone());
                    self.settle(base, visible);
                }
            }
        }
        let is_group = wishes.len() > 1;
        let entry = |(mut mutation, mut base): (Mutation, Base)| {
            base.group = base.group.filter(|_| is_group);
            mutation.group = base.group.as_ref().map(|group| group.as_str().to_owned());
            Entry::new(&mutation, base)
        };
        Ok((wishes.into_iter().map(entry).collect(), settled))
    }

    /// Takes edits that were sealed from among those that wait.
    async fn take_out(
        &mut self,
        unit: &[Entry],
        group: Option<GroupId>,
        mut gone: Vec<RecordKey>,
    ) -> Result<()> {
        for entry in unit {
            self.purge(Base::key_for(&entry.base.key));
            gone.push(entry.base.key.clone());
        }
        match group {
            Some(group) => self.take_from_group(group, &gone).await,
            None => Ok(()),
        }
    }

    /// Whether any record has edits that were not sealed. Cheap: the rows lie together.
    pub(crate) async fn has_edits(&mut self) -> Result<bool> {
        let query = ScanQuery {
            collection: Some(Collection::system(Base::COLLECTION)),
            after: None,
            descending: false,
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
            latest.tell(&mut record.meta);
            record.data = latest.data;
            self.set(record);
        }
    }

    /// Takes the batch apart again: its edits wait as before. Only for a batch of which nothing was done.
    pub(crate) async fn unseal(&mut self) -> Result<()> {
        let Some(batch) = self.batch().await? else { return Ok(()) };
        self.purge(Batch::key());
        for unit in units(batch.entries) {
            self.reopen_together(unit.into_iter().map(|entry| entry.base).collect()).await?;
        }
        Ok(())
    }

    /// Makes a record that was sealed dirty again, on its old base. What was edited meanwhile becomes part of that edit,
    /// and what that belongs to counts.
    pub(crate) async fn reopen(&mut self, mut base: Base) -> Result<()> {
        let again = self.base_of(&base.key).await?;
        base.group = again.as_ref().and_then(|again| again.group.clone());
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

/// The entries of a batch, those of a group together.
pub(crate) fn units(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut units: Vec<Vec<Entry>> = Vec::with_capacity(entries.len());
    for entry in entries {
        let group = entry.base.group.as_ref();
        match units.last_mut().filter(|unit| group.is_some() && group == unit[0].base.group.as_ref()) {
            Some(unit) => unit.push(entry),
            None => units.push(vec![entry]),
        }
    }
    units
}

/// How many of these entries fit into a batch: at least one, whatever it takes.
fn n_within(unit: &[Entry], bytes_max: usize) -> usize {
    let mut n_bytes = 0usize;
    let fits = |entry: &&Entry| {
        n_bytes = n_bytes.saturating_add(entry.len());
        n_bytes <= bytes_max
    };
    unit.iter().take_while(fits).count().max(1).min(unit.len())
}

impl Batch {
    /// The batch as it is sent.
    pub(crate) fn request(
        &self,
        after: Option<CursorToken>,
        receipt: Option<CursorToken>,
    ) -> Result<PushRequest> {
        let mutations = self.entries.iter().map(Entry::mutation).collect::<Result<_>>()?;
        let batch = Some(ClientBatch { client: self.client.clone(), first: self.first });
        Ok(PushRequest { batch, mutations, after, receipt })
    }

    /// Whether it cannot be divided: it is a single edit, or edits that belong together.
    pub(crate) fn is_one_unit(&self) -> bool {
        let group = |entry: &Entry| entry.base.group.clone();
        self.entries.len() == 1
            || self
                .entries
                .first()
                .and_then(group)
                .is_some_and(|first| self.entries.iter().all(|entry| group(entry).as_ref() == Some(&first)))
    }
}

/// The mutation that leads from the base of a record to what the application sees; `None` if there is no difference.
pub(crate) fn mutation(base: &Base, visible: Option<&Record>, policy: &CollectionPolicy) -> Option<Mutation> {
    let known = &base.base;
    let op = match (&known.data, visible.and_then(|record| record.data.as_ref())) {
        (None, None) if base.resolves.is_none() => return None,
        (Some(was), Some(now)) if was == now && base.resolves.is_none() => return None,
        (_, None) => Op::Delete,
        (Some(was), Some(now))
            if !base.whole && base.resolves.is_none() && !base.key.collection.is_tree() =>
        {
            patch(was, now, policy)
        }
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
