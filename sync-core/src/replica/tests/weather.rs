//! A way to the service whose condition can be changed while it is in use, and a clock that goes with virtual time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::transport::{Loopback, Transport};
use crate::types::SpaceId;

/// The condition of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fine,
    /// Every request fails like this.
    Failing(ErrorKind),
    /// Every request fails, and the server says when to come back.
    Busy(Duration),
    /// Requests get lost: there is never an answer.
    Lost,
    /// Requests arrive, their answers get lost.
    AnswersLost,
    /// Requests are answered at once, also where they should be held.
    Unheld,
    /// Pulls work, pushes are not allowed.
    ReadOnly,
}

#[derive(Debug)]
pub(super) struct Sky {
    inner: Loopback,
    weather: Mutex<Weather>,
    pub(super) n_pushes: AtomicU64,
    pub(super) n_pulls: AtomicU64,
}

impl Sky {
    pub(super) fn over(inner: Loopback) -> Self {
        Self { inner, weather: Mutex::new(Weather::Fine), n_pushes: 0.into(), n_pulls: 0.into() }
    }

    pub(super) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    fn get(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    /// Requests so far.
    pub(super) fn n_requests(&self) -> u64 {
        self.n_pushes.load(Ordering::SeqCst) + self.n_pulls.load(Ordering::SeqCst)
    }

    async fn pass<T>(&self, exchange: impl Future<Output = Result<T>>) -> Result<T> {
        match self.get() {
            Weather::Failing(kind) => Err(Error::new(kind, "no")),
            Weather::Busy(wait) => Err(Error::new(ErrorKind::Overloaded, "no").with_retry_after(wait)),
            Weather::Lost => std::future::pending().await,
            Weather::AnswersLost => {
                exchange.await?;
                std::future::pending().await
            }
            Weather::Fine | Weather::Unheld | Weather::ReadOnly => exchange.await,
        }
    }
}

#[async_trait]
impl Transport for Sky {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.n_pushes.fetch_add(1, Ordering::SeqCst);
        if self.get() == Weather::ReadOnly {
            return Err(Error::new(ErrorKind::Forbidden, "no").with_code("forbidden_role"));
        }
        self.pass(self.inner.push(space, push)).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.n_pulls.fetch_add(1, Ordering::SeqCst);
        let mut pull = pull.clone();
        if self.get() == Weather::Unheld {
            pull.wait = None;
        }
        self.pass(self.inner.pull(space, &pull)).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        match self.get() {
            Weather::Failing(kind) => stream::iter([Err(Error::new(kind, "no"))]).boxed(),
            Weather::Lost => stream::pending().boxed(),
            Weather::AnswersLost => {
                self.inner.snapshot(space, request).take(3).chain(stream::pending()).boxed()
            }
            _ => self.inner.snapshot(space, request),
        }
    }
}

/// A clock that shows the virtual time of the runtime.
#[derive(Debug)]
pub(super) struct VirtualClock(tokio::time::Instant);

impl VirtualClock {
    pub(super) fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000).unwrap().saturating_add(self.0.elapsed())
    }
}
