//! Machines with clocks that may be wrong, and processes on them that may be killed.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::core::{OUTSIDE, Shared};
use super::flight::InFlight;
use super::sleep::Sleep;
use crate::clock::{Clock, Timestamp};
use crate::runtime::Runtime;

/// What clocks show when a simulation begins, if they are right: 14 November 2023, as good a day as any.
const BEGINNING_US: i64 = 1_700_000_000_000_000;

/// A machine: it has a clock, and processes run on it one after the other.
#[derive(Clone, Debug)]
pub struct Machine {
    shared: Arc<Shared>,
    idx: usize,
}

impl Machine {
    pub(super) fn new(shared: &Arc<Shared>, ahead: Duration) -> Self {
        let mut core = shared.core();
        core.offsets.push(i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX));
        let idx = core.offsets.len() - 1;
        drop(core);
        Self { shared: Arc::clone(shared), idx }
    }

    /// Starts a process.
    pub fn start(&self) -> Process {
        let mut core = self.shared.core();
        core.alive.push(true);
        let idx = core.alive.len() - 1;
        drop(core);
        Process { machine: self.clone(), idx }
    }

    /// Makes the clock jump by so many microseconds, also back. Timers are not touched.
    pub fn jump(&self, by_us: i64) {
        if let Some(offset) = self.shared.core().offsets.get_mut(self.idx) {
            *offset = offset.saturating_add(by_us);
        }
    }

    /// How far the clock is off, in microseconds.
    pub fn is_off_by(&self) -> i64 {
        self.shared.core().offsets.get(self.idx).copied().unwrap_or(0)
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let core = self.shared.core();
        let passed = i64::try_from(core.now.as_micros()).unwrap_or(i64::MAX);
        let offset = core.offsets.get(self.idx).copied().unwrap_or(0);
        let shown = BEGINNING_US.saturating_add(passed).saturating_add(offset);
        Timestamp::from_micros(shown.clamp(0, Timestamp::MAX.as_micros())).unwrap_or(Timestamp::MAX)
    }
}

/// A process: the tasks that end together. All clones are the same process.
///
/// It is the [`Runtime`] and the [`Clock`] of what runs in it. Once it was killed, tasks that are started in it are
/// dropped unseen.
///
/// ```
/// use std::time::Duration;
/// use sync_core::simulator::{Dice, Executor};
/// let executor = Executor::new(Dice::new(7));
/// let machine = executor.machine(Duration::ZERO);
/// let (process, next) = (machine.start(), machine.start());
/// let answer = process.call(std::future::pending::<u8>());
/// process.kill();
/// assert_eq!(executor.run(answer), Ok(None), "nobody is left to answer");
/// assert_eq!(executor.run(next.call(async { 7 })), Ok(Some(7)));
/// ```
#[derive(Clone, Debug)]
pub struct Process {
    machine: Machine,
    idx: usize,
}

impl Process {
    /// Ends the process: all its tasks are dropped before anything else runs.
    pub fn kill(&self) {
        self.machine.shared.kill(self.idx);
    }

    /// Whether it has not been killed.
    pub fn is_alive(&self) -> bool {
        self.machine.shared.core().alive.get(self.idx).copied().unwrap_or(false)
    }

    /// The machine it runs on.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// How much virtual time has passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.machine.shared.core().now
    }

    /// Starts `work` in this process and yields what it comes to; `None` if the process dies first.
    pub fn call<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, Option<T>> {
        let (tell, told) = oneshot::channel();
        self.spawn(
            async move {
                // Whoever asked may be gone by now.
                let _ = tell.send(work.await);
            }
            .boxed(),
        );
        told.map(Result::ok).boxed()
    }

    /// Yields what `work` comes to, which goes on to its end also if this process dies: what a database does once it was
    /// asked. Work that ends when it is first looked at is over before anything else happens.
    pub(crate) async fn outlived<T: Send + 'static>(&self, mut work: BoxFuture<'static, T>) -> T {
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return done;
        }
        let (tell, told) = oneshot::channel();
        let work = InFlight::new(self, None, work).map(|done| {
            // Whoever asked may be dead by now.
            let _ = tell.send(done);
        });
        self.shared().spawn(OUTSIDE, work.boxed());
        match told.await {
            Ok(done) => done,
            // Only the end of the simulation ends it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Lets others run first, if there are any.
    pub async fn yield_now(&self) {
        let mut has_yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.machine.shared
    }
}

impl Runtime for Process {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.shared().spawn(self.idx, task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Sleep::new(self.shared(), duration).boxed()
    }
}

impl Clock for Process {
    fn now(&self) -> Timestamp {
        self.machine.now()
    }
}
