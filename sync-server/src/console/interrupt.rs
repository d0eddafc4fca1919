//! Being told to end: by whoever sits there, by a terminal that is closed, or by the system.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;

/// Hears of every way in which a command is asked to end, from when it is made on: none of them ends the process by itself
/// any more.
pub(super) struct Interrupts([Signal; 3]);

impl Interrupts {
    /// Begins to listen.
    pub(super) fn listen() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
        Ok(Self([on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?]))
    }

    /// Ready when one has come.
    pub(super) async fn recv(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
