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
use crate::service::{Actor, Inner, Limits, push};
use crate::types::SpaceId;

/// A push that waits.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) actor: Actor,
    pub(super) push: PushRequest,
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

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceId, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; says whether the lane is new, so that someone must run it.
    fn join(&self, space: &SpaceId, job: Job, limits: &Limits) -> Result<bool> {
        let mut lanes = self.lock();
        let is_new = !lanes.contains_key(space);
        let lane = lanes.entry(space.clone()).or_default();
        let is_full = lane.waiting.len() >= limits.lane_jobs_max
            || (lane.n_bytes > 0 && lane.n_bytes.saturating_add(job.n_bytes) > limits.lane_bytes_max);
        if is_full {
            return Err(Error::new(ErrorKind::Overloaded, format!("too many pushes wait for space {space}"))
                .with_retry_after(Duration::from_secs(1)));
        }
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
    n_bytes: usize,
) -> Result<PushReply> {
    let (reply, answer) = oneshot::channel();
    let job = Job { actor, push, n_bytes, reply };
    if inner.lanes.join(space, job, &inner.limits)? {
        let (inner, space) = (Arc::clone(inner), space.clone());
        let runtime = Arc::clone(&inner.runtime);
        runtime.spawn(Box::pin(async move { run(&inner, &space).await }));
    }
    answer.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the lane of the space has died")))
}

/// Commits until nobody waits any more.
async fn run(inner: &Arc<Inner>, space: &SpaceId) {
    let _guard = Guard { inner, space };
    loop {
        let jobs = inner.lanes.next(space, &inner.limits);
        if jobs.is_empty() {
            return;
        }
        match commit(inner, space, &jobs).await {
            Ok(replies) => {
                for (job, reply) in jobs.into_iter().zip(replies) {
                    let _ = job.reply.send(reply);
                }
            }
            Err(error) => {
                tracing::warn!(%space, kind = ?error.kind(), %error, n_pushes = jobs.len(), "a commit failed");
                for job in jobs {
                    let _ = job.reply.send(Err(error.share()));
                }
            }
        }
    }
}

/// If a lane's task dies, those who wait must hear of it and the next push must find no lane.
struct Guard<'a> {
    inner: &'a Inner,
    space: &'a SpaceId,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // After a normal end the lane is gone already, or a new one has begun with a task of its own.
        if std::thread::panicking() {
            self.inner.lanes.lock().remove(self.space);
        }
    }
}

/// One commit for all jobs, tried again when another process was in the way.
async fn commit(inner: &Arc<Inner>, space: &SpaceId, jobs: &[Job]) -> Result<Vec<Result<PushReply>>> {
    let mut attempt = 1;
    loop {
        match push::commit(inner, space, jobs).await {
            Err(error) if error.kind() == ErrorKind::Contended && attempt < inner.limits.attempts_max => {
                inner.runtime.sleep(RETRY_DELAY * 2u32.saturating_pow(attempt)).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

/// The first wait after a lost race; it doubles with every attempt.
const RETRY_DELAY: Duration = Duration::from_millis(2);
