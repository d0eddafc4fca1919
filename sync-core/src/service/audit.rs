//! The audit log: who asked for what, and what became of it. Never what was in it.

use crate::clock::Timestamp;
use crate::mutation::Outcome;
use crate::service::lane::Job;
use crate::store::{LogEntry, LogOutcome};
use crate::types::Seq;

/// The entry for a batch; its head is filled in when the commit knows it.
pub(super) fn log_entry(entry: i64, now: Timestamp, job: &Job, outcomes: &[Outcome]) -> LogEntry {
    let listed = job.push.mutations.iter().zip(outcomes).take(LogEntry::OUTCOMES_MAX);
    let outcomes = listed.map(|(mutation, outcome)| LogOutcome {
        key: mutation.key.clone(),
        op: mutation.op.as_str().to_owned(),
        outcome: outcome.as_str().to_owned(),
        version: outcome.version(),
        code: if let Outcome::Rejected { code, .. } = outcome { Some(code.clone()) } else { None },
    });
    LogEntry {
        entry,
        at: now,
        actor: job.actor.id.clone(),
        client: job.push.batch.as_ref().map(|batch| batch.client.clone()),
        action: "push".to_owned(),
        head: Seq::ZERO,
        outcomes: outcomes.collect(),
        n_mutations: job.push.mutations.len(),
    }
}
