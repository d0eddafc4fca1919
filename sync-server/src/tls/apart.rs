//! Work on files that nobody waits for at the end.
//!
//! A runtime does not end before its blocking tasks have. A file system that does not answer would so keep a server from
//! ending, which only wanted to know whether its certificate is new.

use std::thread;

use tokio::sync::oneshot;

/// Does `work` on a thread of its own. Whoever stops waiting leaves it behind, and the process may end without it.
pub(super) async fn apart(work: impl FnOnce() + Send + 'static) {
    let (done, ended) = oneshot::channel();
    let begun = thread::Builder::new().name("sync-files".to_owned()).spawn(move || {
        work();
        done.send(()).ok();
    });
    if let Err(error) = begun {
        tracing::warn!(%error, "could not start a thread to look at files");
    }
    // It fails when there was no thread or the work panicked, which was told by then.
    ended.await.ok();
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// It needed SIGKILL.
    #[test]
    fn work_that_is_stuck_does_not_keep_a_runtime_from_ending() {
        let (_never, stuck) = mpsc::channel::<()>();
        let (over, ended) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let work = apart(move || {
                stuck.recv().unwrap_err();
            });
            let waited =
                runtime.block_on(async { tokio::time::timeout(Duration::from_millis(10), work).await });
            drop(runtime);
            over.send(waited.is_err()).unwrap();
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(true));
    }

    #[tokio::test]
    async fn work_is_waited_for_also_when_it_panics() {
        let (done, seen) = mpsc::channel();
        apart(move || done.send(1).unwrap()).await;
        assert_eq!(seen.try_recv(), Ok(1));
        apart(|| panic!("as the test wants it")).await;
    }
}
