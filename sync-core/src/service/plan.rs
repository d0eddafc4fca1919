//! A batch of mutations against a stage: groups, chains, outcomes. No store and no waiting.

use crate::clock::Timestamp;
use crate::conflict::Conflict;
use crate::error::{Error, Result};
use crate::id_source::IdSource;
use crate::merge::Stamp;
use crate::mutation::{Mutation, Outcome};
use crate::policies::Policies;
use crate::protocol::code;
use crate::service::decide::{Decision, Facts, decide};
use crate::service::losers::named;
use crate::service::rules::Rules;
use crate::service::stage::{Author, Stage};
use crate::service::{Actor, Limits, tree_op};
use crate::types::{MutationNumber, Record, RecordKey, Version};

/// What carrying out mutations depends on.
pub(super) struct Planner<'a> {
    pub(super) policies: &'a Policies,
    pub(super) limits: &'a Limits,
    pub(super) ids: &'a dyn IdSource,
    pub(super) rules: &'a Rules,
    /// Whose mutations they are, as they are now.
    pub(super) actor: &'a Actor,
}

/// The records that a batch touches, the conflicts it settles and the books of the trees it adds to: what must be loaded
/// before it is planned.
pub(super) fn keys_of(mutations: &[Mutation]) -> impl Iterator<Item = RecordKey> {
    mutations.iter().flat_map(|mutation| {
        let conflict = mutation.resolves.clone().map(Conflict::key);
        std::iter::once(mutation.key.clone()).chain(conflict).chain(tree_op::books_of(&mutation.key))
    })
}

impl Planner<'_> {
    /// Carries out a batch whose first mutation has the number `first`.
    ///
    /// # Errors
    ///
    /// When the space has used up its seqs; `body_too_large`, and nothing is staged, when a few small mutations of
    /// large records would write or answer too much.
    pub(super) fn batch(
        &self,
        stage: &mut Stage,
        mutations: &[Mutation],
        first: MutationNumber,
        author: &Author,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(mutations.len());
        let (mark, n_before) = (stage.mark(), stage.n_bytes());
        let mut n_answered = 0;
        for group in mutations.chunk_by(|a, b| a.group.is_some() && a.group == b.group) {
            self.group(stage, group, first, author, &mut outcomes)?;
            n_answered += outcomes.iter().rev().take(group.len()).map(Outcome::data_len).sum::<usize>();
            let n_bytes = (stage.n_bytes() - n_before).saturating_add(n_answered);
            if n_bytes > self.limits.batch_effect_bytes_max && mutations.len() > 1 {
                stage.undo(mark);
                return Err(too_much(self.limits.batch_effect_bytes_max));
            }
        }
        Ok(outcomes)
    }

    /// Carries out mutations together or not at all; most groups are of one.
    fn group(
        &self,
        stage: &mut Stage,
        group: &[Mutation],
        first: MutationNumber,
        author: &Author,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let n_before = outcomes.len();
        let mark = stage.mark();
        for (idx, mutation) in group.iter().enumerate() {
            let outcome = match self.held_back(mutation, first, outcomes) {
                Some(outcome) => outcome,
                None => self.one(stage, mutation, author)?,
            };
            if outcome.is_carried_out() || group.len() == 1 {
                outcomes.push(outcome);
                continue;
            }
            stage.undo(mark);
            outcomes.truncate(n_before);
            outcomes.resize(n_before + group.len(), Outcome::Superseded);
            outcomes[n_before + idx] = self.failed(stage, mutation, outcome, author)?;
            break;
        }
        Ok(())
    }

    /// What to tell of the mutation because of which its group was undone.
    fn failed(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        outcome: Outcome,
        author: &Author,
    ) -> Result<Outcome> {
        if !matches!(outcome, Outcome::Conflict { .. }) {
            return Ok(outcome);
        }
        // The conflict went with the group; it is kept again, now against what is really stored.
        let mark = stage.mark();
        let again = self.one(stage, mutation, author)?;
        if !again.is_carried_out() {
            return Ok(again);
        }
        stage.undo(mark);
        Ok(Outcome::rejected(code::VALIDATION_FAILED, "it clashes with an earlier mutation of its own group"))
    }

    /// Whether a mutation must not be tried because of the one it names in `after`.
    fn held_back(&self, mutation: &Mutation, first: MutationNumber, done: &[Outcome]) -> Option<Outcome> {
        let after = mutation.after?;
        let idx = usize::try_from(after.get() - first.get()).ok();
        match idx.and_then(|idx| done.get(idx)) {
            Some(outcome) if outcome.is_carried_out() => None,
            Some(_) => Some(Outcome::Superseded),
            None => Some(Outcome::rejected(
                code::VALIDATION_FAILED,
                "after must name an earlier mutation of the batch",
            )),
        }
    }

    fn one(&self, stage: &mut Stage, mutation: &Mutation, author: &Author) -> Result<Outcome> {
        if let Some(conflict) = &mutation.resolves {
            return self.resolve(stage, mutation, conflict, author);
        }
        let decision = self.decide(stage, mutation, author);
        let outcome = self.carry_out(stage, mutation, decision, author)?;
        if mutation.key.collection.is_tree() && matches!(outcome, Outcome::Applied { .. }) {
            tree_op::remember(stage, mutation, author)?;
        }
        Ok(outcome)
    }

    /// Decides what must happen to a record by what the author may know of it.
    ///
    /// Where a record is hidden, a mutation is answered as if it were not there. Only what would have had an effect then
    /// is refused, because it must not have one.
    pub(super) fn decide(&self, stage: &Stage, mutation: &Mutation, author: &Author) -> Decision {
        let facts = self.facts(stage, mutation, author);
        let current = stage.current(&mutation.key);
        if !current.is_some_and(|record| self.rules.view(self.actor).hides(record)) {
            return decide(mutation, current, &facts);
        }
        match decide(mutation, self.seen(stage, &mutation.key).as_ref(), &facts) {
            told @ (Decision::Unchanged | Decision::Reject { .. }) => told,
            Decision::Write { .. } | Decision::Keep { .. } | Decision::Conflict { .. } => Decision::Reject {
                code: code::OUT_OF_SCOPE,
                detail: "the record is not among those that its author may read".to_owned(),
            },
        }
    }

    /// A record as its author may know it.
    pub(super) fn seen(&self, stage: &Stage, key: &RecordKey) -> Option<Record> {
        stage.current(key).cloned().and_then(|record| self.rules.view(self.actor).of(record))
    }

    /// The version of a record as its author may know it; zero when there is none.
    pub(super) fn version(&self, stage: &Stage, key: &RecordKey) -> Version {
        self.seen(stage, key).map_or(Version::ZERO, |record| record.meta.version)
    }

    pub(super) fn facts<'f>(&'f self, stage: &Stage, mutation: &Mutation, author: &Author) -> Facts<'f> {
        let at = mutation.at.unwrap_or(author.now).as_micros();
        let by = author.client.as_ref().map_or(author.actor.as_str(), |client| client.as_str()).to_owned();
        Facts {
            policy: self.policies.of(&mutation.key.collection),
            stamp: Stamp { at, by },
            floor: stage.head().floor,
            latest: self.latest(author),
            op: tree_op::facts(stage, mutation, author, self.limits),
        }
    }

    /// Later dates than this are not believed.
    fn latest(&self, author: &Author) -> Timestamp {
        author.now.saturating_add(self.limits.clock_drift_max)
    }

    /// Does what was decided.
    pub(super) fn carry_out(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        decision: Decision,
        author: &Author,
    ) -> Result<Outcome> {
        match decision {
            Decision::Unchanged => Ok(Outcome::Unchanged { version: self.version(stage, &mutation.key) }),
            Decision::Reject { code, detail } => Ok(Outcome::rejected(code, detail)),
            Decision::Conflict { paths } => self.keep_conflict(stage, mutation, paths, author),
            Decision::Keep { lost } => self.keep_theirs(stage, mutation, lost, author),
            Decision::Write { data, merged, lost } => {
                let old = stage.current(&mutation.key).and_then(|record| record.data.as_ref());
                if let Err(refused) = self.rules.check(self.actor, &mutation.key, old, data.as_ref()) {
                    return Ok(refused);
                }
                if let Err(refused) = self.keep_losses(stage, mutation, &lost, author)? {
                    return Ok(refused);
                }
                // A date that is not believed, which only ops get here with, is the server's.
                let edited_at = mutation.at.filter(|at| *at <= self.latest(author)).unwrap_or(author.now);
                let meta = stage.write(&mutation.key, data.clone(), edited_at, author)?;
                let (version, revision) = (meta.version, meta.revision);
                let lost = named(lost.into_iter().map(|loss| loss.path).collect());
                Ok(if merged {
                    Outcome::Merged { version, revision, data, lost }
                } else {
                    Outcome::Applied { version, revision }
                })
            }
        }
    }
}

fn too_much(limit: usize) -> Error {
    let message = "the records that this batch touches are too large together: send it in parts";
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Error::invalid(code::BODY_TOO_LARGE, message).with_pointer("/mutations").with_limit(limit)
}
