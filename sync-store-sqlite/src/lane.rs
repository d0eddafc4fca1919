//! A few connections to one file, lent one at a time.
//!
//! Not sqlx's pool: a connection that reported an error must never serve again, giving one back must not need a
//! runtime, and a file may only be deleted once every connection to it is known to be closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use sync_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::sorted;

/// Up to a number of connections with the same settings, opened when first needed. Who waits is served in order.
#[derive(Debug)]
pub(crate) struct Lane {
    options: SqliteConnectOptions,
    n_connections: u32,
    wait_max: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<SqliteConnection>>,
}

/// A connection on loan. When it is dropped the connection goes back, after a rollback where need be.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Both are there until the lease is dropped.
    loan: Option<(SqliteConnection, OwnedSemaphorePermit)>,
    lane: Arc<Lane>,
    state: State,
}

/// What has to be done with a connection when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing.
    Clean,
    /// A transaction may be open.
    InTransaction,
    /// Its state is not known.
    Spoiled,
}

impl Lane {
    pub(crate) fn new(options: SqliteConnectOptions, n_connections: usize, wait_max: Duration) -> Arc<Self> {
        let n_connections = u32::try_from(n_connections).unwrap_or(u32::MAX).max(1);
        let permits = Arc::new(Semaphore::new(n_connections as usize));
        Arc::new(Self { options, n_connections, wait_max, permits, idle: Mutex::default() })
    }

    /// Lends a connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`] after waiting too long, [`ErrorKind::NotFound`] once the lane is closed.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Lease> {
        let permit = tokio::time::timeout(self.wait_max, self.permits.clone().acquire_owned());
        let permit = permit.await.map_err(|_| too_long())?.map_err(|_| closed())?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|error| self.cannot_open(error))?,
        };
        Ok(Lease { loan: Some((connection, permit)), lane: self.clone(), state: State::Clean })
    }

    /// Sends away who waits, now and later. What is on loan stays so.
    pub(crate) fn refuse(&self) {
        self.permits.close();
    }

    /// Waits until nothing is on loan, then closes every connection. Who waits for one is told that there is none.
    pub(crate) async fn close(&self) {
        // Fails only when it is closed already, and then there is nothing to wait for.
        let all = self.permits.acquire_many(self.n_connections).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, file = %self.options.get_filename().display(), "closing a database");
            }
        }
    }

    fn cannot_open(&self, error: sqlx::Error) -> Error {
        sorted(&format!("open {}", self.options.get_filename().display()), error)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The connection.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.loan.as_mut().expect("the loan is taken out by drop alone").0
    }

    /// Says whether a transaction may be open. Say it before it is begun: whoever begins may go away meanwhile.
    pub(crate) fn must_roll_back(&mut self, must: bool) {
        self.state = if must { State::InTransaction } else { State::Clean };
    }

    /// Has the connection closed instead of given back: after an error its state is not known.
    pub(crate) fn spoil(&mut self) {
        self.state = State::Spoiled;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((connection, permit)) = self.loan.take() else { return };
        if self.state == State::Clean {
            self.lane.idle().push(connection);
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(clean(connection, self.lane.clone(), self.state, permit));
        }
    }
}

/// Rolls back or closes. The permit goes along, so that the next one in the lane and who closes the lane wait for it.
async fn clean(
    mut connection: SqliteConnection,
    lane: Arc<Lane>,
    state: State,
    permit: OwnedSemaphorePermit,
) {
    let is_clean =
        state == State::InTransaction && sqlx::query("ROLLBACK").execute(&mut connection).await.is_ok();
    if is_clean {
        lane.idle().push(connection);
    } else {
        drop(connection.close().await);
    }
    drop(permit);
}

fn too_long() -> Error {
    Error::new(ErrorKind::Overloaded, "waited too long for a connection to the database")
}

fn closed() -> Error {
    Error::new(ErrorKind::NotFound, "the database is closed")
}
