//! The threads that hash: work in, in the order in which it comes, and memory given back when there is none.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hasher::Hasher;

/// How long a thread without work keeps its memory. 1 s: whoever signs in next within that need not wait for it.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// What a thread does.
type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// Threads of their own, each with the memory for one hash. They end when this is dropped and what was begun is done.
pub(super) struct Workers(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    is_over: bool,
}

impl Workers {
    /// One thread for each of these.
    pub(super) fn start(hashers: impl IntoIterator<Item = Hasher>) -> Self {
        let queue = Arc::new(Queue::default());
        for hasher in hashers {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.work(hasher));
        }
        Self(queue)
    }

    /// Has a thread do this when those before it are done.
    pub(super) fn run(&self, job: impl FnOnce(&mut Hasher) + Send + 'static) {
        self.0.lock().jobs.push_back(Box::new(job));
        self.0.changed.notify_one();
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn work(&self, mut hasher: Hasher) {
        while let Some(job) = self.next(&mut hasher) {
            // A worker that died would be missed for ever; whoever waited hears that there is no answer.
            if catch_unwind(AssertUnwindSafe(|| job(&mut hasher))).is_err() {
                tracing::error!("hashing a password panicked");
            }
        }
    }

    /// The next job; none when there will be no more.
    fn next(&self, hasher: &mut Hasher) -> Option<Job> {
        let is_idle = |state: &mut State| state.jobs.is_empty() && !state.is_over;
        let waited = self.changed.wait_timeout_while(self.lock(), KEPT_FOR, is_idle);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            drop(state);
            hasher.forget();
            state = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        }
        state.jobs.pop_front()
    }

    /// Jobs run without the lock, so every change of the state is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use argon2::Params;

    use super::*;

    fn workers(n: usize) -> Workers {
        Workers::start((0..n).map(|_| Hasher::new(Params::new(8, 1, 1, None).unwrap())))
    }

    /// How much memory the worker has that takes the next job.
    fn n_blocks(workers: &Workers) -> usize {
        let (reply, answer) = mpsc::channel();
        workers.run(move |hasher| reply.send(hasher.n_blocks()).unwrap());
        answer.recv().unwrap()
    }

    #[test]
    fn memory_is_kept_for_a_moment_and_then_given_back() {
        let workers = workers(1);
        workers.run(|hasher| drop(hasher.hash(b"correct horse", &[7; 16])));
        assert!(n_blocks(&workers) >= 8);
        std::thread::sleep(2 * KEPT_FOR);
        assert_eq!(n_blocks(&workers), 0);
    }

    #[test]
    fn all_work_at_once_and_one_that_panics_works_on() {
        let workers = workers(2);
        let (near, far) = (Arc::new(std::sync::Barrier::new(3)), mpsc::channel());
        for _ in 0..2 {
            workers.run(|_| panic!("a job of the test"));
        }
        for _ in 0..2 {
            let (near, reply) = (Arc::clone(&near), far.0.clone());
            workers.run(move |_| {
                near.wait();
                reply.send(()).unwrap();
            });
        }
        near.wait();
        assert_eq!(far.1.iter().take(2).count(), 2);
    }

    #[test]
    fn what_was_asked_for_is_done_before_the_end() {
        let (reply, answers) = mpsc::channel();
        let workers = workers(1);
        for n in 0..10 {
            let reply = reply.clone();
            workers.run(move |_| reply.send(n).unwrap());
        }
        drop((workers, reply));
        assert_eq!(answers.iter().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }
}
