//! Where a running server takes commands: a Unix socket beside its store, for whoever owns the store.
//!
//! A store of files belongs to one process, so a command cannot open it beside the server. It is sent to the server
//! instead: one connection, one line of JSON there, one line back. The system decides who may: the socket has mode 0600
//! from the moment it can be reached, and who listens there must be who could read the store anyhow. A Postgres store has no such socket; everyone who may opens the database.

mod call;
mod line;
mod peer;
mod place;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) use call::{Unanswered, call};

use crate::config::StoreUrl;
use crate::operate::{Command, Operator};
use crate::problem::{Code, Problem};
use line::{Reply, read, write};

/// Commands at the same time. 8: there are few operators; who comes ninth waits.
const AT_ONCE: u32 = 8;

/// How long a command may take to arrive, and an answer to be taken. 10 s: both ends are on one machine.
const PASSING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of the server waits for commands that are being carried out. 5 s: what they change is durable or not
/// at all, so nothing breaks that is cut.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after the system refused a socket, usually for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Bytes of a command: a name and a password, generously.
const COMMAND_BYTES_MAX: u64 = 64 << 10;

/// The socket of a server. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Control {
    /// `None` for a store that has no such place, or where none could be made.
    socket: Option<(UnixListener, PathBuf)>,
    turns: Arc<Semaphore>,
}

impl Control {
    /// Listens beside a store, which must be open: then nobody else listens there, and what a dead server left is replaced.
    /// Where that is not possible the log says so, and the server does without.
    pub(crate) fn open(store: &StoreUrl) -> Self {
        let socket = store.control_path().and_then(|path| match place::listen(&path) {
            Ok(listener) => Some((listener, path)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(),
                    "takes no commands while it runs: `user`, `device` and `space` need it stopped");
                None
            }
        });
        Self { socket, turns: Arc::new(Semaphore::new(AT_ONCE as usize)) }
    }

    /// Has `operator` carry out commands for as long as it is polled. Each is carried out in a task of its own, whether or not its sender
    /// waits for the answer.
    pub(crate) async fn serve(&self, operator: Operator) {
        let Some((listener, _)) = &self.socket else { return std::future::pending().await };
        loop {
            let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let operator = operator.clone();
                    tokio::spawn(async move {
                        answer(stream, operator).await;
                        drop(turn);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a command");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Takes no more commands, and waits a moment for those that are being carried out.
    pub(crate) async fn close(mut self) {
        self.remove();
        if timeout(CLOSE_TIMEOUT, self.turns.acquire_many(AT_ONCE)).await.is_err() {
            tracing::warn!("ended while a command was being carried out");
        }
    }

    fn remove(&mut self) {
        if let Some((_, path)) = self.socket.take()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::debug!(%error, "could not remove the socket for commands");
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.remove();
    }
}

async fn answer(mut stream: UnixStream, operator: Operator) {
    let Ok(Ok(command)) = timeout(PASSING_TIMEOUT, read(&mut stream, COMMAND_BYTES_MAX)).await else {
        return tracing::debug!("a command did not arrive");
    };
    let outcome = match serde_json::from_slice::<Command>(&command) {
        Ok(command) => operator.carry_out(command).await,
        Err(_) => Err(Problem::new(Code::ValidationFailed).detail(format!(
            "the running server ({}) does not understand this command: use the program it was started from",
            env!("CARGO_PKG_VERSION")
        ))),
    };
    let written = timeout(PASSING_TIMEOUT, write(&mut stream, &Reply::from(outcome))).await;
    if !matches!(written, Ok(Ok(()))) {
        tracing::debug!("nobody waited for what became of a command");
    }
}

/// What a path is too long for, said so that it can be mended.
fn too_long(path: &Path) -> io::Error {
    let text =
        format!("the path {} is longer than a socket may have: serve from a shorter one", path.display());
    io::Error::new(io::ErrorKind::InvalidFilename, text)
}

#[cfg(test)]
mod tests;
