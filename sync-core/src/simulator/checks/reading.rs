//! I3, I4, I5: readers of the feed, who know nothing but cursors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::View;
use super::trees::outline_of;
use crate::accounts::Role;
use crate::error::Result;
use crate::protocol::{PullPage, PullReply, PullRequest};
use crate::runtime::Runtime;
use crate::service::Actor;
use crate::simulator::facts::Facts;
use crate::simulator::journal::Journal;
use crate::simulator::network::Network;
use crate::simulator::world::World;
use crate::simulator::{Dice, Invariant, Process};
use crate::types::{ActorId, Cursor, CursorToken, Record, RecordKey, Seq, SpaceId};

/// The longest pause of a reader.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Someone who chains cursors and keeps what they are given.
#[derive(Debug)]
pub(crate) struct Reader {
    space: SpaceId,
    network: Arc<Network>,
    facts: Arc<Facts>,
    journal: Arc<Journal>,
    process: Process,
    dice: Dice,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    after: Option<CursorToken>,
    head: Seq,
    n_restores: usize,
    records: BTreeMap<RecordKey, Record>,
}

/// Starts a reader of each space.
pub(crate) fn begin(world: &mut World<'_>) {
    for space in world.spaces.clone() {
        let reader = Arc::new(Reader {
            space,
            network: Arc::clone(&world.network),
            facts: Arc::clone(&world.facts),
            journal: Arc::clone(&world.journal),
            process: world.control.clone(),
            dice: world.dice.fork(),
            held: Mutex::default(),
        });
        world.readers.push(Arc::clone(&reader));
        world.control.spawn(Box::pin(reader.read_for_ever()));
    }
}

/// Someone who may read.
pub(super) fn somebody() -> Actor {
    Actor::new(ActorId::new("reader").expect("a plain word is a valid actor"), Role::Viewer)
}

impl Reader {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_for_ever(self: Arc<Self>) {
        loop {
            self.process.sleep(self.dice.delay(PAUSE_MAX)).await;
            self.read_on().await;
            self.look_at_tree().await;
        }
    }

    /// Asks a server for the tree, so that it keeps one that must not be told of when it has become another.
    async fn look_at_tree(&self) {
        let Some(endpoint) = self.network.endpoint(usize::MAX) else { return };
        let (service, space) = (endpoint.service.clone(), self.space.clone());
        endpoint.process.call(async move { outline_of(&service, &space).await.is_ok() }).await;
    }

    /// Reads a page. Says whether there may be more.
    async fn read_on(&self) -> bool {
        let (after, n_restores) = (self.held().after.clone(), self.facts.n_restores());
        // Nobody is a device with this number: it is never turned away, and never led to a fork.
        let Some(endpoint) = self.network.endpoint(usize::MAX) else { return true };
        let request = PullRequest {
            after: after.clone(),
            limit: Some(1 + self.dice.below(5)),
            ..PullRequest::default()
        };
        let (service, space) = (endpoint.service.clone(), self.space.clone());
        let reply: Option<Result<PullReply>> =
            endpoint.process.call(async move { service.pull(&somebody(), &space, request).await }).await;
        {
            let held = &mut *self.held();
            if self.facts.n_restores() != held.n_restores {
                // The head went back. Where the reader is, is judged by the server.
                (held.head, held.n_restores) = (Seq::ZERO, self.facts.n_restores());
            }
            if held.n_restores != n_restores || held.after != after {
                return true;
            }
        }
        match reply {
            Some(Ok(PullReply::Page(page))) => self.take(page),
            Some(Ok(PullReply::ResyncRequired(resync))) => {
                self.facts.told_resync(usize::MAX, resync.reason);
                *self.held() = Held { n_restores, ..Held::default() };
                true
            }
            Some(Err(_)) | None => true,
        }
    }

    fn take(&self, page: PullPage) -> bool {
        let held = &mut *self.held();
        let seq =
            |token: &CursorToken| Cursor::decode(token, &self.space).map_or(Seq::ZERO, |cursor| cursor.seq);
        let (from, to) = (held.after.as_ref().map_or(Seq::ZERO, seq), seq(&page.cursor));
        let mut last = from;
        let is_ascending = page.changes.iter().all(|change| {
            let is_after = change.meta.version > std::mem::replace(&mut last, change.meta.version);
            is_after && change.meta.version <= to
        });
        let leads_on = to >= from && (to > from || (page.changes.is_empty() && !page.has_more));
        let is_newer = page.head >= held.head && page.head >= to;
        self.journal.expect(is_ascending && leads_on && is_newer, Invariant::Monotone, || {
            format!("a reader at {from} who saw the head at {} is given {page:?}", held.head)
        });
        (held.after, held.head) = (Some(page.cursor), page.head);
        held.records.extend(page.changes.into_iter().map(|change| (change.key.clone(), change)));
        page.has_more
    }

    /// Reads to the end.
    async fn finish(&self) {
        while self.read_on().await && !self.journal.is_broken() {
            self.process.yield_now().await;
        }
    }

    /// Compares what was read with what is there.
    fn check(&self, view: &View, who: &str) {
        let live = |records: &BTreeMap<RecordKey, Record>| -> BTreeMap<RecordKey, Seq> {
            let live = records.values().filter(|record| !record.is_deleted());
            live.map(|record| (record.key.clone(), record.meta.version)).collect()
        };
        let (read, there) = (live(&self.held().records), live(&view.records));
        self.journal.expect(read == there, Invariant::Gapless, || {
            let missing: Vec<_> =
                there.iter().filter(|(key, version)| read.get(*key) != Some(*version)).collect();
            let gone: Vec<_> = read.keys().filter(|key| !there.contains_key(*key)).collect();
            format!("{who} of {} misses {missing:?} and still has {gone:?}", self.space)
        });
    }
}

/// I3: whoever has chained cursors all the time has exactly what the server has.
pub(super) async fn a_reader_has_everything(world: &mut World<'_>, view: &View) {
    let Some(reader) = world.readers.iter().find(|reader| reader.space == view.space).cloned() else {
        return;
    };
    reader.finish().await;
    reader.check(view, "a reader who followed all the time");
}

/// I4: a reader who begins now is given each record once.
pub(super) async fn one_traversal_yields_each_record_once(world: &mut World<'_>, view: &View) {
    let Some(endpoint) = world.network.endpoint(usize::MAX) else { return };
    let (mut after, mut n, mut keys) = (None, 0usize, BTreeMap::new());
    loop {
        let request = PullRequest { after, ..PullRequest::default() };
        let (service, space) = (endpoint.service.clone(), view.space.clone());
        let reply =
            endpoint.process.call(async move { service.pull(&somebody(), &space, request).await }).await;
        let Some(Ok(PullReply::Page(page))) = reply else {
            return world.journal.broken(Invariant::Gapless, format!("a new reader is told {reply:?}"));
        };
        n += page.changes.len();
        keys.extend(page.changes.into_iter().map(|change| (change.key, change.meta.version)));
        after = Some(page.cursor);
        if !page.has_more {
            break;
        }
    }
    let is_whole = n == keys.len() && n == view.records.len();
    world.journal.expect(is_whole, Invariant::NoDuplicates, || {
        format!(
            "a new reader is given {n} rows of {} records, and there are {}",
            keys.len(),
            view.records.len()
        )
    });
}
