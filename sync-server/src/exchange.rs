//! Pushing, as requests and live connections both do it: a body in, the body of the answer or a problem out.

use sync_core::SpaceId;
use sync_core::protocol::{PushReply, PushRequest, Resync};
use sync_core::service::Actor;

use crate::app::App;
use crate::problem::{Code, Problem};

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
