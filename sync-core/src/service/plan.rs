//! A batch of mutations against a stage: groups, chains, conflicts, outcomes. No store and no waiting.

use crate::conflict::{Conflict, ConflictBody, ConflictState};
use crate::error::Result;
use crate::json::Json;
use crate::merge::{Loss, Pointer, Side, Stamp};
use crate::mutation::{Mutation, Op, Outcome};
use crate::policies::Policies;
use crate::protocol::code;
use crate::service::Limits;
use crate::service::decide::{Decision, Facts, decide};
use crate::service::stage::{Author, Stage};
use crate::types::{MutationNumber, Record, RecordId, RecordKey, Seq};
use crate::{ActorId, IdSource};

/// What carrying out mutations depends on.
pub(super) struct Planner<'a> {
    pub(super) policies: &'a Policies,
    pub(super) limits: &'a Limits,
    pub(super) ids: &'a dyn IdSource,
}

/// The records that a batch touches and the conflicts it settles: what must be loaded before it is planned.
pub(super) fn keys_of(mutations: &[Mutation]) -> impl Iterator<Item = RecordKey> {
    mutations.iter().flat_map(|mutation| {
        let conflict = mutation.resolves.clone().map(Conflict::key);
        std::iter::once(mutation.key.clone()).chain(conflict)
    })
}

impl Planner<'_> {
    /// Carries out a batch whose first mutation has the number `first`.
    ///
    /// # Errors
    ///
    /// Only when the space has used up its seqs.
    pub(super) fn batch(
        &self,
        stage: &mut Stage,
        mutations: &[Mutation],
        first: MutationNumber,
        author: &Author,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(mutations.len());
        for group in mutations.chunk_by(|a, b| a.group.is_some() && a.group == b.group) {
            let n_before = outcomes.len();
            let mark = stage.mark();
            let mut failed = None;
            for (idx, mutation) in group.iter().enumerate() {
                let outcome = match self.held_back(mutation, first, &outcomes) {
                    Some(outcome) => outcome,
                    None => self.one(stage, mutation, author)?,
                };
                if !outcome.is_carried_out() {
                    failed = Some(idx);
                }
                outcomes.push(outcome);
                if failed.is_some() {
                    break;
                }
            }
            if let Some(idx) = failed.filter(|_| group.len() > 1) {
                outcomes.truncate(n_before);
                stage.undo(mark);
                self.fail_group(stage, group, idx, author, &mut outcomes)?;
            }
        }
        Ok(outcomes)
    }

    /// A group of which one mutation cannot be carried out: that one says why, the others were not tried.
    fn fail_group(
        &self,
        stage: &mut Stage,
        group: &[Mutation],
        failed: usize,
        author: &Author,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        for (idx, mutation) in group.iter().enumerate() {
            let mark = stage.mark();
            let outcome =
                if idx == failed { self.one(stage, mutation, author)? } else { Outcome::Superseded };
            if outcome.is_carried_out() {
                // On its own it would have worked; it failed because of what its group did before it.
                stage.undo(mark);
                outcomes.push(Outcome::Superseded);
            } else {
                outcomes.push(outcome);
            }
        }
        Ok(())
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
        let decision = decide(mutation, stage.current(&mutation.key), &self.facts(stage, mutation, author));
        self.carry_out(stage, mutation, decision, author)
    }

    fn facts<'f>(&'f self, stage: &Stage, mutation: &Mutation, author: &Author) -> Facts<'f> {
        let at = mutation.at.unwrap_or(author.now).as_micros();
        let by = author.client.as_ref().map_or(author.actor.as_str(), |client| client.as_str()).to_owned();
        Facts {
            policy: self.policies.of(&mutation.key.collection),
            stamp: Stamp { at, by },
            floor: stage.head().floor,
            latest: author.now.saturating_add(self.limits.clock_drift_max),
        }
    }

    fn carry_out(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        decision: Decision,
        author: &Author,
    ) -> Result<Outcome> {
        let version = stage.version(&mutation.key);
        match decision {
            Decision::Unchanged => Ok(Outcome::Unchanged { version }),
            Decision::Reject { code, detail } => Ok(Outcome::rejected(code, detail)),
            Decision::Conflict { paths } => self.keep_conflict(stage, mutation, paths, author),
            Decision::Keep { lost } => self.keep_theirs(stage, mutation, lost, author),
            Decision::Write { data, merged, lost } => {
                if !lost.is_empty() {
                    self.keep_losses(stage, mutation, &lost, author)?;
                }
                let edited_at = mutation.at.unwrap_or(author.now);
                let meta = stage.write(&mutation.key, data.clone(), edited_at, author)?;
                let (version, revision) = (meta.version, meta.revision);
                let lost = lost.into_iter().map(|loss| loss.path).collect();
                Ok(if merged {
                    Outcome::Merged { version, revision, data, lost }
                } else {
                    Outcome::Applied { version, revision }
                })
            }
        }
    }

    fn keep_theirs(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        lost: Vec<Loss>,
        author: &Author,
    ) -> Result<Outcome> {
        self.keep_losses(stage, mutation, &lost, author)?;
        let current = stage.current(&mutation.key);
        let (version, revision) =
            current.map_or((Seq::ZERO, 0), |record| (record.meta.version, record.meta.revision));
        let data = current.and_then(|record| record.data.clone());
        let lost = lost.into_iter().map(|loss| loss.path).collect();
        Ok(Outcome::Merged { version, revision, data, lost })
    }

    fn keep_conflict(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        paths: Vec<Pointer>,
        author: &Author,
    ) -> Result<Outcome> {
        let body =
            conflict_body(stage.current(&mutation.key), mutation, paths.clone(), ConflictState::Open, author);
        let id = match self.write_conflict(stage, &body, author)? {
            Ok(id) => id,
            Err(refused) => return Ok(refused),
        };
        let current = stage.current(&mutation.key);
        let version = current.map_or(Seq::ZERO, |record| record.meta.version);
        Ok(Outcome::Conflict { id, version, theirs: current.and_then(|record| record.data.clone()), paths })
    }

    /// Keeps what a policy overruled, where its author can find it.
    fn keep_losses(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        lost: &[Loss],
        author: &Author,
    ) -> Result<()> {
        // A deletion that lost leaves nothing that could be kept: its record is there.
        let is_idle = |loss: &Loss| loss.side == Side::Theirs && loss.value.is_none() && loss.path.is_root();
        if lost.iter().all(is_idle) {
            return Ok(());
        }
        let paths = lost.iter().map(|loss| loss.path.clone()).collect();
        let body =
            conflict_body(stage.current(&mutation.key), mutation, paths, ConflictState::Settled, author);
        self.write_conflict(stage, &body, author).map(|_| ())
    }

    fn write_conflict(
        &self,
        stage: &mut Stage,
        body: &ConflictBody,
        author: &Author,
    ) -> Result<Result<RecordId, Outcome>> {
        let data = match body.to_json() {
            Ok(data) => data,
            Err(error) => return Ok(Err(Outcome::rejected(code::VALIDATION_FAILED, error.to_string()))),
        };
        let id = RecordId::new(self.ids.new_id()).expect("ids of the library are valid record ids");
        stage.write(&Conflict::key(id.clone()), Some(data), author.now, author)?;
        Ok(Ok(id))
    }

    /// A mutation that settles a conflict: exact, or not at all.
    fn resolve(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        id: &RecordId,
        author: &Author,
    ) -> Result<Outcome> {
        let conflict_key = Conflict::key(id.clone());
        let about = match stage.current(&conflict_key).map(Conflict::from_record).transpose()? {
            None => return Ok(Outcome::rejected(code::NOT_FOUND, "there is no such conflict")),
            Some(None) => {
                return Ok(Outcome::rejected(code::VERSION_CONFLICT, "the conflict is resolved already"));
            }
            Some(Some(conflict)) => conflict.body,
        };
        if about.key != mutation.key {
            return Ok(Outcome::rejected(code::NOT_FOUND, "there is no such conflict of this record"));
        }
        let current = stage.current(&mutation.key);
        let version = current.map_or(Seq::ZERO, |record| record.meta.version);
        if mutation.base_version != Some(version) {
            let theirs = current.and_then(|record| record.data.clone());
            return Ok(Outcome::Conflict { id: id.clone(), version, theirs, paths: about.paths });
        }
        // Nothing was there, or what was there is known: neither counts as concurrent.
        let exact = Mutation {
            resolves: None,
            base_version: (version > Seq::ZERO).then_some(version),
            ..mutation.clone()
        };
        let decision = decide(&exact, current, &self.facts(stage, &exact, author));
        let outcome = self.carry_out(stage, &exact, decision, author)?;
        if outcome.is_carried_out() {
            stage.write(&conflict_key, None, author.now, author)?;
        }
        Ok(outcome)
    }
}

/// Both sides of a mutation that does not fit what is stored.
fn conflict_body(
    current: Option<&Record>,
    mutation: &Mutation,
    paths: Vec<Pointer>,
    state: ConflictState,
    author: &Author,
) -> ConflictBody {
    let theirs = current.and_then(|record| record.data.as_ref()).map(Json::to_value);
    let (mine, patch) = match &mutation.op {
        Op::Put(data) => (Some(data.to_value()), None),
        Op::Patch(patch) => (patch.apply(theirs.as_ref()), Some(patch.clone())),
        Op::Delete => (None, None),
    };
    let by: ActorId = author.actor.clone();
    ConflictBody {
        key: mutation.key.clone(),
        state,
        base_version: mutation.base_version,
        mine,
        patch,
        theirs,
        theirs_version: current.map_or(Seq::ZERO, |record| record.meta.version),
        paths,
        by,
        client: author.client.clone(),
        at: author.now,
    }
}
