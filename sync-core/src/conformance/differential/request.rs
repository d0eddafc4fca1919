//! One request to a service, and its answer.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::Role;
use crate::clock::ManualClock;
use crate::conflict::Conflict;
use crate::conflict::Resolution;
use crate::conformance::{actor, key};
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::SeededIds;
use crate::merge::{Clash, CollectionPolicy, DeletePolicy, PathRule, Pointer, UpdatePolicy};
use crate::policies::Policies;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest};
use crate::runtime::Runtime;
use crate::service::{Actor, CollectReport, Limits, RecordPage, Resolved, Service, Status};
use crate::store::{LogEntry, Store};
use crate::types::{Collection, Record, RecordId, RecordKey, SpaceId, Version};

/// A collection for each way of merging.
pub(super) const COLLECTIONS: [&str; 6] = ["notes", "Notes", "scores", "drafts", "a-b", "a:b"];

/// One request about one space.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Create,
    Delete,
    Push(Actor, PushRequest),
    Pull(PullRequest),
    Snapshot(SnapshotRequest),
    Status,
    Log { before: Option<i64>, limit: Option<usize> },
    Record { key: RecordKey, with_tombstone: bool },
    Records { collection: Collection, after: Option<RecordId>, limit: Option<usize> },
    Conflicts { after: Option<RecordId>, with_settled: bool },
    Resolve { actor: Actor, id: RecordId, resolution: Resolution, seen: Option<Version> },
    Collect { dry_run: bool },
}

/// What comes back.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Done,
    Was(bool),
    Pushed(PushReply),
    Pulled(PullReply),
    Snapshot(SnapshotPage),
    /// With its text, in which the hash of all records is.
    Status(Status),
    Log(Vec<LogEntry>),
    Record(Option<Record>),
    Records(RecordPage),
    Conflicts(Vec<Conflict>, Option<RecordId>),
    Resolved(Resolved),
    Collected(CollectReport),
    Refused {
        kind: ErrorKind,
        code: Option<&'static str>,
        pointer: Option<String>,
        limit: Option<u64>,
    },
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        let (kind, code, limit) = (error.kind(), error.code(), error.limit());
        Self::Refused { kind, code, pointer: error.pointer().map(str::to_owned), limit }
    }
}

/// A service that differs from another one only in its store: it has the same clock, ids, policies and limits.
pub(super) fn service(
    seed: u64,
    store: Arc<dyn Store>,
    runtime: Arc<dyn Runtime>,
    clock: Arc<ManualClock>,
) -> Service {
    let ids = Arc::new(SeededIds::new(seed));
    Service::builder(store, runtime).clock(clock).ids(ids).policies(policies()).limits(limits()).build()
}

fn policies() -> Policies {
    let named = |name: &str| key(name, "1").collection;
    let rule = |path: &str| path.parse::<Pointer>().expect("the paths below are pointers");
    let scores = CollectionPolicy::default()
        .with_update(UpdatePolicy::Fields(Clash::LastWriteWins))
        .with_rule(rule("/n"), PathRule::Counter)
        .with_rule(rule("/tags"), PathRule::Set)
        .with_rule(rule("/best"), PathRule::Max);
    let whole = |clash| CollectionPolicy::default().with_update(UpdatePolicy::Whole(clash));
    Policies::default()
        .with(
            named("Notes"),
            CollectionPolicy::default().with_update(UpdatePolicy::Fields(Clash::ServerWins)),
        )
        .with(named("scores"), scores)
        .with(named("drafts"), whole(Clash::Manual).with_delete(DeletePolicy::Manual))
        .with(named("a-b"), whole(Clash::LastWriteWins).with_delete(DeletePolicy::DeleteWins))
        .with(named("a:b"), whole(Clash::ClientWins))
}

/// Limits that are met all the time.
fn limits() -> Limits {
    Limits {
        mutations_max: 12,
        page_rows_max: 9,
        page_bytes_max: 3_000,
        collections_max: 3,
        batch_effect_bytes_max: 100_000,
        retention: Duration::from_secs(3_600),
        lease: Duration::from_secs(2 * 3_600),
        collect_max: 4,
        ..Limits::default()
    }
}

impl Request {
    /// Asks a service.
    pub(super) async fn ask(&self, service: &Service, space: &SpaceId) -> Reply {
        self.carry_out(service, space).await.unwrap_or_else(Reply::from)
    }

    async fn carry_out(&self, service: &Service, space: &SpaceId) -> Result<Reply> {
        let anna = &Actor::new(actor("anna"), Role::Viewer);
        Ok(match self.clone() {
            Self::Create => service.create_space(space).await.map(|()| Reply::Done)?,
            Self::Delete => Reply::Was(service.delete_space(space).await?),
            Self::Push(actor, push) => Reply::Pushed(service.push(&actor, space, push).await?),
            Self::Pull(pull) => Reply::Pulled(service.pull(anna, space, pull).await?),
            Self::Snapshot(request) => Reply::Snapshot(service.snapshot(anna, space, &request).await?),
            Self::Status => Reply::Status(service.status(anna, space, true).await?),
            Self::Log { before, limit } => Reply::Log(service.log(anna, space, before, limit).await?),
            Self::Record { key, with_tombstone } => {
                Reply::Record(service.record(anna, space, &key, with_tombstone).await?)
            }
            Self::Records { collection, after, limit } => {
                Reply::Records(service.records(anna, space, &collection, after, limit).await?)
            }
            Self::Conflicts { after, with_settled } => {
                let (conflicts, next) = service.conflicts(anna, space, after, with_settled).await?;
                Reply::Conflicts(conflicts, next)
            }
            Self::Resolve { actor, id, resolution, seen } => {
                Reply::Resolved(service.resolve(&actor, space, &id, resolution, seen).await?)
            }
            Self::Collect { dry_run } => Reply::Collected(service.collect(space, dry_run).await?),
        })
    }
}
