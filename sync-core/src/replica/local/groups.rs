//! Groups: edits of one local transaction, which the server carries out together or not at all.
//!
//! A record that waits to be sent names its group in its row of `$base`, and that alone decides who belongs to it. A row
//! of `$group` lists who may: it finds the members, and a record that went back to what the server has, or was sent, is
//! dropped from it whenever it is next read for sealing.
//!
//! ```text
//! transaction: a, b      $base a·G b·G                $group G = a b
//! transaction: b, c      $base a·G b·G c·G            $group G = a b c    b holds parts of both: they are one now
//! sealed                 $outbox a·G b·G c·G          (none)              next to each other, in one batch
//! ```
//!
//! Only the last state of a record is kept until it is sent. So what two transactions did to the same record cannot be
//! told apart any more, and their groups become one. An application that is offline for long and touches the same record
//! in every transaction would let one group grow without end, while a batch takes only so much. Of the answers to that:
//!
//! - Refusing the edit would turn an application away because it has no network. That is what a replica is for.
//! - Keeping the state at the border between both would need several layers of unsent edits under every record, each to
//!   be merged with what others do, and the border would be gone all the same when a batch is taken apart.
//! - Letting the server refuse it sets a week of work aside because of a size.
//!
//! So groups that are too large together stay apart, and one that outgrew a batch is sealed in parts: every edit arrives,
//! each part is atomic, and [`SyncReport::parted`](super::SyncReport::parted) says that a transaction was not.
//! A single transaction that is too large by itself is refused at once, while the application can still divide it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::local::row::{Row, key_text, row_key};
use crate::replica::local::rows::Base;
use crate::replica::local::txn::Local;
use crate::types::{RecordId, RecordKey};

/// Records in a group at most. Half of what a batch holds by default, so that a server with smaller limits takes it, too;
/// every transaction that joins the group writes the list of its records.
pub(crate) const GROUP_MAX: usize = 500;
/// Content of a transaction at most: with the mutations around it, it fits into a batch.
const TRANSACTION_BYTES_MAX: usize = 3 << 20;

/// The name of a group, in the books and in the mutations that are sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct GroupId(String);

impl GroupId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn row(&self) -> RecordKey {
        row_key(Group::COLLECTION, &self.0)
    }
}

/// Who may belong to a group, in the order of joining.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    id: GroupId,
    keys: Vec<Key>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Key(#[serde(with = "key_text")] RecordKey);

impl Row for Group {
    const COLLECTION: &'static str = "$group";

    fn id(&self) -> RecordId {
        self.id.row().id
    }
}

/// What a transaction edited: these records, and what they belonged to before.
#[derive(Debug, Default)]
pub(crate) struct Edited {
    keys: Vec<RecordKey>,
    groups: Vec<GroupId>,
}

impl Edited {
    /// Notes an edit. `group` is what the record belonged to before: an edit may take it out.
    pub(crate) fn add(&mut self, key: RecordKey, group: Option<GroupId>) {
        self.keys.push(key);
        self.groups.extend(group.filter(|group| !self.groups.contains(group)));
    }
}

impl Local {
    /// Joins what a transaction edited into one group, with the groups it touched.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) with code `body_too_large` when it is more than the server can carry out
    /// together.
    pub(crate) async fn join(&mut self, mut edited: Edited) -> Result<()> {
        let mut seen = HashSet::new();
        edited.keys.retain(|key| seen.insert(key.clone()));
        let bases = self.waiting(&edited.keys).await?;
        if bases.len() > GROUP_MAX {
            return Err(too_large(&format!("changes {} records", bases.len()), GROUP_MAX));
        }
        let n_bytes = if bases.len() > 1 { self.n_bytes(&bases).await? } else { 0 };
        if n_bytes > TRANSACTION_BYTES_MAX {
            return Err(too_large(&format!("moves {n_bytes} bytes"), TRANSACTION_BYTES_MAX));
        }
        self.unite(bases, edited.groups).await
    }

    /// Makes records that were sealed together dirty again, as [`reopen`](Local::reopen) does with each. They belong
    /// together as before, and to whatever they were edited with meanwhile.
    pub(crate) async fn reopen_together(&mut self, bases: Vec<Base>) -> Result<()> {
        let keys: Vec<RecordKey> = bases.iter().map(|base| base.key.clone()).collect();
        let mut groups: Vec<GroupId> = bases.iter().filter_map(|base| base.group.clone()).collect();
        groups.extend(self.waiting(&keys).await?.into_iter().filter_map(|again| again.group));
        for base in bases {
            self.reopen(base).await?;
        }
        let bases = self.waiting(&keys).await?;
        self.unite(bases, groups).await
    }

    /// Reads the edits of these groups ahead, until there are `n_max`.
    pub(crate) async fn load_groups(
        &mut self,
        ids: impl Iterator<Item = GroupId>,
        n_max: usize,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        let ids: Vec<GroupId> = ids.filter(|id| seen.insert(id.clone())).collect();
        self.load(ids.iter().map(GroupId::row)).await?;
        let mut keys = Vec::new();
        for id in ids {
            keys.extend(self.group(id).await?.keys);
            if keys.len() >= n_max {
                break;
            }
        }
        self.load(keys.into_iter().flat_map(|Key(key)| [Base::key_for(&key), key])).await
    }

    /// The edits that must be sent together with this one, itself included, in the order in which they joined.
    pub(crate) async fn with_its_group(&mut self, base: Base) -> Result<Vec<Base>> {
        let Some(id) = base.group.clone() else { return Ok(vec![base]) };
        let group = self.group(id).await?;
        let mut members = self.members(&group).await?;
        if !members.iter().any(|member| member.key == base.key) {
            members.push(base);
        }
        self.load(members.iter().map(|member| member.key.clone())).await?;
        Ok(members)
    }

    /// Takes records that were sealed, or need not be sent, from the list of their group.
    pub(crate) async fn take_from_group(&mut self, id: GroupId, sealed: &[RecordKey]) -> Result<()> {
        let mut group = self.group(id).await?;
        group.keys.retain(|Key(key)| !sealed.contains(key));
        if group.keys.is_empty() {
            self.purge(group.id.row());
            return Ok(());
        }
        self.save(&group)
    }

    /// Forgets all groups: nothing waits, so nothing belongs to them.
    pub(crate) async fn forget_groups(&mut self) -> Result<()> {
        for record in self.all_of(Group::COLLECTION).await? {
            self.purge(record.key);
        }
        Ok(())
    }

    /// Makes one group of these edits and of all that belongs to these groups, as far as there is room.
    async fn unite(&mut self, bases: Vec<Base>, mut ids: Vec<GroupId>) -> Result<()> {
        let (grouped, alone): (Vec<Base>, Vec<Base>) =
            bases.into_iter().partition(|base| base.group.is_some());
        ids.extend(grouped.into_iter().filter_map(|base| base.group));
        let mut groups: Vec<Group> = Vec::new();
        for id in ids {
            let group = self.group(id).await?;
            if !group.keys.is_empty() && groups.iter().all(|known| known.id != group.id) {
                groups.push(group);
            }
        }
        if groups.len() + alone.len() < 2 {
            return Ok(());
        }
        if !alone.is_empty() {
            groups.push(self.found(alone)?);
        }
        // The largest takes the others in: their rows are written, its own are not.
        groups.sort_by_key(|group| std::cmp::Reverse(group.keys.len()));
        let mut groups = groups.into_iter();
        let Some(mut whole) = groups.next() else { return Ok(()) };
        let mut is_parted = false;
        for mut group in groups {
            if self.has_room(&mut whole, &mut group).await? {
                self.absorb(&mut whole, group).await?;
            } else {
                is_parted = true;
            }
        }
        if is_parted {
            self.count_parted().await?;
        }
        self.save(&whole)
    }

    /// A new group of edits that belong to none.
    fn found(&mut self, bases: Vec<Base>) -> Result<Group> {
        let id = GroupId(self.options.ids.new_id());
        let mut keys = Vec::with_capacity(bases.len());
        for mut base in bases {
            base.group = Some(id.clone());
            self.save(&base)?;
            keys.push(Key(base.key));
        }
        let group = Group { id, keys };
        self.save(&group)?;
        Ok(group)
    }

    /// Whether two groups fit into one. Looks for records that left them before it says no.
    async fn has_room(&mut self, whole: &mut Group, other: &mut Group) -> Result<bool> {
        if whole.keys.len() + other.keys.len() > GROUP_MAX {
            for group in [&mut *whole, &mut *other] {
                let members = self.members(group).await?;
                group.keys = members.into_iter().map(|base| Key(base.key)).collect();
            }
        }
        Ok(whole.keys.len() + other.keys.len() <= GROUP_MAX)
    }

    async fn absorb(&mut self, whole: &mut Group, other: Group) -> Result<()> {
        for mut base in self.members(&other).await? {
            base.group = Some(whole.id.clone());
            self.save(&base)?;
            let key = Key(base.key);
            if !whole.keys.contains(&key) {
                whole.keys.push(key);
            }
        }
        self.purge(other.id.row());
        Ok(())
    }

    /// Notes that the server will not receive a transaction as a whole.
    pub(crate) async fn count_parted(&mut self) -> Result<()> {
        let mut state = self.state().await?;
        state.n_parted = state.n_parted.saturating_add(1);
        self.save(&state)
    }

    async fn group(&mut self, id: GroupId) -> Result<Group> {
        let group = self.row(&id.row()).await?;
        Ok(group.unwrap_or(Group { id, keys: Vec::new() }))
    }

    /// The edits that belong to a group and wait to be sealed.
    async fn members(&mut self, group: &Group) -> Result<Vec<Base>> {
        let keys: Vec<RecordKey> = group.keys.iter().map(|Key(key)| key.clone()).collect();
        let mut bases = self.waiting(&keys).await?;
        bases.retain(|base| base.group.as_ref() == Some(&group.id));
        Ok(bases)
    }

    /// What those of these records that wait to be sealed are based on.
    async fn waiting(&mut self, keys: &[RecordKey]) -> Result<Vec<Base>> {
        self.load(keys.iter().map(Base::key_for)).await?;
        let mut bases = Vec::with_capacity(keys.len());
        for key in keys {
            bases.extend(self.base_of(key).await?);
        }
        Ok(bases)
    }

    /// The content of these edits: a change says what was there and what is there now, and its base is kept beside it.
    async fn n_bytes(&mut self, bases: &[Base]) -> Result<usize> {
        let len = |data: Option<&Json>| data.map_or(0, |data| data.as_str().len());
        let mut n_bytes = 0usize;
        for base in bases {
            let visible = self.get(&base.key).await?;
            let (was, now) =
                (base.base.data.as_ref(), visible.as_ref().and_then(|record| record.data.as_ref()));
            n_bytes += len(was) + len(now) + now.and(was).map_or(0, |was| was.as_str().len());
        }
        Ok(n_bytes)
    }
}

fn too_large(what: &str, limit: usize) -> Error {
    let message = format!(
        "a transaction {what}, and the server carries out {limit} together at most: use several, or `import`"
    );
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Error::invalid(code::BODY_TOO_LARGE, message).with_limit(limit)
}
