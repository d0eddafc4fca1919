//! A mutation that settles a conflict.

use crate::conflict::Conflict;
use crate::error::Result;
use crate::mutation::{Mutation, Outcome};
use crate::protocol::code;
use crate::service::plan::Planner;
use crate::service::stage::{Author, Stage};
use crate::types::{RecordId, Seq};

impl Planner<'_> {
    /// Settles the conflict `id` with a mutation: exactly, or not at all.
    pub(super) fn resolve(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        id: &RecordId,
        author: &Author,
    ) -> Result<Outcome> {
        let conflict_key = Conflict::key(id.clone());
        let about = match self.seen(stage, &conflict_key).as_ref().map(Conflict::from_record).transpose()? {
            None => return Ok(Outcome::rejected(code::NOT_FOUND, "there is no such conflict")),
            Some(None) => {
                return Ok(Outcome::rejected(code::VERSION_CONFLICT, "the conflict is resolved already"));
            }
            Some(Some(conflict)) => conflict.body,
        };
        if about.key != mutation.key {
            return Ok(Outcome::rejected(code::NOT_FOUND, "there is no such conflict of this record"));
        }
        let current = self.seen(stage, &mutation.key);
        let version = current.as_ref().map_or(Seq::ZERO, |record| record.meta.version);
        if mutation.base_version != Some(version) {
            let theirs = current.and_then(|record| record.data);
            return Ok(Outcome::Conflict { id: id.clone(), version, theirs, paths: about.paths });
        }
        // Nothing was there, or what was there is known: neither counts as concurrent.
        let exact = Mutation {
            resolves: None,
            base_version: (version > Seq::ZERO).then_some(version),
            ..mutation.clone()
        };
        let decision = self.decide(stage, &exact, author);
        let outcome = self.carry_out(stage, &exact, decision, author)?;
        if outcome.is_carried_out() {
            stage.write(&conflict_key, None, author.now, author)?;
        }
        Ok(outcome)
    }
}
