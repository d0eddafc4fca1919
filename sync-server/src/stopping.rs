//! Word that the server is about to end, for requests that would otherwise wait.

use tokio::sync::watch;

/// Says when the server stops. Clones tell and hear of the same end.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stopping = sync_server::stopping::Stopping::default();
/// stopping.clone().begin();
/// stopping.begun().await;
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stopping(watch::Sender<bool>);

impl Stopping {
    /// Tells all who wait, now and later.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the server stops; if it has begun to, not at all.
    pub async fn begun(&self) {
        // It cannot fail: the sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }
}
