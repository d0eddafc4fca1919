//! The store that was asked for.

use std::sync::Arc;
use std::time::Duration;

use sync_core::store::{MemoryStore, Store};
use sync_core::{Accounts, IdSource};
use sync_store_postgres::{NO_STORE, PostgresStore};
use sync_store_sqlite::{DATA_IN_USE, SqliteStore};

use crate::auth::secret::JwtSecret;
use crate::config::StoreUrl;

/// Under which name a database keeps the secret for tokens.
const TOKEN_SECRET: &str = "jwt-secret";

/// How long to take leave of a database. 1 s: a healthy one needs milliseconds, and of the 10 s that orchestrators wait
/// the requests in flight may have used 8.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// How often data is tried that another process uses: 20 times, for 5 s in all. Most commands are through by then, and a
/// server that was told to end has ended.
pub(crate) const IN_USE_ATTEMPTS_MAX: usize = 20;

/// Pause between two of these.
pub(crate) const IN_USE_PAUSE: Duration = Duration::from_millis(250);

/// What is said where a command finds no store.
pub(crate) const NOTHING_THERE: &str =
    "there is no store: say with --store where it is, or start a server, which makes one";

/// A store, under the two contracts it keeps.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    Memory(MemoryStore),
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Backend {
    /// Opens the store at `url`, creating what is not there yet.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the program.
    pub(crate) async fn open(url: &StoreUrl) -> Result<Self, String> {
        Self::try_open(url).await.map_err(|error| cannot_open(&error))
    }

    /// As [`open`](Self::open), by a server: a command that is not through, or a server that is just ending, must not keep
    /// the next one from starting.
    pub(crate) async fn open_to_serve(url: &StoreUrl) -> Result<Self, String> {
        for attempt in 1..IN_USE_ATTEMPTS_MAX {
            match Self::try_open(url).await {
                Err(error) if error.code() == Some(DATA_IN_USE) => {
                    if attempt == 1 {
                        tracing::warn!(
                            "waits for another process that uses this data: a command, or a server that is ending"
                        );
                    }
                    tokio::time::sleep(IN_USE_PAUSE).await;
                }
                opened => return opened.map_err(|error| cannot_open(&error)),
            }
        }
        Self::open(url).await
    }

    /// As [`open`](Self::open), with the error as it is.
    pub(crate) async fn try_open(url: &StoreUrl) -> sync_core::Result<Self> {
        match url {
            StoreUrl::Memory => Ok(Self::Memory(MemoryStore::default())),
            StoreUrl::SqliteFile(path) => SqliteStore::open_file(path).await.map(Self::Sqlite),
            StoreUrl::SqliteDir(path) => SqliteStore::open_dir(path).await.map(Self::Sqlite),
            StoreUrl::Postgres(options) => {
                PostgresStore::open(options.as_ref().clone()).await.map(Self::Postgres)
            }
        }
    }

    /// As [`try_open`](Self::try_open), by a command: in a database, which nobody but its name tells from others, no tables
    /// are made and none are changed.
    pub(crate) async fn try_open_existing(url: &StoreUrl) -> sync_core::Result<Self> {
        match url {
            StoreUrl::Postgres(options) => {
                PostgresStore::open_existing(options.as_ref().clone()).await.map(Self::Postgres)
            }
            other => Self::try_open(other).await,
        }
    }

    /// The secret for tokens that is kept with the store, made at the first start. Servers on one database share it.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the program.
    pub(crate) async fn secret(&self, url: &StoreUrl, ids: &dyn IdSource) -> Result<JwtSecret, String> {
        let fill = |bytes: &mut [u8]| ids.fill(bytes);
        if let Self::Postgres(store) = self {
            let kept = store.shared_secret(TOKEN_SECRET, JwtSecret::generate(fill).as_str()).await;
            let kept =
                kept.map_err(|error| format!("cannot keep the secret for tokens: {}", with_causes(&error)))?;
            return JwtSecret::given(&kept);
        }
        match url.secret_path() {
            None => Ok(JwtSecret::generate(fill)),
            Some(path) => JwtSecret::load_or_create(&path, fill)
                .map_err(|error| format!("cannot keep the secret for tokens in {}: {error}", path.display())),
        }
    }

    /// Its spaces.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Whether other processes may change what is in it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Its users and memberships.
    pub(crate) fn accounts(&self) -> Arc<dyn Accounts> {
        match self {
            Self::Memory(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Waits for open transactions to end, and closes the store. A database that does not answer is not waited for: it rolls
    /// back what it has not committed.
    pub(crate) async fn close(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => {
                if tokio::time::timeout(CLOSE_MAX, store.close()).await.is_err() {
                    tracing::warn!("ended without closing all connections: the database does not answer");
                }
            }
        }
    }
}

/// What is said of an error to open a store.
pub(crate) fn cannot_open(error: &sync_core::Error) -> String {
    if error.code() == Some(NO_STORE) {
        return NOTHING_THERE.to_owned();
    }
    format!("cannot open the store: {}", with_causes(error))
}

/// An error and what caused it, in one line for the person who starts the server. Many errors tell their causes
/// themselves; nothing is said twice.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    causes.fold(
        error.to_string(),
        |text, cause| {
            if text.contains(&cause) { text } else { format!("{text}: {cause}") }
        },
    )
}
