//! Tasks that run side by side, and patience that ends: a store that hangs fails its test instead of stopping the run.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::{Either, join_all, select};

use crate::conformance::Subject;
use crate::error::{Error, ErrorKind};

/// How long anything may take before it counts as hanging: far more than a slow disk needs for the largest test.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long something that has to wait is watched doing so: enough for a store that does not wait to come back.
const GRACE: Duration = Duration::from_millis(100);

/// Runs every future as a task of its own, all at the same time, and yields their results in order.
///
/// # Panics
///
/// When a task panics, with its message, after all have ended; and when they take two minutes.
pub async fn in_parallel<F>(subject: &dyn Subject, tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = subject.runtime();
    let start = |task: F| {
        let (sender, receiver) = oneshot::channel();
        runtime.spawn(Box::pin(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            drop(sender.send(ended));
        }));
        receiver
    };
    let started: Vec<_> = tasks.into_iter().map(start).collect();
    let ended = in_time(subject, "the tasks of this test", join_all(started)).await;
    let result = |ended: Result<_, _>| match ended {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(oneshot::Canceled) => panic!("the runtime dropped a task before its end"),
    };
    ended.into_iter().map(result).collect()
}

/// Waits for `future`, but not for ever.
///
/// # Panics
///
/// When it takes two minutes; `what` says what was waited for.
pub async fn in_time<F: Future>(subject: &dyn Subject, what: &str, future: F) -> F::Output {
    match select(Box::pin(future), subject.runtime().sleep(PATIENCE)).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("{what}: no end after {PATIENCE:?}"),
    }
}

/// What `future` yields within a moment; `None` while it waits, as it should.
pub(super) async fn too_early<F>(subject: &dyn Subject, future: &mut F) -> Option<F::Output>
where
    F: Future + Unpin,
{
    match select(future, subject.runtime().sleep(GRACE)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Whether this error says that waiting took too long: nothing happened, and the same call may be made again.
pub fn is_contended(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Contended | ErrorKind::Overloaded)
}
