//! Random operations on a store that make sense where the memory store has come to.

use crate::conformance::differential::content::{any_client, any_collections, any_key};
use crate::conformance::differential::step::{Call, Step, make};
use crate::conformance::look::whole_feed;
use crate::conformance::{Dice, epoch, space_id};
use crate::error::{ErrorKind, Result};
use crate::store::{FeedQuery, MemoryStore, Mode, ScanQuery, SpaceHead, StoreExt, StoreTxn};
use crate::types::{Seq, SpaceId};

/// Spaces of which one is part of another's name.
const SPACES: [&str; 4] = ["a", "a-b", "ab", "family"];
/// Rows that are asked for, at both ends of the range and around the sizes that occur.
const ROWS: [usize; 7] = [0, 1, 2, 3, 10, 100, usize::MAX];
/// Bytes that are asked for.
const BYTES: [usize; 7] = [0, 1, 20, 200, 2_000, 100_000, usize::MAX];

/// Draws steps.
pub(super) struct Script {
    dice: Dice,
    /// What the steps so far have led to.
    memory: MemoryStore,
}

impl Script {
    /// The script of `seed`, whose steps are carried out on `memory`.
    pub(super) fn new(seed: u64, memory: MemoryStore) -> Self {
        Self { dice: Dice::new(seed), memory }
    }

    /// All that is left to look at, and to clear away, when a script ends.
    pub(super) fn end() -> impl Iterator<Item = Step> {
        let steps = SPACES.map(space_id).map(|space| [Step::Contents(space.clone()), Step::Delete(space)]);
        steps.into_iter().flatten()
    }

    /// The next step.
    pub(super) async fn next(&self) -> Result<Step> {
        let dice = &self.dice;
        let space = space_id(dice.word(&SPACES));
        // What a step writes is tried here first and left behind, so that its later calls can go on from it.
        let txn = match self.memory.write(&space).await {
            Ok(txn) => Some(txn),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let Some(txn) = txn else {
            let creates = dice.one_in(2);
            return if creates { Ok(self.create(space)) } else { self.elsewhere(space) };
        };
        Drawing::new(dice, space, txn).await?.step(|space| self.create(space)).await
    }

    fn create(&self, space: SpaceId) -> Step {
        Step::Create(space, epoch(u8::try_from(self.dice.below(256)).unwrap_or(0)))
    }

    /// A step for a space that is not there.
    fn elsewhere(&self, space: SpaceId) -> Result<Step> {
        let mode = *self.dice.of(&[Mode::Read, Mode::Write]);
        Ok(match self.dice.below(6) {
            0 => Step::Delete(space),
            1 => Step::Stats(space),
            2 => Step::Log { space, before: None, limit: 1 },
            3 => Step::Contents(space),
            4 => Step::Open(space),
            _ => Step::Transaction { space, mode, calls: Vec::new(), commits: true },
        })
    }
}

/// A step in the making, for a space that is there.
pub(super) struct Drawing<'a> {
    pub(super) dice: &'a Dice,
    space: SpaceId,
    pub(super) head: SpaceHead,
    /// Positions at which something is to be seen.
    versions: Vec<Seq>,
    pub(super) txn: Box<dyn StoreTxn>,
}

impl<'a> Drawing<'a> {
    async fn new(dice: &'a Dice, space: SpaceId, txn: Box<dyn StoreTxn>) -> Result<Self> {
        let mut new = Self { dice, space, head: txn.head(), versions: Vec::new(), txn };
        new.look().await?;
        Ok(new)
    }

    async fn look(&mut self) -> Result<()> {
        let feed = self.txn.feed(&whole_feed()).await?;
        self.versions = feed.records.into_iter().map(|record| record.meta.version).collect();
        Ok(())
    }

    async fn step(mut self, create: impl Fn(SpaceId) -> Step) -> Result<Step> {
        let space = self.space.clone();
        Ok(match self.dice.below(200) {
            0 => Step::Delete(space),
            1..4 => create(space),
            4..10 => Step::Spaces {
                after: self.dice.one_in(2).then(|| space_id(self.dice.word(&SPACES))),
                limit: *self.dice.of(&ROWS),
            },
            10..18 => Step::Stats(space),
            18..30 => Step::Log { space, before: self.log_position(), limit: *self.dice.of(&ROWS) },
            30..33 => Step::Contents(space),
            33..39 => Step::Open(space),
            39..55 => Step::ReadOn(self.reads()),
            55..110 => Step::Transaction { space, mode: Mode::Read, calls: self.reads(), commits: true },
            // Writing where only reading was announced.
            110..116 => match self.writing(1).await? {
                Some(calls) => Step::Transaction { space, mode: Mode::Read, calls, commits: true },
                None => Step::Delete(space),
            },
            _ => match self.writing(*self.dice.of(&[1, 1, 1, 1, 2, 3])).await? {
                Some(calls) => {
                    Step::Transaction { space, mode: Mode::Write, calls, commits: !self.dice.one_in(10) }
                }
                // Its seqs are used up.
                None => Step::Delete(space),
            },
        })
    }

    /// Calls of which so many write, each going on from the one before; `None` when there are no seqs left.
    async fn writing(&mut self, n: usize) -> Result<Option<Vec<Call>>> {
        let mut calls = self.reads();
        for _ in 0..n {
            let call =
                if self.dice.one_in(9) { Some(self.collect()) } else { self.write().await?.map(Call::Apply) };
            let Some(call) = call else { return Ok(None) };
            self.try_out(&call).await?;
            calls.push(call);
            calls.extend(self.reads());
        }
        Ok(Some(calls))
    }

    async fn try_out(&mut self, call: &Call) -> Result<()> {
        make(&mut *self.txn, call).await?;
        match call {
            Call::Apply(write) => {
                self.head.head = write.head().map_or(self.head.head, |commit| commit.last);
                self.head.log_head = write.log.last().map_or(self.head.log_head, |entry| entry.entry);
            }
            Call::Collect { floor, .. } => self.head.floor = self.head.floor.max(*floor),
            _ => {}
        }
        self.look().await
    }

    fn collect(&self) -> Call {
        Call::Collect { floor: self.position(), limit: *self.dice.of(&ROWS) }
    }

    /// A position at, before or after something.
    pub(super) fn position(&self) -> Seq {
        let (dice, head) = (self.dice, self.head.head);
        let near = match self.versions.as_slice() {
            [] => head,
            versions => *dice.of(versions),
        };
        match dice.below(12) {
            0 => Seq::ZERO,
            1 => Seq::MAX.min(head.checked_add(dice.below(3)).unwrap_or(head)),
            2 => self.head.floor,
            3 => Seq::new(near.get() - 1).unwrap_or(Seq::ZERO),
            4 => near.checked_add(1).unwrap_or(near),
            _ => near,
        }
    }

    fn log_position(&self) -> Option<i64> {
        let n_entries = usize::try_from(self.head.log_head).unwrap_or(0);
        let near = i64::try_from(self.dice.below(n_entries + 3)).unwrap_or(0);
        *self.dice.of(&[None, Some(near), Some(near), Some(i64::MAX)])
    }

    fn reads(&self) -> Vec<Call> {
        (0..self.dice.below(4)).map(|_| self.read()).collect()
    }

    fn read(&self) -> Call {
        let dice = self.dice;
        let (rows_max, bytes_max) = (*dice.of(&ROWS), *dice.of(&BYTES));
        match dice.below(6) {
            0 => Call::Records((0..dice.below(8)).map(|_| any_key(dice)).collect()),
            1 | 2 => {
                let up_to = if dice.one_in(2) { Seq::MAX } else { self.position() };
                let (after, collections) = (self.position(), any_collections(dice));
                Call::Feed(FeedQuery { after, up_to, collections, rows_max, bytes_max })
            }
            3 if dice.one_in(2) => {
                Call::ClientsAfter(dice.one_in(2).then(|| any_client(dice)), *dice.of(&ROWS))
            }
            3 => Call::Clients((0..dice.below(5)).map(|_| any_client(dice)).collect()),
            4 => Call::Commits(self.position(), *dice.of(&ROWS)),
            _ => Call::Scan(ScanQuery {
                collection: dice.one_in(2).then(|| any_key(dice).collection),
                after: dice.one_in(2).then(|| any_key(dice)),
                descending: dice.one_in(3),
                tombstones: dice.one_in(2),
                rows_max,
                bytes_max,
            }),
        }
    }
}
