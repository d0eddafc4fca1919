//! The queue before the one writer that redb has.
//!
//! redb's `begin_write` blocks its thread until the writer before it has ended. Waiting here first means that it never
//! has to, that whoever gives up leaves the queue by being dropped, and that no one waits for ever.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a writer waits for those before it: more than a commit takes on a slow disk.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Where writers wait, first come, first served.
#[derive(Clone, Debug)]
pub(crate) struct Writers(Arc<Semaphore>);

/// The right to call `begin_write`; the next in the queue has it when this is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Writers {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    pub(crate) async fn turn(&self) -> Result<Turn> {
        match timeout(WAIT_MAX, Arc::clone(&self.0).acquire_owned()).await {
            Ok(turn) => Ok(turn.expect("the semaphore is never closed")),
            Err(_) => Err(Error::new(
                ErrorKind::Overloaded,
                format!("another write transaction did not end within {WAIT_MAX:?}"),
            )),
        }
    }
}
