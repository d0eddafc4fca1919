//! Waiting for virtual time to pass.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::core::Shared;

/// Resolves when a time has passed.
#[derive(Debug)]
pub struct Sleep {
    shared: Arc<Shared>,
    at: Duration,
    /// Its place among the timers.
    armed: Option<(Duration, u64)>,
}

impl Sleep {
    pub(super) fn new(shared: &Arc<Shared>, duration: Duration) -> Self {
        let at = shared.core().now.saturating_add(duration);
        Self { shared: Arc::clone(shared), at, armed: None }
    }

    fn disarm(&mut self) {
        let timer = self.armed.take().and_then(|place| self.shared.core().timers.remove(&place));
        drop(timer);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.disarm();
        let waker = cx.waker().clone();
        let mut core = this.shared.core();
        if core.now >= this.at {
            return Poll::Ready(());
        }
        core.n_timers_ever += 1;
        let place = (this.at, core.n_timers_ever);
        core.timers.insert(place, waker);
        drop(core);
        this.armed = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}
