//! Read scopes: which records of a space someone may know.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::conflict::Conflict;
use crate::json::Json;
use crate::service::Actor;
use crate::types::{ActorId, Collection, Record, RecordKey, RecordMeta, Tag};

/// Decides which records of a space someone may read.
///
/// The service asks wherever it would tell of a record, so what may not be read is in no page, snapshot, list, count, hash,
/// conflict, outcome or entry of the log. A record that someone could read before, or might have, and may not read any
/// more comes to them as a deletion, so that replicas drop it. Nobody is exempt, owners neither, unless the function says so.
///
/// It must be a pure function of the actor (their id and role) and the record, because the feed tells of records only when
/// they change. When an application changes what someone may read in any other way, it must give out another
/// [`edition`](Scope::edition) for them; a function of `(&Actor, &RecordKey, &Json)` that is used as a scope has only one.
/// A panic is caught and means that the record may not be read.
///
/// It is asked often: about every record that is read. [`Json::as_str`] costs nothing, [`Json::to_value`] parses.
///
/// ```
/// # use std::sync::Arc;
/// use sync_core::json::Json;
/// # use sync_core::protocol::{PullReply, PullRequest, PushRequest};
/// use sync_core::service::{Actor, Service};
/// # use sync_core::store::MemoryStore;
/// use sync_core::{ActorId, RecordKey, Role, SpaceId};
/// # use sync_core::TokioRuntime;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let actor = |name, role| Ok::<_, Box<dyn std::error::Error>>(Actor::new(ActorId::new(name)?, role));
/// # let space = SpaceId::new("school")?;
/// // Pupils see what is theirs, teachers see everything.
/// let own = |actor: &Actor, _: &RecordKey, data: &Json| {
///     actor.role == Role::Owner || data.to_value()["pupil"] == actor.id.as_str()
/// };
/// # let (store, runtime) = (Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
/// let service = Service::builder(store, runtime).scope(own).build();
/// # service.create_space(&space).await?;
/// let (teacher, ada, bob) = (actor("curie", Role::Owner)?, actor("ada", Role::Editor)?, actor("bob", Role::Editor)?);
/// let push = br#"{"mutations":[{"op":"put","collection":"marks","id":"1","data":{"pupil":"ada","mark":1}}]}"#;
/// service.push(&teacher, &space, PushRequest::from_json(push)?).await?;
/// for (reader, n_seen) in [(&teacher, 1), (&ada, 1), (&bob, 0)] {
///     let PullReply::Page(page) = service.pull(reader, &space, PullRequest::default()).await? else { unreachable!() };
///     assert_eq!(page.changes.len(), n_seen);
/// }
/// # Ok(()) }
/// ```
pub trait Scope: Send + Sync {
    /// Whether `actor` may read the record at `key` while it is `data`.
    fn may_read(&self, actor: &Actor, key: &RecordKey, data: &Json) -> bool;

    /// Changes whenever [`may_read`](Scope::may_read) would answer otherwise for `actor` and a record that has not
    /// changed. Their cursors are not good any more then, and their replicas load what they may read anew; unsent edits
    /// stay. A change of role does that by itself.
    ///
    /// It is asked once for every request, and must say the same on every server of a database.
    fn edition(&self, _actor: &Actor) -> u64 {
        0
    }
}

impl<F> Scope for F
where
    F: Fn(&Actor, &RecordKey, &Json) -> bool + Send + Sync,
{
    fn may_read(&self, actor: &Actor, key: &RecordKey, data: &Json) -> bool {
        self(actor, key, data)
    }
}

/// What one actor may know of a space.
#[derive(Clone, Copy)]
pub(in crate::service) struct View<'a> {
    pub(super) scope: Option<&'a dyn Scope>,
    pub(super) actor: &'a Actor,
}

impl View<'_> {
    /// Whose view it is.
    pub(in crate::service) fn actor(&self) -> &ActorId {
        &self.actor.id
    }

    /// Whether that is everything.
    pub(in crate::service) fn is_whole(&self) -> bool {
        self.scope.is_none()
    }

    /// Whether a record exists and may not be read.
    pub(in crate::service) fn hides(&self, record: &Record) -> bool {
        let (Some(scope), Some(data)) = (self.scope, &record.data) else { return false };
        !self.reads(scope, record, data)
    }

    /// A record as this actor may know it: as it is, as one that was deleted, or not at all.
    pub(in crate::service) fn of(&self, record: Record) -> Option<Record> {
        if self.is_whole() {
            return Some(record);
        }
        if !record.key.collection.is_delivered() {
            return None;
        }
        // Deletions look the same whatever they stand for, or they would tell which records are still there.
        if record.is_deleted() {
            return Some(removal(record));
        }
        if !self.hides(&record) {
            return Some(record);
        }
        // In its first state it was never anything else, so nobody has it but its author.
        let may_be_known = record.meta.revision > 1 || record.meta.author == self.actor.id;
        may_be_known.then(|| removal(record))
    }

    /// Records as this actor may know them, in their order.
    pub(in crate::service) fn all(&self, records: Vec<Record>) -> Vec<Record> {
        if self.is_whole() {
            return records;
        }
        records.into_iter().filter_map(|record| self.of(record)).collect()
    }

    fn reads(&self, scope: &dyn Scope, record: &Record, data: &Json) -> bool {
        match &record.key.collection {
            name if name.as_str() == Collection::CONFLICTS => self.reads_conflict(scope, record),
            // The books of a replica that keeps them in the same space.
            name if name.is_system() => false,
            _ => self.asks(scope, &record.key, data),
        }
    }

    /// A conflict shows two states of a record: whoever may read one of them only may not read the conflict. What its own
    /// author wanted is known to them.
    ///
    /// A patch holds words of a state that nobody has any more. Where it met no record, what it made is a fragment: it may
    /// lack the very fields that hide the record, or be nothing at all. Then nothing says who else may read it.
    fn reads_conflict(&self, scope: &dyn Scope, record: &Record) -> bool {
        let Ok(Some(Conflict { body, .. })) = Conflict::from_record(record) else { return false };
        let reads = |side: &serde_json::Value| {
            Json::from_value(side).is_ok_and(|data| self.asks(scope, &body.key, &data))
        };
        if !body.theirs.as_ref().is_none_or(reads) {
            return false;
        }
        let is_mine_whole = body.patch.is_none() && body.mine.is_some();
        let is_judged = body.theirs.is_some() || is_mine_whole;
        body.by == self.actor.id || (is_judged && body.mine.as_ref().is_none_or(reads))
    }

    fn asks(&self, scope: &dyn Scope, key: &RecordKey, data: &Json) -> bool {
        let asked = catch_unwind(AssertUnwindSafe(|| scope.may_read(self.actor, key, data)));
        asked.unwrap_or_else(|_| {
            tracing::error!(%key, "a scope has panicked");
            false
        })
    }

    /// By what cursors of this view are told from those of others.
    pub(in crate::service) fn mark(&self) -> ViewMark {
        let Some(scope) = self.scope else { return ViewMark::default() };
        let mut hasher = blake3::Hasher::new();
        // One that cannot be found out is another one than any that was.
        let edition = catch_unwind(AssertUnwindSafe(|| scope.edition(self.actor))).unwrap_or(u64::MAX);
        hasher.update(&edition.to_le_bytes()).update(self.actor.role.as_str().as_bytes());
        hasher.update(b"\n").update(self.actor.id.as_str().as_bytes());
        let mut mark = ViewMark::default();
        mark.0.copy_from_slice(&hasher.finalize().as_bytes()[..MARK_LEN]);
        mark
    }
}

/// All that is told of a record that is gone for someone.
fn removal(record: Record) -> Record {
    let nobody = ActorId::new("system").expect("a plain word is a valid actor");
    Record { key: record.key, data: None, meta: RecordMeta::first(record.meta.version, nobody) }
}

/// Bytes of a mark: as many of a cursor's tag are left to tell histories apart.
const MARK_LEN: usize = 8;

/// What of a cursor says through which view its reader has seen the history. All zero where everyone sees everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::service) struct ViewMark([u8; MARK_LEN]);

impl ViewMark {
    /// The tag of a cursor: the history in its first half, and the view over its second one.
    pub(in crate::service) fn on(self, tag: Tag) -> Tag {
        let mut bytes = *tag.as_bytes();
        bytes[MARK_LEN..].iter_mut().zip(self.0).for_each(|(byte, mark)| *byte ^= mark);
        Tag::from_bytes(bytes)
    }

    /// Whether the tag of a cursor is of a history, whatever its reader saw of it.
    pub(in crate::service) fn is_same_history(tag: Tag, of_cursor: Tag) -> bool {
        tag.as_bytes()[..MARK_LEN] == of_cursor.as_bytes()[..MARK_LEN]
    }
}
