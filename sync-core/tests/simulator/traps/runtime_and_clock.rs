//! Traps in what a replica waits by: its runtime and its chances.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sync_core::simulator::Hooks;
use sync_core::{IdSource, Runtime};

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

/// T28: all wait equally long: the chance that decides how long is always the same.
#[derive(Debug)]
pub(super) struct NoJitter(Arc<dyn IdSource>);

impl NoJitter {
    /// A chance has so many bytes, and an id more.
    const CHANCE_BYTES: usize = 8;

    pub(super) fn hooks() -> Hooks {
        Hooks::default().client_ids(|ids, _place| Arc::new(Self(ids)))
    }
}

impl IdSource for NoJitter {
    fn fill(&self, bytes: &mut [u8]) {
        match bytes.len() {
            Self::CHANCE_BYTES => bytes.fill(0x55),
            _ => self.0.fill(bytes),
        }
    }
}
