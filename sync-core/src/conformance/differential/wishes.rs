//! Random mutations by clients who have seen some of a space, and not always the latest of it.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::conflict::Conflict;
use crate::conflict::Resolution;
use crate::conformance::differential::content::{content, tree};
use crate::conformance::differential::known::Known;
use crate::conformance::differential::request::COLLECTIONS;
use crate::conformance::{Dice, key};
use crate::json::Json;
use crate::merge::diff;
use crate::mutation::{Mutation, Op};
use crate::types::{MutationNumber, Record, RecordKey, Seq};

/// Few records, so that clients meet.
const IDS: [&str; 6] = ["1", "a", "A", "ä", "\u{fffd}", "\u{10000}"];
/// Members that clients fight for.
const FIELDS: [&str; 6] = ["n", "tags", "best", "title", "ä", ""];

/// Someone who wishes for changes of one space.
pub(super) struct Wishes<'a> {
    pub(super) dice: &'a Dice,
    pub(super) known: &'a Known,
    pub(super) now: Timestamp,
}

/// The key of a record that a client may write.
pub(super) fn any_key(dice: &Dice) -> RecordKey {
    key(dice.word(&COLLECTIONS), dice.word(&IDS))
}

impl Wishes<'_> {
    /// The mutations of a batch, of which the first has the number `first`.
    pub(super) fn batch(&self, first: MutationNumber) -> Vec<Mutation> {
        let dice = self.dice;
        let n = if dice.one_in(60) { 13 } else { dice.below(6) };
        let mut batch: Vec<Mutation> = (0..n).map(|_| self.mutation()).collect();
        if dice.one_in(4) && n > 0 {
            let (from, name) = (dice.below(n), dice.word(&["g", "G", "日本"]));
            let group = batch.iter_mut().skip(from).take(1 + dice.below(3));
            group.for_each(|mutation| mutation.group = Some(name.to_owned()));
        }
        if dice.one_in(4) && n > 0 {
            // Mostly one that comes earlier, as it must be.
            let (held_back, by) = (dice.below(n), dice.below(n));
            batch[held_back.max(by)].after = first.checked_add(held_back.min(by));
        }
        batch
    }

    fn mutation(&self) -> Mutation {
        let conflicts = &self.known.conflicts;
        if !conflicts.is_empty() && self.dice.one_in(8) {
            let conflict = self.dice.of(conflicts);
            return if self.dice.one_in(3) {
                Mutation::delete(Conflict::key(conflict.id.clone())).based_on(conflict.version)
            } else {
                self.resolution()
                    .into_mutation(conflict, self.seen(&conflict.body.key))
                    .unwrap_or_else(|_| self.edit())
            };
        }
        self.edit()
    }

    /// A decision about a conflict.
    pub(super) fn resolution(&self) -> Resolution {
        match self.dice.below(4) {
            0 => Resolution::TakeMine,
            1 => Resolution::TakeTheirs,
            2 => Resolution::Merged(None),
            _ => Resolution::Merged(Some(tree(self.dice))),
        }
    }

    /// The version of a record that someone has seen, if they say so.
    pub(super) fn seen(&self, key: &RecordKey) -> Option<Seq> {
        let seen = self.known.state(key, self.dice).map(|record| record.meta.version);
        seen.filter(|_| !self.dice.one_in(4))
    }

    fn edit(&self) -> Mutation {
        let (dice, key) = (self.dice, any_key(self.dice));
        let seen = self.known.state(&key, dice);
        let before = seen.and_then(|record| record.data.as_ref()).map(Json::to_value);
        let op = match dice.below(10) {
            0 | 1 => Op::Delete,
            2 => Op::Put(content(dice)),
            3..6 => Op::Patch(diff(before.as_ref(), &self.revised(before.as_ref()))),
            _ => {
                let revised = Json::from_value(&self.revised(before.as_ref()));
                Op::Put(revised.expect("a few small members more stay within the limits"))
            }
        };
        Mutation { base_version: self.base(seen), at: self.time(), ..Mutation::new(key, op) }
    }

    /// The record with a member or two changed, so that there is something to merge.
    fn revised(&self, before: Option<&Value>) -> Value {
        let mut value = before
            .filter(|value| value.is_object())
            .cloned()
            .unwrap_or_else(|| Value::Object(Default::default()));
        if let Some(members) = value.as_object_mut() {
            for _ in 0..=self.dice.below(2) {
                let field = self.dice.word(&FIELDS);
                if self.dice.one_in(6) {
                    members.remove(field);
                } else {
                    members.insert(field.to_owned(), self.member(field));
                }
            }
        }
        value
    }

    fn member(&self, field: &str) -> Value {
        let number = || Value::from(self.dice.below(9));
        match field {
            "n" | "best" if !self.dice.one_in(8) => number(),
            "tags" if !self.dice.one_in(8) => (0..self.dice.below(4)).map(|_| number()).collect(),
            _ => tree(self.dice).to_value(),
        }
    }

    fn base(&self, seen: Option<&Record>) -> Option<Seq> {
        let version = seen.map(|record| record.meta.version);
        match self.dice.below(20) {
            0 | 1 => None,
            2 => Some(Seq::ZERO),
            3 => Some(Seq::MAX),
            4 => version.and_then(|version| Seq::new(version.get() - 1).ok()),
            _ => Some(version.unwrap_or(Seq::ZERO)),
        }
    }

    /// When it was done, by a clock that may be wrong.
    fn time(&self) -> Option<Timestamp> {
        let by = Duration::from_secs(*self.dice.of(&[0, 1, 60, 290]));
        match self.dice.below(16) {
            0 => Some(self.now.saturating_add(Duration::from_secs(3_600))),
            1 => Some(Timestamp::ZERO),
            2..5 => Some(self.now.saturating_add(by)),
            5..8 => Some(self.now.saturating_sub(by)),
            _ => None,
        }
    }
}
