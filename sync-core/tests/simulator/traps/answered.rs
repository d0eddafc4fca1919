//! Traps in what a client is told: answers that are lost, made up, or someone else's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use sync_core::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, Resync, ResyncReason, SnapshotItem, SnapshotRequest, code,
};
use sync_core::simulator::Hooks;
use sync_core::store::ClientQuery;
use sync_core::store::ClientState;
use sync_core::transport::Transport;
use sync_core::{ClientId, Cursor, CursorToken, Error, ErrorKind, Outcome, Result, SpaceId};

use super::asked::on_the_way;
use super::store::{At, StoreTrap, TrappedStore};
use super::way::{Items, TrappedWay, WayTrap, all_refused};

/// T7: what comes with the answer to a push is dropped, and its cursor is kept.
#[derive(Debug)]
pub(super) struct PageDropped;

#[async_trait]
impl WayTrap for PageDropped {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let mut reply = way.push(space, push).await?;
        if let PushReply::Done(done) = &mut reply {
            done.page.iter_mut().for_each(|page| page.changes.clear());
        }
        Ok(reply)
    }
}

/// The longest batch that the servers of a small scenario take.
const BATCH_MAX: usize = 8;

/// T10, T12: a push that fails in one way is taken for one that was refused.
#[derive(Debug)]
pub(super) struct FailureIsRefusal(pub(super) ErrorKind);

#[async_trait]
impl WayTrap for FailureIsRefusal {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        match way.push(space, push).await {
            // A batch that is too long has no answer but to split it.
            Err(error) if error.kind() == self.0 && push.mutations.len() <= BATCH_MAX => {
                Ok(all_refused(push))
            }
            reply => reply,
        }
    }
}

/// T12: whatever was refused stays at the front of the queue and holds back all that comes after it.
#[derive(Debug)]
pub(super) struct RefusalBlocks;

#[async_trait]
impl WayTrap for RefusalBlocks {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let reply = way.push(space, push).await?;
        let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Rejected { .. });
        match &reply {
            PushReply::Done(done) if done.outcomes.iter().any(is_refused) => {
                Err(Error::new(ErrorKind::Unavailable, "not all was accepted: try again"))
            }
            _ => Ok(reply),
        }
    }
}

/// T15: each page is judged by itself, and whoever has not everything yet must begin anew.
#[derive(Debug, Default)]
pub(super) struct JudgedPerPage(AtomicBool);

#[async_trait]
impl WayTrap for JudgedPerPage {
    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let reply = way.pull(space, pull).await?;
        let PullReply::Page(page) = &reply else { return Ok(reply) };
        if !self.0.swap(page.has_more, Ordering::Relaxed) {
            return Ok(reply);
        }
        let cursor = Cursor::decode(&page.cursor, space).expect("a server's own cursor");
        let (reason, epoch, floor) = (ResyncReason::Horizon, cursor.epoch, page.head);
        Ok(PullReply::ResyncRequired(Resync { reason, epoch, floor }))
    }

    fn snapshot(&self, way: &Arc<dyn Transport>, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        let stale = || Error::invalid(code::INVALID_CURSOR, "begin anew");
        if ask.from.is_some() {
            return stream::iter([Err(stale())]).boxed();
        }
        let one_page = way.snapshot(space, ask).scan(false, move |is_over, item| {
            let is_second = std::mem::replace(is_over, matches!(item, Ok(SnapshotItem::Resume(_))));
            std::future::ready(Some(if is_second { Err(stale()) } else { item }))
        });
        one_page.boxed()
    }
}

/// T16: whoever must begin anew is given the snapshot that someone else was given long ago.
#[derive(Clone, Debug, Default)]
pub(super) struct SnapshotCached(Arc<Mutex<BTreeMap<SpaceId, Vec<SnapshotItem>>>>);

impl SnapshotCached {
    pub(super) fn hooks() -> Hooks {
        let cache = Self::default();
        on_the_way(move |_place| cache.clone())
    }
}

impl WayTrap for SnapshotCached {
    fn snapshot(&self, way: &Arc<dyn Transport>, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        let cached = self.0.lock().unwrap().get(space).cloned();
        if let Some(items) = cached.filter(|_| ask.from.is_none()) {
            return stream::iter(items.into_iter().map(Ok)).boxed();
        }
        let (cache, space, is_whole) = (Arc::clone(&self.0), space.clone(), ask.from.is_none());
        let items = way.snapshot(&space, ask).scan(Vec::new(), move |seen, item| {
            seen.extend(item.as_ref().ok().filter(|item| !matches!(item, SnapshotItem::Resume(_))).cloned());
            if is_whole && matches!(item, Ok(SnapshotItem::End { .. })) {
                cache.lock().unwrap().insert(space.clone(), seen.clone());
            }
            std::future::ready(Some(item))
        });
        items.boxed()
    }
}

/// T18: a batch whose number is known is answered with what was said to that number, whatever is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberIsEnough(Arc<Mutex<BTreeMap<ClientId, [u8; 16]>>>);

impl NumberIsEnough {
    pub(super) fn hooks() -> Hooks {
        let hashes = Self::default();
        let sent = hashes.clone();
        Hooks::default()
            .server_store(move |store, _place| TrappedStore::front(store, hashes.clone()))
            .transport(move |way, _place| TrappedWay::front(way, sent.clone()))
    }
}

#[async_trait]
impl WayTrap for NumberIsEnough {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        if let Some(batch) = &push.batch {
            self.0.lock().unwrap().insert(batch.client.clone(), push.batch_hash());
        }
        way.push(space, push).await
    }
}

/// The server finds the hash of what it was just sent.
#[async_trait]
impl StoreTrap for NumberIsEnough {
    async fn clients(&self, at: &mut At, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        let mut clients = at.txn.clients(query).await?;
        let hashes = self.0.lock().unwrap();
        for client in &mut clients {
            client.batch_hash = hashes.get(&client.client).copied().unwrap_or(client.batch_hash);
        }
        Ok(clients)
    }
}

/// T20: a snapshot says that it is of the moment at which it ends.
#[derive(Debug)]
pub(super) struct SnapshotOfItsEnd;

/// Where the space stands now.
async fn newest(way: &dyn Transport, space: &SpaceId, from: CursorToken) -> Result<CursorToken> {
    let mut after = from;
    loop {
        let pull = PullRequest { after: Some(after.clone()), ..PullRequest::default() };
        match way.pull(space, &pull).await? {
            PullReply::Page(page) if page.has_more => after = page.cursor,
            PullReply::Page(page) => return Ok(page.cursor),
            PullReply::ResyncRequired(_) => return Ok(after),
        }
    }
}

impl WayTrap for SnapshotOfItsEnd {
    fn snapshot(&self, way: &Arc<dyn Transport>, space: &SpaceId, ask: &SnapshotRequest) -> Items {
        let (again, of) = (Arc::clone(way), space.clone());
        let items = way.snapshot(space, ask).then(move |item| {
            let (way, space) = (Arc::clone(&again), of.clone());
            async move {
                match item {
                    Ok(SnapshotItem::End { cursor }) => {
                        Ok(SnapshotItem::End { cursor: newest(&*way, &space, cursor).await? })
                    }
                    item => item,
                }
            }
        });
        items.boxed()
    }
}

/// T26: each page is taken for the last one, and what belongs together is seen in parts.
#[derive(Debug)]
pub(super) struct EachPageIsTheLast;

#[async_trait]
impl WayTrap for EachPageIsTheLast {
    async fn push(&self, way: &dyn Transport, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let mut reply = way.push(space, push).await?;
        if let PushReply::Done(done) = &mut reply {
            done.page.iter_mut().for_each(|page| page.has_more = false);
            // Who has everything with the first page keeps nothing to ask for the rest with.
            done.receipt = None;
        }
        Ok(reply)
    }

    async fn pull(&self, way: &dyn Transport, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let mut reply = way.pull(space, pull).await?;
        if let PullReply::Page(page) = &mut reply {
            page.has_more = false;
        }
        Ok(reply)
    }
}
