//! Validators: what the application allows to be written.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::json::Json;
use crate::mutation::Outcome;
use crate::protocol::code;
use crate::service::Actor;
use crate::types::RecordKey;

/// Bytes of a refusal that its author is told: more than anyone reads. A batch of a thousand refusals is stored with all
/// of them.
const TOLD_BYTES_MAX: usize = 1 << 10;

/// Decides whether a record may become what someone wants it to be.
///
/// It is asked in the commit, for every effect a push would have on a record of the application, with the value that
/// would be stored: a put, a patch after it was merged with what others did, a delete (`new` is `None`), the resolution
/// of a conflict. It is not asked where nothing would change, nor about the losing side of a conflict, which is kept as it
/// is. `old` is what is stored, with the earlier mutations of the same push on top; `None` when there is nothing.
///
/// It must be a pure function of what it is given: no clock, no other record, nothing that waits. All pushes to the space
/// stand still meanwhile. A panic is caught and refuses the mutation with the code `internal`.
///
/// Closures are validators:
///
/// ```
/// # use std::sync::Arc;
/// use sync_core::json::Json;
/// use sync_core::protocol::{PushReply, PushRequest};
/// use sync_core::service::{Actor, Service, rules::Refusal};
/// # use sync_core::store::MemoryStore;
/// use sync_core::{ActorId, Outcome, RecordKey, Role, SpaceId};
/// # use sync_core::TokioRuntime;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (space, me) = (SpaceId::new("family")?, Actor::new(ActorId::new("ada")?, Role::Owner));
/// let bills_only_rise = |_: &Actor, key: &RecordKey, old: Option<&Json>, new: Option<&Json>| {
///     let [old, new] = [old, new].map(|bill| bill.and_then(|bill| bill.to_value()["sum"].as_i64()));
///     if key.collection.as_str() == "bills" && new < old.max(Some(0)) {
///         return Err(Refusal::new("bill_falls", "a bill can only become higher"));
///     }
///     Ok(())
/// };
/// # let (store, runtime) = (Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
/// let service = Service::builder(store, runtime).validate(bills_only_rise).build();
/// # service.create_space(&space).await?;
/// let push = br#"{"mutations":[{"op":"put","collection":"bills","id":"1","data":{"sum":-1}}]}"#;
/// let PushReply::Done(done) = service.push(&me, &space, PushRequest::from_json(push)?).await? else { unreachable!() };
/// let told = "bill_falls: a bill can only become higher";
/// assert_eq!(done.outcomes[0], Outcome::rejected("refused_by_rule", told));
/// # Ok(()) }
/// ```
pub trait Validate: Send + Sync {
    /// Whether `actor` may make the record at `key` `new`, which is `old` now.
    ///
    /// # Errors
    ///
    /// The refusal that its author is told. The mutation, and the group it belongs to, changes nothing then.
    fn validate(
        &self,
        actor: &Actor,
        key: &RecordKey,
        old: Option<&Json>,
        new: Option<&Json>,
    ) -> Result<(), Refusal>;
}

impl<F> Validate for F
where
    F: Fn(&Actor, &RecordKey, Option<&Json>, Option<&Json>) -> Result<(), Refusal> + Send + Sync,
{
    fn validate(
        &self,
        actor: &Actor,
        key: &RecordKey,
        old: Option<&Json>,
        new: Option<&Json>,
    ) -> Result<(), Refusal> {
        self(actor, key, old, new)
    }
}

/// Why a validator says no, in the words of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs.
    pub rule: String,
    /// A sentence for people.
    pub message: String,
}

impl Refusal {
    /// A refusal by the rule of this name.
    pub fn new(rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self { rule: rule.into(), message: message.into() }
    }

    /// What the author is told.
    fn into_outcome(self) -> Outcome {
        let mut told = format!("{}: {}", self.rule, self.message);
        told.truncate(told.floor_char_boundary(TOLD_BYTES_MAX));
        Outcome::rejected(code::REFUSED_BY_RULE, told)
    }
}

/// Asks a validator.
///
/// # Errors
///
/// The outcome of a mutation that is not allowed.
pub(super) fn ask(
    validator: &dyn Validate,
    actor: &Actor,
    key: &RecordKey,
    old: Option<&Json>,
    new: Option<&Json>,
) -> Result<(), Outcome> {
    // It borrows, and what it leaves half way inside is its own.
    match catch_unwind(AssertUnwindSafe(|| validator.validate(actor, key, old, new))) {
        Ok(verdict) => verdict.map_err(Refusal::into_outcome),
        Err(_) => {
            tracing::error!(%key, "a validator has panicked");
            Err(Outcome::rejected(code::INTERNAL, "a rule of the application failed"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_application_up_to_a_limit() {
        let short = Refusal::new("closed", "the game is over").into_outcome();
        assert_eq!(short, Outcome::rejected("refused_by_rule", "closed: the game is over"));
        let Outcome::Rejected { detail, .. } = Refusal::new("long", "ü".repeat(1000)).into_outcome() else {
            panic!()
        };
        assert_eq!(detail.len(), TOLD_BYTES_MAX);
    }
}
