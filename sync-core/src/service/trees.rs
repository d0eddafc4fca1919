//! Ops of a tree, added and read by themselves: for those who keep trees without a replica.

use crate::error::{Error, ErrorKind, Result};
use crate::mutation::{Mutation, Outcome};
use crate::protocol::{PushDone, PushReply, PushRequest, code};
use crate::service::{Actor, Service, scoped};
use crate::store::{Mode, ScanQuery, stored_op};
use crate::types::{Collection, OpId, RecordKey, Seq, SpaceId, TreeId, TreeOp};

/// What became of ops that were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpsAdded {
    /// How many are new.
    pub n_new: usize,
    /// How many were known already.
    pub n_known: usize,
    /// Where the space stands.
    pub head: Seq,
}

/// Some ops of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpsPage {
    /// The ops, in their order.
    pub ops: Vec<TreeOp>,
    /// The op to go on after, or `None` at the end.
    pub next: Option<OpId>,
}

impl Service {
    /// Adds ops to a tree: all of them, or none. Ops that are known already are passed over, so that a call may be repeated;
    /// who adds the same op twice in one call adds it once. A tree begins with its first op.
    ///
    /// It is a [`push`](Service::push) without a number. Replicas push ops like other mutations.
    ///
    /// # Errors
    ///
    /// Those of a push. Of kind [`Invalid`](ErrorKind::Invalid), with a pointer to the op: code `op_conflict` when another op
    /// has its id, `clock_drift` when its clock is too far ahead of the tree, `validation_failed` for one that is too large;
    /// of kind [`Forbidden`](ErrorKind::Forbidden), code `forbidden_client`, when its peer belongs to someone else.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// use sync_core::{TreeId, TreeOp, VertexId};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # let (space, me) = (SpaceId::new("family")?, Actor::new(ActorId::new("ada")?, Role::Owner));
    /// # service.create_space(&space).await?;
    /// let tree = TreeId::new("outline")?;
    /// let op = TreeOp::moving("1@a1".parse()?, VertexId::new("book")?, None);
    /// let added = service.add_ops(&me, &space, &tree, vec![op.clone()]).await?;
    /// assert_eq!(added.n_new, 1);
    /// assert_eq!(service.ops(&me, &space, &tree, None, None).await?.ops, [op]);
    /// # Ok(()) }
    /// ```
    pub async fn add_ops(
        &self,
        actor: &Actor,
        space: &SpaceId,
        tree: &TreeId,
        ops: Vec<TreeOp>,
    ) -> Result<OpsAdded> {
        let max = self.limits().mutations_max;
        if ops.len() > max {
            let error =
                Error::invalid(code::BODY_TOO_LARGE, format!("at most {max} ops can be added at once"));
            return Err(error.with_pointer("/ops").with_limit(u64::try_from(max).unwrap_or(u64::MAX)));
        }
        let mutations = ops.iter().map(|op| Mutation::put(op.key(tree), op.content()).in_group(TOGETHER));
        let push = PushRequest { batch: None, mutations: mutations.collect(), after: None, receipt: None };
        match self.push(actor, space, push).await? {
            PushReply::Done(done) => added(done),
            _ => Err(Error::new(ErrorKind::Internal, "a push without a number was refused for its number")),
        }
    }

    /// Ops of a tree after `after`, or from the first, at most `limit` and a page; none of a tree that has none.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a space that is not there, and what the store reports.
    pub async fn ops(
        &self,
        actor: &Actor,
        space: &SpaceId,
        tree: &TreeId,
        after: Option<OpId>,
        limit: Option<usize>,
    ) -> Result<OpsPage> {
        let (actor, space, collection) = (actor.clone(), space.clone(), Collection::of_tree(tree));
        self.run(move |inner| async move {
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            let max = inner.limits.page_rows_max;
            let query = ScanQuery {
                after: after.map(|id| RecordKey::new(collection.clone(), id.record_id())),
                collection: Some(collection),
                tombstones: false,
                descending: false,
                rows_max: limit.unwrap_or(max).clamp(1, max),
                bytes_max: inner.limits.page_bytes_max,
            };
            let page = scoped::scan(inner.rules.view(&actor), txn.as_mut(), &query).await?;
            let ops = page.records.iter().map(stored_op).collect::<Result<Vec<_>>>()?;
            let next = ops.last().filter(|_| page.more).map(|op| op.id.clone());
            Ok(OpsPage { ops, next })
        })
        .await
    }
}

/// The group of all ops of one call.
const TOGETHER: &str = "ops";

fn added(done: PushDone) -> Result<OpsAdded> {
    let mut added = OpsAdded { n_new: 0, n_known: 0, head: done.head };
    for (idx, outcome) in done.outcomes.iter().enumerate() {
        match outcome {
            Outcome::Applied { .. } => added.n_new += 1,
            Outcome::Unchanged { .. } => added.n_known += 1,
            Outcome::Superseded => {}
            Outcome::Rejected { code, detail } => return Err(refused(idx, code, detail)),
            Outcome::Merged { .. } | Outcome::Conflict { .. } => {
                return Err(Error::new(ErrorKind::Internal, "an op was merged, which ops never are"));
            }
        }
    }
    Ok(added)
}

fn refused(idx: usize, code: &str, detail: &str) -> Error {
    let code = code::known(code).unwrap_or(code::VALIDATION_FAILED);
    let error = match code {
        code::FORBIDDEN_CLIENT => Error::new(ErrorKind::Forbidden, detail).with_code(code),
        code => Error::invalid(code, detail),
    };
    error.with_pointer(format!("/ops/{idx}"))
}
