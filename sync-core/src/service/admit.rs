//! Whether a batch is the next one of its replica: what makes a push happen exactly once.

use std::cmp::Ordering;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PushReply, code};
use crate::service::lane::Job;
use crate::store::ClientState;
use crate::types::MutationNumber;

/// What to do with a batch.
#[derive(Debug)]
pub(super) enum Admission {
    /// Carry it out.
    Next,
    /// It was carried out before: this is the stored answer.
    Again(String),
    /// Nothing: this is the answer.
    Refused(Result<PushReply>),
}

/// Compares the numbers of a batch with what is known of its replica, if anything is.
///
/// A batch without numbers, or without mutations, has nothing to be told apart by.
pub(super) fn admit(job: &Job, known: Option<&ClientState>) -> Admission {
    let Some(batch) = job.push.batch.as_ref().filter(|_| !job.push.mutations.is_empty()) else {
        return Admission::Next;
    };
    if known.is_some_and(|state| state.actor != job.actor.id) {
        let error = Error::new(ErrorKind::Forbidden, "this client id belongs to someone else");
        return Admission::Refused(Err(error.with_code(code::FORBIDDEN_CLIENT)));
    }
    let expected = known.map_or(Some(MutationNumber::FIRST), |state| state.last.checked_add(1));
    let exhausted = || {
        let message = "this replica has used up its numbers";
        Admission::Refused(Err(Error::invalid(code::VERSION_EXHAUSTED, message)))
    };
    let Some(expected) = expected else { return exhausted() };
    match (batch.first.cmp(&expected), known) {
        (Ordering::Equal, _) if batch.first.checked_add(job.push.mutations.len()).is_none() => exhausted(),
        (Ordering::Equal, _) => Admission::Next,
        (Ordering::Greater, _) => Admission::Refused(Ok(PushReply::MutationGap { expected })),
        (Ordering::Less, Some(state)) if job.batch_hash == state.batch_hash => {
            Admission::Again(state.answer.clone())
        }
        (Ordering::Less, _) => Admission::Refused(Ok(PushReply::ClientForked)),
    }
}
