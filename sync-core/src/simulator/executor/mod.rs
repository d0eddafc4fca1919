//! One thread, virtual time, and a seed that decides who runs next.
//!
//! ```text
//! something runnable? ── yes ─▶ poll one of them, at random
//!        │ no
//! calls in flight in other threads? ── yes ─▶ wait for them, and only them
//!        │ no
//! next timer? ── yes ─▶ time jumps there          none ─▶ nothing will ever happen again
//! ```
//!
//! Tasks belong to a [`Process`]; killing it drops all of them at once, as `kill -9` does. A process runs on a
//! [`Machine`], whose clock may be wrong and may jump; timers do not care.

mod core;
mod flight;
mod process;
mod sleep;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use self::core::{MAIN, OUTSIDE, Shared};
use crate::simulator::Dice;

pub(crate) use flight::{Gate, InFlight, Inside};
pub use process::{Machine, Process};
pub use sleep::Sleep;

/// How long to wait for other threads before time moves on all the same: a call may wait for something that is itself
/// asleep, such as a place in a pool of connections. Longer than a commit to a slow disk.
const GRACE: Duration = Duration::from_millis(500);
/// How often to wait that long when there is no time to move on to: a minute is more than any call takes.
const GRACES_MAX: u32 = 120;
/// Polls before time has to move. A simulation of some dozen tasks needs hundreds; whoever needs this many spins.
const POLLS_PER_MOMENT_MAX: u64 = 200_000;

/// Why a simulation cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// Nothing is runnable and no timer is armed.
    #[error("nothing is runnable and no timer is armed: whatever is waited for will never come")]
    Asleep,
    /// Tasks run for ever while no time passes.
    #[error("{POLLS_PER_MOMENT_MAX} polls and no time has passed: something spins")]
    Spinning,
}

/// A deterministic executor. Dropping it ends everything that runs in it.
///
/// ```
/// use std::time::Duration;
/// use sync_core::Runtime;
/// use sync_core::simulator::{Dice, Executor};
/// let executor = Executor::new(Dice::new(7));
/// let process = executor.machine(Duration::ZERO).start();
/// let day = Duration::from_secs(24 * 3600);
/// executor.run(process.sleep(day))?;
/// assert_eq!(executor.now(), day, "it took no time at all");
/// # Ok::<_, sync_core::simulator::Stuck>(())
/// ```
#[derive(Debug)]
pub struct Executor(Arc<Shared>);

/// What to do next.
enum Next {
    Poll(u64),
    /// Timers are due.
    Again,
}

impl Executor {
    /// An executor whose choices `dice` make.
    pub fn new(dice: Dice) -> Self {
        Self(Arc::new(Shared::new(dice)))
    }

    /// How much virtual time has passed.
    pub fn now(&self) -> Duration {
        self.0.core().now
    }

    /// How often something was polled: a measure of how much happened.
    pub fn n_polls(&self) -> u64 {
        self.0.core().n_polls
    }

    /// A machine whose clock is ahead by `ahead`.
    pub fn machine(&self, ahead: Duration) -> Machine {
        Machine::new(&self.0, ahead)
    }

    /// A place where writers take turns.
    pub(crate) fn gate(&self) -> Gate {
        Gate::new(&self.0)
    }

    /// Runs everything until `main` is done.
    ///
    /// # Errors
    ///
    /// [`Stuck`] when it will never be.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> Result<T, Stuck> {
        let mut main = pin!(main);
        let waker = self.0.waker(MAIN);
        self.0.core().ready.push(MAIN);
        loop {
            self.bury();
            match self.next()? {
                Next::Poll(MAIN) => {
                    if let Poll::Ready(result) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Ok(result);
                    }
                }
                Next::Poll(id) => self.poll(id),
                Next::Again => {}
            }
        }
    }

    fn next(&self) -> Result<Next, Stuck> {
        let mut core = self.0.core();
        let mut n_graces = 0;
        loop {
            if core.is_ready() {
                return self.choose(&mut core);
            }
            let may_wait_more = core.timers.is_empty() && n_graces < GRACES_MAX;
            if core.is_waited_for() && (n_graces == 0 || may_wait_more) {
                let waited = self.0.woken.wait_timeout(core, GRACE);
                core = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
                n_graces += 1;
                continue;
            }
            drop(core);
            return self.advance();
        }
    }

    fn choose(&self, core: &mut self::core::Core) -> Result<Next, Stuck> {
        core.n_polls += 1;
        core.n_polls_now += 1;
        if core.n_polls_now > POLLS_PER_MOMENT_MAX {
            return Err(Stuck::Spinning);
        }
        let id = core.take_ready();
        if let Some(task) = core.tasks.get_mut(&id) {
            task.is_queued = false;
        }
        Ok(Next::Poll(id))
    }

    /// Moves time on to the next timer and wakes all who wait for that moment.
    fn advance(&self) -> Result<Next, Stuck> {
        let mut due = Vec::new();
        {
            let core = &mut *self.0.core();
            let (now, _) = *core.timers.keys().next().ok_or(Stuck::Asleep)?;
            (core.now, core.n_polls_now) = (now, 0);
            while let Some(timer) = core.timers.first_entry().filter(|timer| timer.key().0 == now) {
                due.push(timer.remove());
            }
        }
        due.into_iter().for_each(std::task::Waker::wake);
        Ok(Next::Again)
    }

    fn poll(&self, id: u64) {
        let taken = self.0.core().tasks.get_mut(&id).and_then(|task| task.future.take());
        let Some(mut future) = taken else { return };
        let waker = self.0.waker(id);
        let is_done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut core = self.0.core();
        // It is not there any more when its process was killed meanwhile, also by itself.
        let left = match core.tasks.get_mut(&id) {
            Some(_) if is_done => core.tasks.remove(&id).map(|_| future),
            Some(task) => task.future.replace(future),
            None => Some(future),
        };
        drop(core);
        drop(left);
    }

    /// Drops the tasks of processes that were killed, and what they spawn while they end.
    fn bury(&self) {
        loop {
            let dead = std::mem::take(&mut self.0.core().dead);
            if dead.is_empty() {
                return;
            }
            drop(dead);
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let n_processes = self.0.core().alive.len();
        (0..n_processes).chain([OUTSIDE]).for_each(|process| self.0.kill(process));
        self.bury();
    }
}

#[cfg(test)]
mod tests;
