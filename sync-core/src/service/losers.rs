//! Keeping the side that lost: no edit vanishes because another one won.

use crate::conflict::{Conflict, ConflictBody, ConflictState};
use crate::error::Result;
use crate::json::Json;
use crate::merge::{Loss, Pointer, Side};
use crate::mutation::{Mutation, Op, Outcome};
use crate::protocol::code;
use crate::service::plan::Planner;
use crate::service::stage::{Author, Stage};
use crate::types::{Record, RecordId, Seq};

/// Bytes of paths that are named one by one: far more than a person reads. Paths can be much longer than the record they
/// point into, because each repeats the names above it.
const PATHS_BYTES_MAX: usize = 64 << 10;

impl Planner<'_> {
    /// Leaves the record as it is, and keeps what the mutation wanted.
    pub(super) fn keep_theirs(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        lost: Vec<Loss>,
        author: &Author,
    ) -> Result<Outcome> {
        if let Err(refused) = self.keep_losses(stage, mutation, &lost, author)? {
            return Ok(refused);
        }
        let current = stage.current(&mutation.key);
        let (version, revision) =
            current.map_or((Seq::ZERO, 0), |record| (record.meta.version, record.meta.revision));
        let data = current.and_then(|record| record.data.clone());
        let lost = named(lost.into_iter().map(|loss| loss.path).collect());
        Ok(Outcome::Merged { version, revision, data, lost })
    }

    /// Leaves the record as it is, until a person has decided.
    pub(super) fn keep_conflict(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        paths: Vec<Pointer>,
        author: &Author,
    ) -> Result<Outcome> {
        let paths = named(paths);
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

    /// Keeps what a policy overruled, where its author can find it. What cannot be kept must not lose: then the mutation
    /// is refused.
    pub(super) fn keep_losses(
        &self,
        stage: &mut Stage,
        mutation: &Mutation,
        lost: &[Loss],
        author: &Author,
    ) -> Result<Result<(), Outcome>> {
        // A deletion that lost leaves nothing that could be kept: its record is there.
        let is_idle = |loss: &Loss| loss.side == Side::Theirs && loss.value.is_none() && loss.path.is_root();
        if lost.iter().all(is_idle) {
            return Ok(Ok(()));
        }
        let paths = named(lost.iter().map(|loss| loss.path.clone()).collect());
        let body =
            conflict_body(stage.current(&mutation.key), mutation, paths, ConflictState::Settled, author);
        Ok(self.write_conflict(stage, &body, author)?.map(|_| ()))
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
}

/// The paths to report: so many that nobody reads them count as the whole record.
pub(super) fn named(paths: Vec<Pointer>) -> Vec<Pointer> {
    let n_bytes: usize = paths.iter().map(|path| path.as_str().len() + 1).sum();
    if n_bytes > PATHS_BYTES_MAX { vec![Pointer::root()] } else { paths }
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
    ConflictBody {
        key: mutation.key.clone(),
        state,
        base_version: mutation.base_version,
        mine,
        patch,
        theirs,
        theirs_version: current.map_or(Seq::ZERO, |record| record.meta.version),
        paths,
        by: author.actor.clone(),
        client: author.client.clone(),
        at: author.now,
    }
}
