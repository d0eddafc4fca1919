//! Lanes: where pushes to one space wait, and are folded into one transaction per commit.
//!
//! A commit costs one sync of the disk however much is in it, and a space has one writer. So whoever arrives while a
//! commit is under way waits in the lane, and the next commit takes all of them: contention becomes throughput.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PushReply, PushRequest};
use crate::service::{Actor, Inner, Limits, commit};
use crate::types::SpaceId;

/// A push that waits.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) actor: Actor,
    pub(super) push: PushRequest,
    /// By which a repeated batch is known.
    pub(super) batch_hash: [u8; 16],
    n_bytes: usize,
    reply: oneshot::Sender<Result<PushReply>>,
}

/// The lanes in use. A lane exists while something waits in it or is being committed.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<SpaceId, Lane>>);

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Job>,
    n_bytes: usize,
}

impl Lane {
    /// Whether there is no room for a job. A lane in which nothing waits has room for any.
    fn is_full(&self, job: &Job, limits: &Limits) -> bool {
        !self.waiting.is_empty()
            && (self.waiting.len() >= limits.lane_jobs_max
                || self.n_bytes.saturating_add(job.n_bytes) > limits.lane_bytes_max)
    }
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceId, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; says whether the lane is new, so that someone must run it.
    fn join(&self, space: &SpaceId, job: Job, limits: &Limits) -> Result<bool> {
        let mut lanes = self.lock();
        if lanes.get(space).is_some_and(|lane| lane.is_full(&job, limits)) {
            return Err(Error::new(ErrorKind::Overloaded, format!("too many pushes wait for space {space}"))
                .with_retry_after(Duration::from_secs(1)));
        }
        let is_new = !lanes.contains_key(space);
        let lane = lanes.entry(space.clone()).or_default();
        lane.n_bytes += job.n_bytes;
        lane.waiting.push_back(job);
        Ok(is_new)
    }

    /// The jobs of the next commit. None left: the lane is gone.
    fn next(&self, space: &SpaceId, limits: &Limits) -> Vec<Job> {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(space) else { return Vec::new() };
        let mut n_mutations = 0;
        let mut jobs = Vec::new();
        while let Some(job) = lane.waiting.pop_front() {
            n_mutations += job.push.mutations.len();
            if !jobs.is_empty() && n_mutations > limits.commit_mutations_max {
                lane.waiting.push_front(job);
                break;
            }
            lane.n_bytes = lane.n_bytes.saturating_sub(job.n_bytes);
            jobs.push(job);
        }
        if jobs.is_empty() {
            lanes.remove(space);
        }
        jobs
    }
}

/// Puts a push into the lane of its space and waits for its answer.
pub(super) async fn submit(
    inner: &Arc<Inner>,
    space: &SpaceId,
    actor: Actor,
    push: PushRequest,
) -> Result<PushReply> {
    let (reply, answer) = oneshot::channel();
    let (batch_hash, n_bytes) = push.digest();
    let job = Job { actor, push, batch_hash, n_bytes, reply };
    if inner.lanes.join(space, job, &inner.limits)? {
        let runner = Runner { inner: Arc::clone(inner), space: space.clone(), is_done: false };
        inner.runtime.spawn(Box::pin(runner.run()));
    }
    answer.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the lane of the space has died")))
}

/// Whoever empties a lane. There is one for each lane there is.
struct Runner {
    inner: Arc<Inner>,
    space: SpaceId,
    is_done: bool,
}

impl Runner {
    /// Commits until nobody waits any more.
    async fn run(mut self) {
        loop {
            let jobs = self.inner.lanes.next(&self.space, &self.inner.limits);
            if jobs.is_empty() {
                self.is_done = true;
                return;
            }
            self.serve(jobs).await;
        }
    }

    /// Commits jobs together. If that cannot work because of one of them, each has to stand alone.
    async fn serve(&self, jobs: Vec<Job>) {
        let result = self.commit(&jobs).await;
        let is_of_one = |error: &Error| {
            use ErrorKind as K;
            matches!(error.kind(), K::Corrupt | K::Invalid | K::Incompatible | K::Internal)
        };
        if jobs.len() == 1 || !result.as_ref().is_err_and(is_of_one) {
            return self.answer(jobs, result);
        }
        for job in jobs {
            let result = self.commit(std::slice::from_ref(&job)).await;
            self.answer(vec![job], result);
        }
    }

    async fn commit(&self, jobs: &[Job]) -> Result<Vec<Result<PushReply>>> {
        self.inner.retried(|| commit::commit(&self.inner, &self.space, jobs)).await
    }

    /// Tells everyone. Who has gone away meanwhile finds the answer stored when they repeat the batch.
    fn answer(&self, jobs: Vec<Job>, result: Result<Vec<Result<PushReply>>>) {
        match result {
            Ok(replies) => {
                for (job, reply) in jobs.into_iter().zip(replies) {
                    let _ = job.reply.send(reply);
                }
            }
            Err(error) => {
                let n_pushes = jobs.len();
                // Here, because those who wait get the error without its cause.
                let source = std::error::Error::source(&error);
                tracing::warn!(space = %self.space, kind = ?error.kind(), %error, source, n_pushes, "a commit failed");
                for job in jobs {
                    let _ = job.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Drop for Runner {
    /// If a runner dies, by a panic or with its runtime, those who wait must hear of it and the next push must find no
    /// lane.
    fn drop(&mut self) {
        if !self.is_done {
            let lane = self.inner.lanes.lock().remove(&self.space);
            // Only now, without the lock: it wakes those who wait.
            drop(lane);
        }
    }
}
