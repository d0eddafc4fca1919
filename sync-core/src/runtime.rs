//! What the library needs of an async runtime: start a task, wait a while.
//!
//! The default build brings no runtime. Applications on tokio take [`TokioRuntime`] (feature `tokio`); the simulator
//! brings its own, in which time is virtual.

use std::time::Duration;

use futures_util::future::BoxFuture;

/// Starts tasks and waits.
///
/// Database work runs in tasks of its own, never in the future of a request: a request's future is dropped when its
/// client goes away, and a transaction dropped half way can poison a pooled connection.
pub trait Runtime: Send + Sync + std::fmt::Debug {
    /// Runs `task` to its end, independently of the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The tokio runtime that is current when a task is started.
///
/// # Panics
///
/// Its methods panic outside a tokio runtime.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioRuntime;

#[cfg(feature = "tokio")]
impl Runtime for TokioRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// One tokio runtime in particular, whichever is current when a task is started.
///
/// A server that gives its database work a runtime of its own keeps it from queueing behind its connections: a commit
/// has several steps, and each would wait for its turn among all requests that have arrived meanwhile.
#[cfg(feature = "tokio")]
#[derive(Clone, Debug)]
pub struct TokioHandle(pub tokio::runtime::Handle);

#[cfg(feature = "tokio")]
impl Runtime for TokioHandle {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _entered = self.0.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}
