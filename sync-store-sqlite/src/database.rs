//! One open file: a lane of one writer, a lane of readers, and who is using it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use sync_core::sql::{Driver, spaces};
use sync_core::store::Mode;
use sync_core::{Epoch, Error, ErrorKind, Result, SpaceId};
use tokio::sync::Notify;

use crate::driver::SqliteDriver;
use crate::error::sorted;
use crate::files::{self, Identity};
use crate::lane::{Lane, Lease};
use crate::options::SqliteOptions;
use crate::schema::{self, Role};

/// How long SQLite itself waits for a lock. Only another program that reads the file, such as a backup, holds one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Page cache of a connection in KiB, of which a file that serves everyone has five. Ids arrive in random order, so a
/// write touches as many pages of the index as it has records; with SQLite's own default they would be read again.
const CACHE_KIB: u32 = 16 << 10;
/// Page cache of a connection to a space's file in KiB: with 300 of them open it stays below 80 MB.
const SPACE_CACHE_KIB: u32 = 256;
/// Prepared statements kept by a connection: more than there are kinds.
const STATEMENTS_MAX: usize = 50;
/// Pages in the WAL after which they are moved to the file. Four times SQLite's default for the file that serves
/// everyone: a page that is written again and again is moved once.
const CHECKPOINT_PAGES: u32 = 4000;
/// The same for a space's file: SQLite's default, because there are many of them.
const SPACE_CHECKPOINT_PAGES: u32 = 1000;
/// The WAL is cut back to this many bytes after a checkpoint, should a long reader have made it grow.
const WAL_BYTES_KEPT: u32 = 16 << 20;

/// An open file.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    identity: Identity,
    writer: Arc<Lane>,
    readers: Arc<Lane>,
    n_pins: AtomicUsize,
    /// Told whenever a pin is gone.
    released: Arc<Notify>,
}

/// Keeps a file open while someone uses it.
#[derive(Debug)]
pub(crate) struct Pin(Arc<Database>);

impl Database {
    /// Opens a file that exists, checks it and brings its tables up to date. Tells `released` when a pin is gone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] when it is missing, empty or no database; [`ErrorKind::Incompatible`] when it is not a
    /// file, or has a second name, or is of another kind, or newer than this program.
    pub(crate) async fn open(
        path: &Path,
        role: Role,
        options: &SqliteOptions,
        released: Arc<Notify>,
    ) -> Result<Arc<Self>> {
        let (identity, n_bytes) = match Identity::of(path)? {
            Some((identity, n_bytes @ 1..)) => (identity, n_bytes),
            Some(_) => return Err(corrupt(path, "is empty")),
            None => return Err(corrupt(path, "is missing")),
        };
        files::check_one_name(path)?;
        check_role(path, role)?;
        let writing = connect_options(path, role);
        let writer = Lane::new(writing.clone(), 1, 1, options.wait_max);
        let reading = writing.pragma("query_only", "ON");
        let readers = Lane::new(reading, options.n_readers, options.n_readers_kept, options.wait_max);
        let mut lease = writer.lend().await?;
        let name = path.display().to_string();
        let mut checked = schema::check(&mut *lease.connection().await?, role, &name).await;
        if checked.is_ok() && n_bytes <= verified_bytes_max(role) {
            checked = schema::verify(&mut *lease.connection().await?, &name).await;
        }
        if checked.is_err() {
            lease.spoil();
        }
        drop(lease);
        if let Err(error) = checked {
            writer.close().await;
            return Err(error);
        }
        Ok(Arc::new(Self {
            path: path.to_owned(),
            identity,
            writer,
            readers,
            n_pins: AtomicUsize::new(0),
            released,
        }))
    }

    /// Creates a database file at a path where there is none, durably, with its tables and with `first` as its first
    /// space: afterwards it is there whole, and after a crash on the way it is not there at all.
    pub(crate) async fn create(
        path: &Path,
        role: Role,
        options: &SqliteOptions,
        first: Option<(&SpaceId, Epoch)>,
    ) -> Result<()> {
        let (path, draft) = (path.to_owned(), draft_path(path));
        let leftover = draft.clone();
        files::blocking(move || files::remove_database(&leftover)).await?;
        create_tables(&draft, role).await?;
        if let Some((space, epoch)) = first {
            let database = Self::open(&draft, role, options, Arc::default()).await?;
            let added = add_space(&database, space, epoch).await;
            database.close().await;
            added?;
        }
        files::blocking(move || {
            files::sync_file(&draft)?;
            files::move_database(&draft, &path)
        })
        .await
    }

    /// Borrows the writer without beginning, to keep others from writing.
    pub(crate) async fn lend_writer(&self) -> Result<Lease> {
        self.writer.lend().await
    }

    /// Sends away who waits to write, now and later, as the space is deleted. Call it while the writer is on loan.
    pub(crate) fn refuse_writers(&self) {
        self.writer.refuse();
    }

    /// Keeps the file open until the pin is dropped.
    pub(crate) fn pin(self: &Arc<Self>) -> Pin {
        self.n_pins.fetch_add(1, Ordering::SeqCst);
        Pin(self.clone())
    }

    /// Whether someone uses the file.
    pub(crate) fn is_pinned(&self) -> bool {
        self.n_pins.load(Ordering::SeqCst) > 0
    }

    /// Closes the file of a deleted space at once: open transactions fail.
    pub(crate) async fn close_now(&self) {
        self.writer.close_now().await;
        self.readers.close_now().await;
    }

    /// Waits for open transactions to end and closes the file.
    pub(crate) async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

impl Pin {
    /// Begins a transaction. A writing one waits for the one before it.
    pub(crate) async fn begin(self, mode: Mode) -> Result<SqliteDriver> {
        self.check_place()?;
        let lane = match mode {
            Mode::Read => &self.0.readers,
            Mode::Write => &self.0.writer,
        };
        let lease = lane.lend().await?;
        Ok(SqliteDriver::new(lease, self, mode))
    }

    /// The file.
    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.0
    }

    /// Checks that the path still leads to the file that is open. SQLite would go on writing to one that was replaced
    /// or removed, and lose it all.
    pub(crate) fn check_place(&self) -> Result<()> {
        match Identity::of(&self.0.path)? {
            Some((identity, _)) if identity == self.0.identity => Ok(()),
            Some(_) => Err(corrupt(&self.0.path, "was replaced while it was open")),
            None => Err(corrupt(&self.0.path, "was removed while it was open")),
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.n_pins.fetch_sub(1, Ordering::SeqCst);
        self.0.released.notify_one();
    }
}

/// The largest file that is verified whole when it is opened. Records carry checksums, but a damaged page of an index
/// hides records without a sign, and only comparing index and table finds that. It takes some seconds a gigabyte, so a
/// large file is left to the operator, and a space's file, which is opened often, must be small.
fn verified_bytes_max(role: Role) -> u64 {
    match role {
        Role::Space => 4 << 20,
        _ => 256 << 20,
    }
}

/// Checks that a file is for this purpose, without SQLite: connecting would turn someone else's database to WAL.
fn check_role(path: &Path, role: Role) -> Result<()> {
    match files::application_id(path)? {
        None => Err(corrupt(path, "is not a database")),
        Some(id) if id == role.application_id() => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "cannot use {}: it is a database of something else; give this program a path of its own",
                path.display()
            ),
        )),
    }
}

/// Creates an empty database with the tables of `role`, and closes it, which moves everything from the WAL into the file.
async fn create_tables(path: &Path, role: Role) -> Result<()> {
    let name = path.display().to_string();
    let failed = |error| sorted(&format!("create {name}"), error);
    let file = path.to_owned();
    files::blocking(move || files::create_file(&file)).await?;
    let mut connection = connect_options(path, role).connect().await.map_err(failed)?;
    let created = schema::create(&mut connection, role, &name).await;
    created.and(connection.close().await.map_err(failed))
}

async fn add_space(database: &Arc<Database>, space: &SpaceId, epoch: Epoch) -> Result<()> {
    let mut driver = database.pin().begin(Mode::Write).await?;
    spaces::create(&mut driver, space, epoch).await?;
    driver.commit().await
}

/// Where a database is made before it gets its name.
pub(crate) fn draft_path(path: &Path) -> PathBuf {
    files::with_ending(path, ".new")
}

fn connect_options(path: &Path, role: Role) -> SqliteConnectOptions {
    let (cache_kib, checkpoint_pages) = match role {
        Role::Space => (SPACE_CACHE_KIB, SPACE_CHECKPOINT_PAGES),
        _ => (CACHE_KIB, CHECKPOINT_PAGES),
    };
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_MAX)
        .pragma("mmap_size", "0")
        .pragma("cache_size", format!("-{cache_kib}"))
        .pragma("wal_autocheckpoint", checkpoint_pages.to_string())
        .pragma("journal_size_limit", WAL_BYTES_KEPT.to_string())
        .pragma("cell_size_check", "ON")
        .disable_statement_logging()
}

fn corrupt(path: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("database {} {what}; restore it from a backup, it is not replaced by itself", path.display()),
    )
}
