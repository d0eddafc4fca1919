//! Random requests to a service by clients who go on from what they were told.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::Role;
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::conformance::differential::known::{Known, Replica};
use crate::conformance::differential::request::{Reply, Request};
use crate::conformance::differential::wishes::{Wishes, any_key};
use crate::conformance::{Dice, actor, space_id};
use crate::protocol::{ClientBatch, PullRequest, PushRequest, SnapshotRequest, SnapshotToken};
use crate::service::Actor;
use crate::types::{Collection, CursorToken, MutationNumber, RecordId, RecordKey, SpaceId};

const SPACES: [&str; 2] = ["family", "family-2"];
/// The time at which a session begins, in microseconds: late enough for positions to be what they are in use.
const BEGINNING: i64 = 1_700_000_000_000_000;
/// How many of the records that a batch was about are read after it.
const LOOKED_AT: usize = 1;

/// Draws requests.
pub(super) struct Session {
    dice: Dice,
    clock: Arc<ManualClock>,
    spaces: Vec<(SpaceId, Known)>,
    /// What is asked next, because of an answer.
    follow_ups: Vec<(SpaceId, Request)>,
}

impl Session {
    /// The session of `seed`, for services that share `clock`.
    pub(super) fn new(seed: u64, clock: Arc<ManualClock>) -> Self {
        clock.set(Timestamp::from_micros(BEGINNING).unwrap_or_default());
        let spaces = SPACES.map(|name| (space_id(name), Known::new())).into();
        Self { dice: Dice::new(seed), clock, spaces, follow_ups: Vec::new() }
    }

    /// All that is left to look at, and to clear away, when a session ends.
    pub(super) fn end() -> impl Iterator<Item = (SpaceId, Request)> {
        let of = |name| [Request::Status, Request::Delete].map(|request| (space_id(name), request));
        SPACES.into_iter().flat_map(of)
    }

    /// The next request and the space it is about. Time goes on with it, and now and then backwards.
    pub(super) fn next(&mut self) -> (SpaceId, Request) {
        let dice = &self.dice;
        let (now, minutes) = (self.clock.now(), |n: u64| Duration::from_secs(n * 60));
        match dice.below(60) {
            0 | 1 => self.clock.advance(minutes(20)),
            2 => self.clock.set(now.saturating_sub(minutes(10))),
            _ => self.clock.advance(Duration::from_micros(*dice.of(&[0, 1, 999, 1_000_000]))),
        }
        if let Some(follow_up) = self.follow_ups.pop() {
            return follow_up;
        }
        let (space, known) = dice.of(&self.spaces);
        let wishes = Wishes { dice, known, now: self.clock.now() };
        // Now and then a client sends what it was given for another space.
        let cursors = if dice.one_in(40) { &dice.of(&self.spaces).1.cursors } else { &known.cursors };
        (space.clone(), wishes.request(cursors))
    }

    /// Takes in what a request has led to.
    pub(super) fn learn(&mut self, space: &SpaceId, request: &Request, reply: &Reply) {
        if let Some((_, known)) = self.spaces.iter_mut().find(|(name, _)| name == space) {
            known.learn(request, reply);
        }
        if let Request::Push(_, push) = request {
            let keys = push.mutations.iter().map(|mutation| mutation.key.clone()).take(LOOKED_AT);
            let look = |key: RecordKey| (space.clone(), Request::Record { key, with_tombstone: true });
            self.follow_ups.extend(keys.map(look));
        }
    }
}

impl Wishes<'_> {
    fn request(&self, cursors: &[CursorToken]) -> Request {
        let (dice, known) = (self.dice, self.known);
        if !known.exists && dice.one_in(3) {
            return Request::Create;
        }
        let limit = *dice.of(&[None, Some(0), Some(1), Some(3), Some(usize::MAX)]);
        let id = || dice.one_in(2).then(|| any_key(dice).id);
        match dice.below(200) {
            0 => Request::Delete,
            1 => Request::Create,
            2..90 => self.push(cursors),
            90..120 => Request::Pull(PullRequest {
                after: any(dice, cursors),
                collections: self.collections(),
                limit,
                wait: None,
                receipt: None,
            }),
            120..140 => Request::Snapshot(self.snapshot()),
            140..146 => Request::Status,
            146..154 => Request::Log { before: *dice.of(&[None, Some(0), Some(9), Some(i64::MAX)]), limit },
            154..160 => Request::Record { key: any_key(dice), with_tombstone: dice.one_in(2) },
            160..170 => Request::Records { collection: any_key(dice).collection, after: id(), limit },
            170..180 => Request::Conflicts {
                after: self.conflict().filter(|_| dice.one_in(2)),
                with_settled: dice.one_in(2),
            },
            180..192 => self.resolve(),
            _ => Request::Collect { dry_run: dice.one_in(4) },
        }
    }

    fn push(&self, cursors: &[CursorToken]) -> Request {
        let dice = self.dice;
        let replica = dice.of(&self.known.replicas);
        let after = if dice.one_in(3) { any(dice, cursors) } else { None };
        let receipt = if dice.one_in(6) { any(dice, cursors) } else { None };
        let push = match (&replica.sent, dice.below(20)) {
            (Some(sent), 0..3) => PushRequest { after, receipt, ..sent.clone() },
            (_, 3..6) => {
                PushRequest { batch: None, mutations: self.batch(MutationNumber::FIRST), after, receipt }
            }
            (_, chance) => {
                let first = self.first(replica, chance);
                let batch = Some(ClientBatch { client: replica.client.clone(), first });
                PushRequest { batch, mutations: self.batch(first), after, receipt }
            }
        };
        Request::Push(self.author(replica), push)
    }

    /// The number of the first mutation of a batch: mostly the next one.
    fn first(&self, replica: &Replica, chance: usize) -> MutationNumber {
        let sent = replica.sent.as_ref().and_then(|sent| sent.batch.as_ref());
        match (sent, chance) {
            // Of a batch that was sent already: this replica is a copy.
            (Some(sent), 6) => sent.first,
            (_, 7) => replica.next.checked_add(1 + self.dice.below(3)).unwrap_or(replica.next),
            _ => replica.next,
        }
    }

    fn author(&self, replica: &Replica) -> Actor {
        let other = |name, role| Actor::new(actor(name), role);
        match self.dice.below(40) {
            0 => other("eve", Role::Owner),
            1 => other("anna", Role::Viewer),
            _ => replica.actor.clone(),
        }
    }

    fn resolve(&self) -> Request {
        let actor = self.author(self.dice.of(&self.known.replicas));
        let Some(conflict) = any(self.dice, &self.known.conflicts) else {
            return Request::Conflicts { after: None, with_settled: true };
        };
        let seen = self.seen(&conflict.body.key);
        Request::Resolve { actor, id: conflict.id, resolution: self.resolution(), seen }
    }

    fn collections(&self) -> Option<Vec<Collection>> {
        let dice = self.dice;
        let names = (0..dice.below(5)).map(|_| any_key(dice).collection).collect();
        dice.one_in(3).then_some(names)
    }

    /// Mostly the rest of one; sometimes with a place that is none, or with other collections than it was reached with.
    fn snapshot(&self) -> SnapshotRequest {
        let begin = || SnapshotRequest { collections: self.collections(), from: None };
        let rest = any(self.dice, &self.known.snapshots).unwrap_or_else(begin);
        match self.dice.below(30) {
            0 => SnapshotRequest { from: Some(SnapshotToken::new("YQ.YQ.YQ")), ..rest },
            1 => SnapshotRequest { from: rest.from, ..begin() },
            _ => rest,
        }
    }

    fn conflict(&self) -> Option<RecordId> {
        any(self.dice, &self.known.conflicts).map(|conflict| conflict.id)
    }
}

/// One of these, if there is any; sometimes none, which stands for the beginning.
fn any<T: Clone>(dice: &Dice, all: &[T]) -> Option<T> {
    (!all.is_empty() && !dice.one_in(6)).then(|| dice.of(all).clone())
}
