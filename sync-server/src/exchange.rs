//! What requests and live connections both ask for: a body in, the body of the answer or a problem out.

use serde::Deserialize;
use serde_json::json;
use sync_core::protocol::{OpsRequest, PushReply, PushRequest, Resync, decode, write_ops};
use sync_core::service::{Actor, OpsPage};
use sync_core::tree::StateVector;
use sync_core::{OpId, SpaceId, TreeId};

use crate::app::App;
use crate::problem::{Code, Problem};

/// Ops or vertices a client may ask for at once; the service has a smaller limit of its own and keeps to it.
pub(crate) const LIMIT_MAX: u32 = 1_000_000;

/// Carries out the body of a push.
///
/// # Errors
///
/// What the service says, and `client_forked`, `mutation_gap` and `resync_required`.
pub(crate) async fn push(app: &App, actor: &Actor, space: &SpaceId, body: &[u8]) -> Result<String, Problem> {
    match app.service.push(actor, space, PushRequest::from_json(body)?).await? {
        PushReply::Done(done) => Ok(done.to_json()),
        PushReply::ClientForked => Err(Problem::new(Code::ClientForked).detail(
            "these mutation numbers were used for something else: take a new client_id and number anew",
        )),
        PushReply::MutationGap { expected } => Err(Problem::new(Code::MutationGap)
            .detail(format!("the next mutation of this client has the number {expected}"))
            .extra("expected", expected.get())),
        PushReply::ResyncRequired(resync) => Err(resync_required(resync)),
    }
}

/// The answer to a cursor that cannot be continued.
pub(crate) fn resync_required(resync: Resync) -> Problem {
    Problem::new(Code::ResyncRequired)
        .detail("the cursor cannot be continued: load a snapshot, then pull from its cursor; unsent work stays valid")
        .extra("reason", resync.reason.as_str())
        .extra("epoch", resync.epoch.to_string())
        .extra("floor", resync.floor.get())
}

/// Adds the ops in a body to a tree.
///
/// # Errors
///
/// What the service says.
pub(crate) async fn add_ops(
    app: &App,
    actor: &Actor,
    space: &SpaceId,
    tree: &TreeId,
    body: &[u8],
) -> Result<String, Problem> {
    let ops = OpsRequest::from_json(body, space, tree)?.ops;
    let added = app.service.add_ops(actor, space, tree, ops).await?;
    Ok(json!({"n_new": added.n_new, "n_known": added.n_known, "head": added.head}).to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Missing {
    vector: StateVector,
    limit: Option<u32>,
}

/// The ops that someone with the state vector in a body lacks.
///
/// # Errors
///
/// What the service says.
pub(crate) async fn missing_ops(
    app: &App,
    actor: &Actor,
    space: &SpaceId,
    tree: &TreeId,
    body: &[u8],
) -> Result<String, Problem> {
    let Missing { vector, limit } = decode(body)?;
    if limit.is_some_and(|limit| !(1..=LIMIT_MAX).contains(&limit)) {
        let why = format!("a limit is from 1 to {LIMIT_MAX}");
        return Err(Problem::new(Code::ValidationFailed).detail(why).pointer("/limit"));
    }
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    Ok(ops_to_json(&app.service.missing_ops(actor, space, tree, vector, limit).await?))
}

/// Writes ops, and where to go on.
pub(crate) fn ops_to_json(page: &OpsPage) -> String {
    let mut body = String::from("{\"ops\":");
    write_ops(&page.ops, &mut body);
    let next = page.next.as_ref().map(OpId::to_string);
    body.push_str(&format!(",\"next\":{}}}", json!(next)));
    body
}
