//! A problem as a message.

use sync_core::SpaceId;
use sync_core::protocol::Refusal;

use crate::problem::Problem;

/// What is told of a problem, of the space it is about, and of the message it answers.
pub(super) fn refused(problem: &Problem, space: Option<&SpaceId>, reference: Option<String>) -> Refusal {
    let member = |name: &str| problem.members().get(name);
    Refusal {
        code: problem.code().as_str().into(),
        detail: problem.text().into(),
        space: space.cloned(),
        reference,
        pointer: member("pointer").and_then(|at| at.as_str()).map(str::to_owned),
        retry_after: problem.retry_after_s(),
        expected: member("expected").and_then(serde_json::Value::as_i64),
    }
}
