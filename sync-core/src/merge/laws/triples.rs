//! Where the laws get their triples from: small records, edits of them, and policies, all made from a seed.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::merge::*;

/// Each of a dozen laws draws as many: more than 100,000 triples in a plain test run, in a few seconds.
const CASES: u64 = 100_000;

pub(super) struct Source(pub(super) u64);

impl Source {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    fn name(&mut self) -> &'static str {
        self.pick(&["a", "b", "~/"])
    }

    fn scalar(&mut self) -> Value {
        self.pick(&[
            json!(null),
            json!(0),
            json!(1),
            json!(1.0),
            json!(2),
            json!(0.5),
            json!("x"),
            json!(true),
        ])
    }

    pub(super) fn array(&mut self) -> Value {
        (0..self.below(4)).map(|_| self.scalar()).collect()
    }

    pub(super) fn value(&mut self, depth: u64) -> Value {
        match self.below(8) {
            0 => self.array(),
            1..4 if depth > 0 => self.object(depth - 1),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: u64) -> Value {
        let mut members = Map::new();
        for _ in 0..self.below(4) {
            members.insert(self.name().into(), self.value(depth));
        }
        members.into()
    }

    fn record(&mut self) -> Value {
        if self.below(16) == 0 { self.value(1) } else { self.object(2) }
    }

    /// The same value after a few edits, mostly small ones.
    fn edited(&mut self, value: &Value) -> Value {
        let mut value = value.clone();
        (0..self.below(3)).for_each(|_| self.edit(&mut value));
        value
    }

    fn edit(&mut self, value: &mut Value) {
        let Some(members) = value.as_object_mut() else { return *value = self.value(1) };
        let name = self.name();
        match (self.below(4), members.get_mut(name)) {
            (0, Some(_)) => drop(members.remove(name)),
            (1 | 2, Some(member)) => self.edit(member),
            _ => drop(members.insert(name.into(), self.value(2))),
        }
    }

    pub(super) fn path(&mut self) -> Pointer {
        (0..self.below(3)).fold(Pointer::root(), |path, _| path.child(self.name()))
    }

    fn clash(&mut self) -> Clash {
        self.pick(&[Clash::Manual, Clash::ServerWins, Clash::ClientWins, Clash::LastWriteWins])
    }

    fn rule(&mut self) -> PathRule {
        let clash = PathRule::Clash(self.clash());
        let custom = PathRule::Custom(Arc::new(Pair));
        self.pick(&[clash, PathRule::Max, PathRule::Min, PathRule::Counter, PathRule::Set, custom])
    }

    fn policy(&mut self) -> CollectionPolicy {
        let clash = self.clash();
        let update = self.pick(&[UpdatePolicy::Whole(clash), UpdatePolicy::Fields(clash)]);
        let mut policy = CollectionPolicy::default().with_update(update);
        for _ in 0..self.below(3) {
            policy = policy.with_rule(self.path(), self.rule());
        }
        policy
    }
}

/// Keeps both sides, unless mine is text: then it has no answer.
struct Pair;

impl Resolver for Pair {
    fn resolve(
        &self,
        _: &Pointer,
        _: Option<&Value>,
        mine: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        (!mine.is_some_and(Value::is_string)).then(|| json!([mine, theirs]))
    }
}

#[derive(Debug)]
pub(super) struct Triple {
    pub(super) seed: u64,
    pub(super) base: Value,
    pub(super) mine: Value,
    pub(super) theirs: Value,
    pub(super) stamps: (Stamp, Stamp),
    pub(super) policy: CollectionPolicy,
}

impl Triple {
    pub(super) fn new(seed: u64) -> Self {
        let mut source = Source(seed.wrapping_mul(0xa076_1d64_78bd_642f));
        let base = source.record();
        let theirs = if source.below(16) == 0 { source.record() } else { source.edited(&base) };
        let near = if source.below(8) == 0 { &theirs } else { &base };
        let mine = source.edited(near);
        let mut stamp = || Stamp { at: source.below(2) as i64, by: source.pick(&["p", "q"]).into() };
        let stamps = (stamp(), stamp());
        Self { seed, base, mine, theirs, stamps, policy: source.policy() }
    }

    pub(super) fn merge(&self, change: Change<'_>, base: Base<'_>) -> Merge {
        self.merge_onto(&self.theirs, change, base)
    }

    pub(super) fn merge_onto(&self, theirs: &Value, change: Change<'_>, base: Base<'_>) -> Merge {
        let mine = Mine { change, base, stamp: &self.stamps.0 };
        merge(&mine, &Theirs { value: Some(theirs), stamp: &self.stamps.1 }, &self.policy)
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self.policy.update(), UpdatePolicy::Whole(_))
    }

    pub(super) fn has_rule(&self, of: impl Fn(&PathRule) -> bool) -> bool {
        self.policy.rules().any(|(_, rule)| of(rule))
    }
}

pub(super) fn hold(law: impl Fn(&Triple)) {
    let cases = std::env::var("SYNC_MERGE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    (0..cases).map(Triple::new).for_each(|triple| law(&triple));
}
