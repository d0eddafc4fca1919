//! What the executor keeps: tasks, timers, who is alive, what time it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::flight::AtGate;
use crate::simulator::Dice;

/// Shared by everything that runs in one simulation.
pub(super) struct Shared {
    core: Mutex<Core>,
    /// Told when something became runnable, by whichever thread.
    pub(super) woken: Condvar,
}

/// The state of a simulation's scheduler. Futures and wakers are dropped only while it is not locked: what they do
/// when they end is not known here.
pub(super) struct Core {
    pub(super) dice: Dice,
    /// Since the beginning. Never goes back, whatever clocks do.
    pub(super) now: Duration,
    /// By number; in order, so that the end of a process is the same every time.
    pub(super) tasks: BTreeMap<u64, Task>,
    pub(super) n_tasks_ever: u64,
    /// Tasks that can be polled; one of them is, at random.
    pub(super) ready: Vec<u64>,
    /// Tasks of no process that can be polled: they are before all others, because they say what has happened already.
    pub(super) ready_first: Vec<u64>,
    pub(super) timers: BTreeMap<(Duration, u64), Waker>,
    pub(super) n_timers_ever: u64,
    /// How far the clock of each machine is off, in microseconds.
    pub(super) offsets: Vec<i64>,
    /// Which processes are alive.
    pub(super) alive: Vec<bool>,
    /// Tasks of processes that were killed, until they can be dropped.
    pub(super) dead: Vec<BoxFuture<'static, ()>>,
    /// Calls that another thread will finish.
    pub(super) n_in_flight: usize,
    pub(super) gates: Vec<AtGate>,
    pub(super) n_polls: u64,
    /// Polls since time last moved.
    pub(super) n_polls_now: u64,
}

/// A task, and whether it waits in `ready`.
pub(super) struct Task {
    pub(super) process: usize,
    /// Away while it is being polled.
    pub(super) future: Option<BoxFuture<'static, ()>>,
    pub(super) is_queued: bool,
}

/// The number of the future that [`Executor::run`](super::Executor::run) was given.
pub(super) const MAIN: u64 = 0;

/// Instead of the number of a process: what a database does once it was asked, whoever dies meanwhile.
pub(super) const OUTSIDE: usize = usize::MAX;

impl Core {
    fn enqueue(&mut self, process: usize, id: u64) {
        let queue = if process == OUTSIDE { &mut self.ready_first } else { &mut self.ready };
        queue.push(id);
    }

    /// Whether anything can be polled.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready_first.is_empty() || !self.ready.is_empty()
    }

    /// Takes out what is polled next.
    pub(super) fn take_ready(&mut self) -> u64 {
        self.ready_first.pop().unwrap_or_else(|| {
            let idx = self.dice.below(self.ready.len());
            self.ready.swap_remove(idx)
        })
    }

    /// Whether another thread is busy for someone here.
    pub(super) fn is_waited_for(&self) -> bool {
        let at_open_gates = self.gates.iter().filter(|at| at.n_inside == 0).map(|at| at.n_waiting);
        self.n_in_flight + at_open_gates.sum::<usize>() > 0
    }
}

impl Shared {
    pub(super) fn new(dice: Dice) -> Self {
        let core = Core {
            dice,
            now: Duration::ZERO,
            tasks: BTreeMap::new(),
            n_tasks_ever: MAIN,
            ready: Vec::new(),
            ready_first: Vec::new(),
            timers: BTreeMap::new(),
            n_timers_ever: 0,
            offsets: Vec::new(),
            alive: Vec::new(),
            dead: Vec::new(),
            n_in_flight: 0,
            gates: Vec::new(),
            n_polls: 0,
            n_polls_now: 0,
        };
        Self { core: Mutex::new(core), woken: Condvar::new() }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a task of `process`; does nothing if that is dead.
    pub(super) fn spawn(&self, process: usize, future: BoxFuture<'static, ()>) {
        let mut core = self.core();
        if process != OUTSIDE && !core.alive.get(process).copied().unwrap_or(false) {
            drop(core);
            return drop(future);
        }
        core.n_tasks_ever += 1;
        let id = core.n_tasks_ever;
        core.tasks.insert(id, Task { process, future: Some(future), is_queued: true });
        core.enqueue(process, id);
        self.woken.notify_all();
    }

    /// Ends a process: none of its tasks is polled any more.
    pub(super) fn kill(&self, process: usize) {
        let core = &mut *self.core();
        if let Some(alive) = core.alive.get_mut(process) {
            *alive = false;
        }
        let of_process = |_: &u64, task: &mut Task| task.process == process;
        let killed: Vec<(u64, Task)> = core.tasks.extract_if(.., of_process).collect();
        core.ready.retain(|id| !killed.iter().any(|(killed, _)| killed == id));
        core.dead.extend(killed.into_iter().filter_map(|(_, task)| task.future));
    }

    fn wake(&self, id: u64) {
        let mut core = self.core();
        let (is_new, process) = match core.tasks.get_mut(&id) {
            Some(task) => (!std::mem::replace(&mut task.is_queued, true), task.process),
            None => (id == MAIN && !core.ready.contains(&MAIN), 0),
        };
        if is_new {
            core.enqueue(process, id);
            self.woken.notify_all();
        }
    }

    pub(super) fn waker(self: &Arc<Self>, id: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { shared: Arc::downgrade(self), id }))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Makes a task runnable. Does not keep the simulation alive.
struct TaskWaker {
    shared: Weak<Shared>,
    id: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.wake(self.id);
        }
    }
}
