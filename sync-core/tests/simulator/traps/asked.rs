//! Traps in what a client asks: mutations that are not what they should be, and requests that never end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Map, Value};
use sync_core::json::Json;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest};
use sync_core::simulator::{Dice, Hooks, Place};
use sync_core::store::CommitWrite;
use sync_core::transport::Transport;
use sync_core::{
    Cursor, CursorToken, Error, ErrorKind, Mutation, Op, Outcome, Record, RecordKey, Result, Seq, SpaceId,
    Tag, Version,
};

use super::replica_store::is_answered;
use super::store::{At, StoreTrap, TrappedStore};
use super::way::{ServerStore, TrappedWay, WayTrap};

/// Hooks that put a trap between each replica and the network.
pub(super) fn on_the_way<T: WayTrap>(trap: impl Fn(&Place) -> T + Send + Sync + 'static) -> Hooks {
    Hooks::default().transport(move |way, place| TrappedWay::front(way, trap(place)))
}

/// The same batch with other mutations.
fn with(push: &PushRequest, change: impl FnMut(Mutation) -> Mutation) -> PushRequest {
    PushRequest { mutations: push.mutations.iter().cloned().map(change).collect(), ..push.clone() }
}

/// T5: a batch is refused whole when someone else has changed one of its records since its author has pulled.
#[derive(Debug)]
pub(super) struct PullFirst;

#[async_trait]
impl WayTrap for PullFirst {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let client = push.batch.as_ref().map(|batch| &batch.client);
        let mut after = push.after.clone();
        while after.is_some() {
            let pull = PullRequest { after, ..PullRequest::default() };
            let PullReply::Page(page) = way.pull(space, &pull).await? else { break };
            let is_theirs = page.changes.iter().any(|change| {
                change.meta.client.as_ref() != client && push.mutations.iter().any(|m| m.key == change.key)
            });
            if is_theirs {
                return Err(Error::new(ErrorKind::Unavailable, "what you push has changed: pull first"));
            }
            after = Some(page.cursor).filter(|_| page.has_more);
        }
        way.push(space, push).await
    }
}

/// T8: a client never learns which version its own write became, and goes on from the one before.
#[derive(Debug)]
pub(super) struct VersionNotLearned {
    device: usize,
    bases: Arc<Mutex<Bases>>,
}

/// What a version was based on, by device, record and version.
type Bases = BTreeMap<(usize, RecordKey, Version), Option<Version>>;

impl VersionNotLearned {
    pub(super) fn hooks() -> Hooks {
        let bases: Arc<Mutex<Bases>> = Arc::default();
        on_the_way(move |place| Self { device: place.number, bases: Arc::clone(&bases) })
    }
}

#[async_trait]
impl WayTrap for VersionNotLearned {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let of = |key: &RecordKey, version: Version| (self.device, key.clone(), version);
        let sent = with(push, |mutation| {
            // Who decides about a conflict has looked.
            let base = mutation.base_version.filter(|_| mutation.resolves.is_none());
            let base =
                base.and_then(|base| self.bases.lock().unwrap().get(&of(&mutation.key, base)).copied());
            Mutation { base_version: base.unwrap_or(mutation.base_version), ..mutation }
        });
        let reply = way.push(space, &sent).await?;
        if let PushReply::Done(done) = &reply {
            for (mutation, outcome) in sent.mutations.iter().zip(&done.outcomes) {
                if let Outcome::Applied { version, .. } = outcome {
                    self.bases.lock().unwrap().insert(of(&mutation.key, *version), mutation.base_version);
                }
            }
        }
        Ok(reply)
    }
}

/// What was made of a batch: it must be the same when the batch is sent again.
#[derive(Clone, Debug)]
pub(super) struct Rebased {
    server: ServerStore,
    sent: Arc<Mutex<BTreeMap<[u8; 16], PushRequest>>>,
    /// What a mutation is based on, given what is there.
    base: fn(&Mutation, Option<&Record>) -> Option<Version>,
}

impl Rebased {
    fn hooks(base: fn(&Mutation, Option<&Record>) -> Option<Version>) -> Hooks {
        let rebased = Self { server: ServerStore::default(), sent: Arc::default(), base };
        let hooks = rebased.server.watched();
        hooks.transport(move |way, _place| TrappedWay::front(way, rebased.clone()))
    }

    /// T14: an edit of a record whose tombstone was collected is taken for the first one of a record.
    pub(super) fn as_new_where_nothing_is_left() -> Hooks {
        Self::hooks(|mutation, there| match there {
            None => mutation.base_version.and(Some(Version::ZERO)),
            Some(_) => mutation.base_version,
        })
    }

    /// T21: a delete says that it has seen whatever is there.
    pub(super) fn on_what_is_there_to_delete() -> Hooks {
        Self::hooks(|mutation, there| match there {
            Some(record) if mutation.op == Op::Delete => mutation.base_version.and(Some(record.meta.version)),
            _ => mutation.base_version,
        })
    }

    async fn rebased(&self, space: &SpaceId, push: &PushRequest) -> Result<PushRequest> {
        if let Some(sent) = self.sent.lock().unwrap().get(&push.batch_hash()).cloned() {
            return Ok(PushRequest { after: push.after.clone(), ..sent });
        }
        let mut sent = push.clone();
        for mutation in &mut sent.mutations {
            // Who decides about a conflict has looked.
            if mutation.resolves.is_none() {
                let key = std::slice::from_ref(&mutation.key);
                let there = async { self.server.read(space).await?.records(key).await };
                let there = self.server.in_time(there).await?.pop().flatten();
                mutation.base_version = (self.base)(mutation, there.as_ref());
            }
        }
        self.sent.lock().unwrap().insert(push.batch_hash(), sent.clone());
        Ok(sent)
    }
}

#[async_trait]
impl WayTrap for Rebased {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        way.push(space, &self.rebased(space, push).await?).await
    }
}

/// T17: a server gives each cursor the tag that its own history has at that place, and asks for no other proof.
#[derive(Clone, Debug, Default)]
pub(super) struct Believed(ServerStore);

impl Believed {
    pub(super) fn hooks() -> Hooks {
        let believed = Self::default();
        let hooks = believed.0.watched();
        hooks.transport(move |way, _place| TrappedWay::front(way, believed.clone()))
    }

    async fn believed(&self, space: &SpaceId, after: Option<&CursorToken>) -> Result<Option<CursorToken>> {
        let Some(mut cursor) = after.and_then(|after| Cursor::decode(after, space).ok()) else {
            return Ok(after.cloned());
        };
        let there = async {
            let mut txn = self.0.read(space).await?;
            Ok((txn.head(), txn.commits(cursor.seq, 1).await?.pop()))
        };
        let (head, commit) = self.0.in_time(there).await?;
        // What is ahead of its head it does not know.
        if cursor.seq > head.head {
            return Ok(after.cloned());
        }
        let commit = commit.filter(|_| cursor.seq > Seq::ZERO);
        (cursor.epoch, cursor.tag) = (head.epoch, commit.map_or(Tag::ZERO, |commit| commit.tag));
        cursor.seen = cursor.seq;
        Ok(Some(cursor.encode(space)))
    }
}

#[async_trait]
impl WayTrap for Believed {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let after = self.believed(space, push.after.as_ref()).await?;
        way.push(space, &PushRequest { after, receipt: None, ..push.clone() }).await
    }

    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let after = self.believed(space, pull.after.as_ref()).await?;
        way.pull(space, &PullRequest { after, receipt: None, ..pull.clone() }).await
    }
}

/// T25: an old client writes whole records, of what it knows of them.
#[derive(Clone, Debug, Default)]
pub(super) struct OldClient(Arc<Mutex<BTreeMap<(RecordKey, Version), Json>>>);

impl OldClient {
    /// Which device has not been updated, and what its old version edits.
    const DEVICE: usize = 0;
    const COLLECTION: &'static str = "notes";

    pub(super) fn hooks() -> Hooks {
        let old = Self::default();
        let written = old.clone();
        Hooks::default()
            .replica_store(move |store, _place| TrappedStore::front(store, written.clone()))
            .transport(move |way, place| match place.number {
                Self::DEVICE => TrappedWay::front(way, old.clone()),
                _ => way,
            })
    }
}

/// What is left of a record when only the members that a patch touches are known.
fn known_members(mutation: Mutation) -> Mutation {
    let is_old = mutation.key.collection.as_str() == OldClient::COLLECTION;
    let Op::Patch(patch) = &mutation.op else { return mutation };
    let known = patch.apply(Some(&Value::Object(Map::new()))).filter(|_| is_old);
    let known = known.and_then(|known| Json::from_value(&known).ok());
    known.map_or(mutation.clone(), |known| Mutation { op: Op::Put(known), ..mutation })
}

#[async_trait]
impl WayTrap for OldClient {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let sent = with(push, known_members);
        let reply = way.push(space, &sent).await?;
        let PushReply::Done(done) = &reply else { return Ok(reply) };
        let mut written = self.0.lock().unwrap();
        for ((asked, sent), outcome) in push.mutations.iter().zip(sent.mutations).zip(&done.outcomes) {
            if let (Op::Patch(_), Op::Put(data), Outcome::Applied { version, .. }) =
                (&asked.op, sent.op, outcome)
            {
                written.insert((asked.key.clone(), *version), data);
            }
        }
        drop(written);
        Ok(reply)
    }
}

/// The client itself knows no more than it writes.
#[async_trait]
impl StoreTrap for OldClient {
    async fn apply(&self, at: &mut At, mut write: CommitWrite) -> Result<()> {
        let is_answered = is_answered(&write);
        for record in write.records.iter_mut().filter(|record| is_answered && !record.is_deleted()) {
            let written = self.0.lock().unwrap().remove(&(record.key.clone(), record.meta.upstream));
            record.data = written.or(record.data.take());
        }
        at.txn.apply(&write).await
    }
}

/// T27: now and then nobody answers and the connection does not break, and who waits has no deadline.
#[derive(Debug)]
pub(super) struct HalfOpen(Dice);

impl HalfOpen {
    const PER_MILLE: u32 = 30;

    pub(super) fn hooks() -> Hooks {
        on_the_way(|place| Self(place.dice.fork()))
    }

    async fn may_hang(&self) {
        if self.0.chance(Self::PER_MILLE) {
            std::future::pending().await
        }
    }
}

#[async_trait]
impl WayTrap for HalfOpen {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.may_hang().await;
        way.push(space, push).await
    }

    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.may_hang().await;
        way.pull(space, pull).await
    }
}
