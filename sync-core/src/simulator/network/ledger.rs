//! The ledger: what the servers decided, taken down at the moment at which they said so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::mutation::{Mutation, Op, Outcome};
use crate::protocol::{PushReply, PushRequest, code};
use crate::simulator::journal::Journal;
use crate::simulator::{History, Invariant};
use crate::types::{ClientId, RecordKey, SpaceId, Version};

/// What the servers of one life of the data have decided.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Clone, Debug, Default)]
struct Entries {
    /// The answer to each batch, by replica and first number.
    batches: BTreeMap<BatchName, Decided>,
    /// Who wrote a version.
    writers: BTreeMap<(SpaceId, Version), (BatchName, usize)>,
    /// The newest acknowledged version of each record.
    acked: BTreeMap<(SpaceId, RecordKey), Version>,
    /// How often each batch arrived.
    arrivals: BTreeMap<(ClientId, i64, [u8; 16]), u32>,
}

type BatchName = (ClientId, i64);

#[derive(Clone, Debug)]
struct Decided {
    hash: [u8; 16],
    outcomes: String,
}

/// A batch that a server has carried out, for whoever wants to know more of it.
pub(crate) struct CarriedOut<'a> {
    pub(crate) mutations: &'a [Mutation],
    pub(crate) outcomes: &'a [Outcome],
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same ledger, which from now on goes its own way: that of a backup or a fork.
    pub(crate) fn branch(&self) -> Self {
        Self(Mutex::new(self.entries().clone()))
    }

    /// The newest acknowledged versions.
    pub(crate) fn acked(&self) -> BTreeMap<(SpaceId, RecordKey), Version> {
        self.entries().acked.clone()
    }

    /// A batch has arrived.
    pub(crate) fn arrived(&self, push: &PushRequest) {
        if let Some(batch) = &push.batch {
            let name = (batch.client.clone(), batch.first.get(), push.batch_hash());
            *self.entries().arrivals.entry(name).or_default() += 1;
        }
    }

    /// Takes down the answer to a batch, and compares it with what was said and stored before.
    pub(crate) fn answered<'a>(
        &self,
        journal: &Journal,
        history: &History,
        space: &SpaceId,
        push: &'a PushRequest,
        reply: &'a Result<PushReply>,
    ) -> Option<CarriedOut<'a>> {
        let (Some(batch), Ok(PushReply::Done(done))) = (&push.batch, reply) else { return None };
        let name = (batch.client.clone(), batch.first.get());
        let hash = push.batch_hash();
        let entries = &mut *self.entries();
        let n_arrivals = entries.arrivals.get(&(name.0.clone(), name.1, hash)).copied().unwrap_or(0);
        let outcomes = serde_json::to_string(&done.outcomes).unwrap_or_default();
        if let Some(before) = entries.batches.get(&name) {
            let is_same = before.hash == hash && before.outcomes == outcomes;
            journal.expect(is_same, Invariant::ExactlyOnce, || {
                format!("batch {name:?} was answered with {} and now with {outcomes}", before.outcomes)
            });
        }
        entries.batches.insert(name.clone(), Decided { hash, outcomes });
        for (idx, (mutation, outcome)) in push.mutations.iter().zip(&done.outcomes).enumerate() {
            entries.note(journal, space, (&name, idx), mutation, outcome);
            check_stored(journal, history, space, outcome, n_arrivals);
        }
        Some(CarriedOut { mutations: &push.mutations, outcomes: &done.outcomes })
    }
}

impl Entries {
    fn note(
        &mut self,
        journal: &Journal,
        space: &SpaceId,
        (name, idx): (&BatchName, usize),
        mutation: &Mutation,
        outcome: &Outcome,
    ) {
        if let Outcome::Applied { version, .. } = outcome {
            let writer = (name.clone(), idx);
            let first = self.writers.entry((space.clone(), *version)).or_insert_with(|| writer.clone());
            journal.expect(*first == writer, Invariant::ExactlyOnce, || {
                format!("version {version} was given to {first:?} and to {writer:?}")
            });
        }
        if let Some(version) = outcome.version() {
            let acked = self.acked.entry((space.clone(), mutation.key.clone())).or_default();
            *acked = version.max(*acked);
        }
    }
}

/// What is acknowledged must be on the disk, and whoever acknowledges must know that it is.
fn check_stored(journal: &Journal, history: &History, space: &SpaceId, outcome: &Outcome, n_arrivals: u32) {
    let Some(version) = outcome.version().filter(|version| *version > Version::ZERO) else { return };
    match history.commit_of(space, version) {
        None => journal.broken(
            Invariant::Durable,
            format!("version {version} is acknowledged, and no commit on the disk wrote it"),
        ),
        // Whoever repeats a batch may be told what an earlier commit did, and reading it says that it is there.
        Some(false) if n_arrivals < 2 && matches!(outcome, Outcome::Applied { .. }) => journal.broken(
            Invariant::FailClosed,
            format!("version {version} is acknowledged, and the store had not said that it is there"),
        ),
        Some(_) => {}
    }
}

/// What was refused, as it is set aside: the mutation and the reason.
pub(crate) fn refusals(push: &PushRequest, reply: &Result<PushReply>) -> BTreeSet<String> {
    let outcomes = match reply {
        Ok(PushReply::Done(done)) => &done.outcomes,
        Ok(_) => return BTreeSet::new(),
        Err(error) => return refused_whole(push, error),
    };
    let refused = push.mutations.iter().zip(outcomes).filter_map(|(mutation, outcome)| {
        let code = match outcome {
            Outcome::Rejected { code, .. } => code,
            Outcome::Superseded => "superseded",
            Outcome::Conflict { .. } if mutation.resolves.is_some() => code::VERSION_CONFLICT,
            _ => return None,
        };
        Some(refusal(mutation, code))
    });
    refused.collect()
}

fn refused_whole(push: &PushRequest, error: &Error) -> BTreeSet<String> {
    let (ErrorKind::Invalid, Some(code)) = (error.kind(), error.code()) else { return BTreeSet::new() };
    push.mutations.iter().map(|mutation| refusal(mutation, code)).collect()
}

/// How a refusal is looked up.
pub(crate) fn refusal(mutation: &Mutation, code: &str) -> String {
    format!("{code} {}", mutation.to_json())
}

/// The records that a batch has deleted for sure.
pub(crate) fn deleted<'a>(done: &'a CarriedOut<'_>) -> impl Iterator<Item = &'a RecordKey> {
    let pairs = done.mutations.iter().zip(done.outcomes);
    let deleted = pairs.filter(|(mutation, outcome)| {
        mutation.op == Op::Delete && matches!(outcome, Outcome::Applied { .. })
    });
    deleted.map(|(mutation, _)| &mutation.key)
}
