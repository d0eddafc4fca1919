//! T11: the timer of a retry never fires, so whoever waits for it sleeps until the next edit, or for ever.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sync_core::Runtime;
use sync_core::simulator::{Hooks, Invariant, Scenario};

use super::caught_as;

/// A runtime whose sleeps never end.
#[derive(Debug)]
struct Endless(Arc<dyn Runtime>);

impl Runtime for Endless {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_sleep_without_end_is_caught() {
    let hooks = Hooks::default().client_runtime(|runtime, _place| Arc::new(Endless(runtime)));
    let scenario = Scenario::small().with_hooks(hooks);
    caught_as("T11", 3, &scenario, &[Invariant::Live]);
}
