//! One mutation against one record: what must happen. Pure, and the only place where it is decided.

use crate::clock::Timestamp;
use crate::json::Json;
use crate::merge::{
    self, Base, Change, Clash, CollectionPolicy, Loss, Merge, Mine, Pointer, Stamp, Theirs, UpdatePolicy,
    merge,
};
use crate::mutation::{Mutation, Op};
use crate::protocol::code;
use crate::service::tree_op::{self, OpFacts};
use crate::types::{Record, Seq};

/// What must happen to a record because of a mutation.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// It is like that already.
    Unchanged,
    /// This is its state from now on.
    Write {
        data: Option<Json>,
        /// Whether its author has to be told what it is.
        merged: bool,
        lost: Vec<Loss>,
    },
    /// A policy kept what is stored.
    Keep { lost: Vec<Loss> },
    /// A person must decide.
    Conflict { paths: Vec<Pointer> },
    /// It is refused.
    Reject { code: &'static str, detail: String },
}

/// What a decision depends on besides the mutation and the record.
pub(super) struct Facts<'a> {
    pub(super) policy: &'a CollectionPolicy,
    /// Who made the mutation and when.
    pub(super) stamp: Stamp,
    /// Tombstones at or below it may be gone.
    pub(super) floor: Seq,
    /// Later dates than this are not believed.
    pub(super) latest: Timestamp,
    /// What is known of the tree, where the record is an op.
    pub(super) op: Option<OpFacts>,
}

fn reject(code: &'static str, detail: &str) -> Decision {
    Decision::Reject { code, detail: detail.to_owned() }
}

/// Decides what a mutation does to a record. `current` is its latest state or tombstone, `None` if it never was.
pub(super) fn decide(mutation: &Mutation, current: Option<&Record>, facts: &Facts<'_>) -> Decision {
    // Its date decides nothing about an op, and those that build on it could not wait for another one.
    if let Some(facts) = &facts.op {
        return tree_op::decide(mutation, current, facts);
    }
    if mutation.at.is_some_and(|at| at > facts.latest) {
        return reject(
            code::CLOCK_DRIFT,
            "the author's clock is more than five minutes ahead of the server's",
        );
    }
    if mutation.key.collection.is_system() {
        return dismiss(mutation, current);
    }
    match current {
        None => absent(mutation, facts.floor),
        Some(record) => present(mutation, record, facts),
    }
}

/// A record of the library itself, which is a conflict: clients may make it go, and nothing else.
///
/// It is never merged, so nothing is lost over it: a conflict about a conflict would help no one.
fn dismiss(mutation: &Mutation, current: Option<&Record>) -> Decision {
    match (&mutation.op, current) {
        (Op::Delete, Some(record)) if !record.is_deleted() => {
            Decision::Write { data: None, merged: false, lost: Vec::new() }
        }
        (Op::Delete, _) => Decision::Unchanged,
        _ => {
            reject(code::VALIDATION_FAILED, "of the library's own records, clients may only delete conflicts")
        }
    }
}

/// The record never was, or its tombstone was collected.
fn absent(mutation: &Mutation, floor: Seq) -> Decision {
    match (&mutation.op, mutation.base_version) {
        (Op::Delete, _) => Decision::Unchanged,
        // It was deleted so long ago that nothing is left of it; what is left of the edit must not bring it back.
        (_, Some(base)) if base > Seq::ZERO && base <= floor => {
            Decision::Conflict { paths: vec![Pointer::root()] }
        }
        (_, Some(base)) if base > Seq::ZERO => never_had(),
        (Op::Put(data), _) => Decision::Write { data: Some(data.clone()), merged: false, lost: Vec::new() },
        (Op::Patch(_), _) => needs_content(),
    }
}

fn present(mutation: &Mutation, record: &Record, facts: &Facts<'_>) -> Decision {
    let wanted = match &mutation.op {
        Op::Put(data) => Some(Some(data)),
        Op::Delete => Some(None),
        Op::Patch(_) => None,
    };
    if wanted.is_some_and(|wanted| wanted == record.data.as_ref()) {
        return Decision::Unchanged;
    }
    let version = record.meta.version;
    match (mutation.base_version, wanted) {
        (Some(base), _) if base > version => never_had(),
        (Some(base), Some(data)) if base == version => {
            Decision::Write { data: data.cloned(), merged: false, lost: Vec::new() }
        }
        (None, Some(data)) if !record.is_deleted() && !may_be_blind(data, facts.policy) => reject(
            code::PRECONDITION_REQUIRED,
            "the record exists: say in base_version which version you saw",
        ),
        _ => concurrent(mutation, record, facts),
    }
}

/// The general case: parses both sides and merges them.
fn concurrent(mutation: &Mutation, record: &Record, facts: &Facts<'_>) -> Decision {
    let theirs = record.data.as_ref().map(Json::to_value);
    let put = if let Op::Put(data) = &mutation.op { Some(data.to_value()) } else { None };
    let change = match (&mutation.op, &put) {
        (Op::Patch(patch), _) => Change::Patch(patch),
        (_, Some(value)) => Change::Put(value),
        (_, None) => Change::Delete,
    };
    let base = match mutation.base_version {
        Some(base) if base == record.meta.version => Base::Current,
        Some(Seq::ZERO) => Base::Absent,
        None if record.is_deleted() => Base::Absent,
        // Who replaces without looking, where what arrives wins anyway, is not in conflict with anyone. A patch says
        // what its author saw, so it is merged by that.
        None if winner(facts.policy) == Clash::ClientWins && !matches!(change, Change::Patch(_)) => {
            Base::Current
        }
        Some(_) | None => Base::Older,
    };
    let their_stamp = stamp_of(record);
    let mine = Mine { change, base, stamp: &facts.stamp };
    let merged = merge(&mine, &Theirs { value: theirs.as_ref(), stamp: &their_stamp }, facts.policy);
    let author_knows = matches!(base, Base::Current);
    match merged {
        Merge::Unchanged => Decision::Unchanged,
        Merge::Conflict { paths } => Decision::Conflict { paths },
        Merge::NeedsContent => needs_content(),
        Merge::Merged { value, lost } if is_same(value.as_ref(), theirs.as_ref()) => Decision::Keep { lost },
        Merge::Merged { value, lost } => {
            let as_asked = put.is_some() && is_same(value.as_ref(), put.as_ref());
            let merged = !lost.is_empty() || !(author_knows || as_asked || value.is_none());
            write(value.as_ref(), merged, lost)
        }
    }
}

fn write(value: Option<&serde_json::Value>, merged: bool, lost: Vec<Loss>) -> Decision {
    match value.map(Json::from_value).transpose() {
        Ok(data) => Decision::Write { data, merged, lost },
        Err(error) => Decision::Reject { code: code::VALIDATION_FAILED, detail: error.to_string() },
    }
}

fn is_same(a: Option<&serde_json::Value>, b: Option<&serde_json::Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => merge::same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// When and by whom the stored state was made.
fn stamp_of(record: &Record) -> Stamp {
    let by = record.meta.client.as_ref().map_or(record.meta.author.as_str(), |client| client.as_str());
    Stamp { at: record.meta.edited_at.as_micros(), by: by.to_owned() }
}

/// Whether a write that does not say what it saw may replace what is there: only where the policy can let it win.
fn may_be_blind(data: Option<&Json>, policy: &CollectionPolicy) -> bool {
    match winner(policy) {
        Clash::ClientWins => true,
        // Between a delete and an update it is not the later one that wins.
        Clash::LastWriteWins => data.is_some(),
        Clash::Manual | Clash::ServerWins => false,
    }
}

fn winner(policy: &CollectionPolicy) -> Clash {
    let (UpdatePolicy::Whole(clash) | UpdatePolicy::Fields(clash)) = policy.update();
    clash
}

fn never_had() -> Decision {
    reject(code::VERSION_OUT_OF_RANGE, "base_version names a version that the record never had")
}

fn needs_content() -> Decision {
    reject(code::CONTENT_NEEDED, "the record is gone: send the whole record to bring it back")
}

#[cfg(test)]
mod tests;
