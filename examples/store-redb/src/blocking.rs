//! redb blocks, so its calls run where that is allowed.

use sync_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

use crate::error::{Job, corrupt};

/// Runs `job` on a thread that may block. It runs to its end also when the returned future is dropped.
pub(crate) async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Job<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(job).await {
        Ok(ended) => ended.map_err(|failure| failure.0),
        // Keys are compared as text while redb searches, and text that is none is a panic.
        Err(error) if error.is_panic() => {
            Err(corrupt("redb could not make sense of the file").with_source(error))
        }
        Err(error) => {
            Err(Error::new(ErrorKind::Unavailable, "the runtime is shutting down").with_source(error))
        }
    }
}

/// Drops `value` where that may block; here, where no runtime is left.
pub(crate) fn drop_blocking(value: impl Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        drop(runtime.spawn_blocking(move || drop(value)));
    }
}
