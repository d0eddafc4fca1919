//! Traps in what a replica waits by.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sync_core::Runtime;
use sync_core::simulator::Hooks;

/// T11: sleeps that never end.
#[derive(Debug)]
pub(super) struct Endless(Arc<dyn Runtime>);

impl Endless {
    pub(super) fn hooks() -> Hooks {
        Hooks::default().client_runtime(|runtime, _place| Arc::new(Self(runtime)))
    }
}

impl Runtime for Endless {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}
