//! Conflicts: listing them and settling them.

use crate::conflict::{Conflict, ConflictState, Resolution};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::mutation::{Mutation, Op, Outcome};
use crate::protocol::{PushDone, PushReply, PushRequest, code};
use crate::service::{Actor, Service, scoped};
use crate::store::{Mode, ScanQuery};
use crate::types::{Collection, RecordId, RecordKey, SpaceId, Version};

/// What became of a resolution.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// The conflict is settled; this happened to the record.
    Done(Outcome),
    /// The record has moved on: look again, and resolve with its version.
    Moved {
        /// Its version now.
        version: Version,
        /// The record now; `None` when it is deleted.
        theirs: Option<Json>,
    },
}

impl Service {
    /// Conflicts with an id after `after`, ascending by id, at most a page of them. Settled ones only when asked for.
    /// Those that the actor may not read are passed over, as in [`Service::records`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a space that is not there, and what the store reports.
    pub async fn conflicts(
        &self,
        actor: &Actor,
        space: &SpaceId,
        after: Option<RecordId>,
        with_settled: bool,
    ) -> Result<(Vec<Conflict>, Option<RecordId>)> {
        let (actor, space) = (actor.clone(), space.clone());
        self.run(move |inner| async move {
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            let query = ScanQuery {
                collection: Some(Collection::system(Collection::CONFLICTS)),
                after: after.map(Conflict::key),
                descending: false,
                tombstones: false,
                rows_max: inner.limits.page_rows_max,
                bytes_max: inner.limits.page_bytes_max,
            };
            let page = scoped::scan(inner.rules.view(&actor), txn.as_mut(), &query).await?;
            let next = page.records.last().filter(|_| page.more).map(|record| record.key.id.clone());
            let conflicts =
                page.records.iter().filter_map(|record| Conflict::from_record(record).transpose());
            let conflicts: Vec<Conflict> = conflicts.collect::<Result<_>>()?;
            let wanted = |conflict: &Conflict| with_settled || conflict.body.state == ConflictState::Open;
            Ok((conflicts.into_iter().filter(wanted).collect(), next))
        })
        .await
    }

    /// Settles a conflict, if the record still has the version that whoever decided was looking at. Without `seen` the
    /// version in the conflict is meant.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a conflict that never was, [`Invalid`](ErrorKind::Invalid) with code
    /// `version_conflict` for one that is resolved already, and as [`Service::push`].
    pub async fn resolve(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &RecordId,
        resolution: Resolution,
        seen: Option<Version>,
    ) -> Result<Resolved> {
        let conflict = self.conflict(actor, space, id).await?;
        let takes_theirs = resolution == Resolution::TakeTheirs;
        let record =
            if takes_theirs { self.record(actor, space, &conflict.body.key, true).await? } else { None };
        let version = record.as_ref().map_or(Version::ZERO, |record| record.meta.version);
        if takes_theirs && seen.is_some_and(|seen| seen != version) {
            return Ok(Resolved::Moved { version, theirs: record.and_then(|record| record.data) });
        }
        let mutation = resolution.into_mutation(&conflict, seen)?;
        let push = PushRequest { batch: None, mutations: vec![mutation], after: None, receipt: None };
        let PushReply::Done(PushDone { outcomes, .. }) = self.push(actor, space, push).await? else {
            return Err(Error::new(ErrorKind::Internal, "a push without a number cannot be out of order"));
        };
        match outcomes.into_iter().next() {
            Some(Outcome::Conflict { version, theirs, .. }) => Ok(Resolved::Moved { version, theirs }),
            Some(Outcome::Rejected { code, detail }) if code == code::VERSION_CONFLICT => {
                Err(Error::invalid(code::VERSION_CONFLICT, detail))
            }
            // What was applied is that the conflict went; the record is as it was.
            Some(Outcome::Applied { .. }) if takes_theirs => {
                Ok(Resolved::Done(Outcome::Unchanged { version }))
            }
            Some(outcome) => Ok(Resolved::Done(outcome)),
            None => Err(Error::new(ErrorKind::Internal, "a push of one mutation has one outcome")),
        }
    }

    async fn conflict(&self, actor: &Actor, space: &SpaceId, id: &RecordId) -> Result<Conflict> {
        let record = self.record(actor, space, &Conflict::key(id.clone()), true).await?;
        let missing =
            || Error::new(ErrorKind::NotFound, "there is no such conflict").with_code(code::NOT_FOUND);
        Conflict::from_record(&record.ok_or_else(missing)?)?
            .ok_or_else(|| Error::invalid(code::VERSION_CONFLICT, "the conflict is resolved already"))
    }
}

impl Resolution {
    /// The mutation that settles `conflict` this way.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when the edit that lost cannot be stored as it is.
    pub fn into_mutation(self, conflict: &Conflict, seen: Option<Version>) -> Result<Mutation> {
        let record: RecordKey = conflict.body.key.clone();
        let data = match self {
            Self::TakeTheirs => {
                let dismiss = Mutation::delete(Conflict::key(conflict.id.clone()));
                return Ok(dismiss.based_on(conflict.version));
            }
            Self::TakeMine => {
                conflict.body.mine.as_ref().map(Json::from_value).transpose().map_err(|error| {
                    Error::invalid(code::VALIDATION_FAILED, "the losing edit cannot be stored as it is")
                        .with_source(error)
                })?
            }
            Self::Merged(data) => data,
        };
        let op = data.map_or(Op::Delete, Op::Put);
        let version = seen.unwrap_or(conflict.body.theirs_version);
        Ok(Mutation::new(record, op).based_on(version).resolving(conflict.id.clone()))
    }
}
