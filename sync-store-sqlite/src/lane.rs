//! A few connections to one file, lent one at a time.
//!
//! Not sqlx's pool: a connection that reported an error must never serve again, one that is on loan can be taken away
//! when its space is deleted, and whoever closes the lane knows afterwards that every connection is closed. SQLite
//! needs that: a connection that closes later removes the WAL of whatever database has its path by then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use sync_core::{Error, ErrorKind, Result};
use tokio::sync::{MappedMutexGuard, Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::sorted;

/// Up to a number of connections with the same settings, opened when first needed. Who waits is served in order.
#[derive(Debug)]
pub(crate) struct Lane {
    options: SqliteConnectOptions,
    n_connections: u32,
    n_kept: usize,
    wait_max: Duration,
    permits: Arc<Semaphore>,
    /// Whether it is closed because what the file was for is gone, and not because the store closes.
    is_gone: AtomicBool,
    /// `None` once the lane is closed.
    books: Mutex<Option<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    idle: Vec<SqliteConnection>,
    loans: Vec<Weak<Slot>>,
}

/// Where a connection on loan is; empty when it was taken away.
type Slot = AsyncMutex<Option<SqliteConnection>>;

/// A connection on loan. When it is dropped the connection goes back, after a rollback where need be.
#[derive(Debug)]
pub(crate) struct Lease {
    slot: Arc<Slot>,
    lane: Arc<Lane>,
    state: State,
    permit: Option<OwnedSemaphorePermit>,
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
    /// At most `n_connections`, of which at most `n_kept` stay open while nobody needs them.
    pub(crate) fn new(
        options: SqliteConnectOptions,
        n_connections: usize,
        n_kept: usize,
        wait_max: Duration,
    ) -> Arc<Self> {
        let n_connections = u32::try_from(n_connections).unwrap_or(u32::MAX).max(1);
        let permits = Arc::new(Semaphore::new(n_connections as usize));
        let books = Mutex::new(Some(Books::default()));
        Arc::new(Self {
            options,
            n_connections,
            n_kept,
            wait_max,
            permits,
            is_gone: AtomicBool::new(false),
            books,
        })
    }

    /// Lends a connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`] after waiting too long; once the lane is closed [`ErrorKind::NotFound`] when the space
    /// was deleted and [`ErrorKind::Unavailable`] when it was not.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Lease> {
        let permit = tokio::time::timeout(self.wait_max, self.permits.clone().acquire_owned());
        let permit = permit.await.map_err(|_| too_long())?.map_err(|_| self.closed())?;
        let (slot, is_empty) = self.slot()?;
        let lease = Lease { slot, lane: self.clone(), state: State::Clean, permit: Some(permit) };
        if is_empty {
            let mut place = lease.slot.lock().await;
            *place = Some(self.connect().await?);
        }
        Ok(lease)
    }

    /// A slot that is in the books, with an idle connection if there is one.
    fn slot(&self) -> Result<(Arc<Slot>, bool)> {
        let mut books = self.books();
        let books = books.as_mut().ok_or_else(|| self.closed())?;
        let connection = books.idle.pop();
        let is_empty = connection.is_none();
        let slot = Arc::new(AsyncMutex::new(connection));
        books.loans.retain(|loan| loan.strong_count() > 0);
        books.loans.push(Arc::downgrade(&slot));
        Ok((slot, is_empty))
    }

    async fn connect(&self) -> Result<SqliteConnection> {
        self.options.connect().await.map_err(|error| self.cannot_open(error))
    }

    /// Sends away who waits, now and later, because the space is deleted. What is on loan stays so.
    pub(crate) fn refuse(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        self.permits.close();
    }

    /// Waits until nothing is on loan, then closes every connection. Who waits for one is told that there is none.
    pub(crate) async fn close(&self) {
        // Fails only when the lane is closed already.
        let all = self.permits.acquire_many(self.n_connections).await;
        self.permits.close();
        self.close_all().await;
        drop(all);
    }

    /// Closes every connection because the space is deleted, those on loan too as soon as their statement has ended.
    pub(crate) async fn close_now(&self) {
        self.refuse();
        self.close_all().await;
    }

    async fn close_all(&self) {
        let Some(books) = self.books().take() else { return };
        for connection in books.idle {
            self.close_one(connection).await;
        }
        for slot in books.loans.iter().filter_map(Weak::upgrade) {
            let connection = slot.lock().await.take();
            if let Some(connection) = connection {
                self.close_one(connection).await;
            }
        }
    }

    async fn close_one(&self, connection: SqliteConnection) {
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, file = %self.options.get_filename().display(), "closing a database");
        }
    }

    fn cannot_open(&self, error: sqlx::Error) -> Error {
        sorted(&format!("open {}", self.options.get_filename().display()), error)
    }

    /// Gives a clean connection back. It stays in its slot when the lane was closed meanwhile: who closes takes it.
    fn give_back(&self, place: &mut Option<SqliteConnection>) {
        if let Some(books) = self.books().as_mut() {
            books.idle.extend(place.take());
        }
    }

    fn closed(&self) -> Error {
        if self.is_gone.load(Ordering::SeqCst) {
            Error::new(ErrorKind::NotFound, "the space was deleted").with_code("space_not_found")
        } else {
            Error::new(ErrorKind::Unavailable, "the store is closed")
        }
    }

    fn is_full(&self) -> bool {
        self.books().as_ref().is_some_and(|books| books.idle.len() >= self.n_kept)
    }

    fn books(&self) -> MutexGuard<'_, Option<Books>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when it was taken away because its space was deleted.
    pub(crate) async fn connection(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        let place = self.slot.lock().await;
        AsyncMutexGuard::try_map(place, Option::as_mut).map_err(|_| self.lane.closed())
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
        if self.state == State::Clean && self.lane.is_full() {
            self.state = State::Spoiled;
        }
        if self.state == State::Clean {
            // Locked only by who closes the lane, who then takes the connection.
            if let Ok(mut place) = self.slot.try_lock() {
                self.lane.give_back(&mut place);
            }
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(clean(self.slot.clone(), self.lane.clone(), self.state, self.permit.take()));
        }
    }
}

/// Rolls back or closes. The permit goes along, so that the next one in the lane waits for it.
async fn clean(slot: Arc<Slot>, lane: Arc<Lane>, state: State, permit: Option<OwnedSemaphorePermit>) {
    let mut place = slot.lock().await;
    if let Some(connection) = place.as_mut() {
        let is_clean =
            state == State::InTransaction && sqlx::query("ROLLBACK").execute(connection).await.is_ok();
        if is_clean && !lane.is_full() {
            lane.give_back(&mut place);
        } else if let Some(connection) = place.take() {
            lane.close_one(connection).await;
        }
    }
    drop(permit);
}

fn too_long() -> Error {
    Error::new(ErrorKind::Overloaded, "waited too long for a connection to the database")
}
