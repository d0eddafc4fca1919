//! Which tables a file has, and bringing them up to date.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor, SqlSafeStr};
use sync_core::sql::pending_migrations;
use sync_core::{Error, ErrorKind, Result};

use crate::error::sorted;

/// The oldest SQLite without the race between commit and checkpoint that can damage a file.
const SQLITE_VERSION_MIN: [u32; 3] = [3, 51, 3];

const SPACES_1: &str = include_str!("../migrations/spaces_1.sql");
const SPACES_2: &str = include_str!("../migrations/spaces_2.sql");
const ACCOUNTS_1: &str = include_str!("../migrations/accounts_1.sql");
const ACCOUNTS_2: &str = include_str!("../migrations/accounts_2.sql");
const ACCOUNTS_3: &str = include_str!("../migrations/accounts_3.sql");
const FILES_1: &str = include_str!("../migrations/files_1.sql");

/// What a file is for; written into its header, so that no file is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Single,
    /// Accounts and the list of spaces of a folder.
    Platform,
    /// One space of a folder.
    Space,
}

impl Role {
    /// The `application_id` in the header of the file.
    pub(crate) fn application_id(self) -> u32 {
        match self {
            Self::Single => 0x5379_6e01,
            Self::Platform => 0x5379_6e02,
            Self::Space => 0x5379_6e03,
        }
    }

    /// What to run to get from version `n` to `n + 1`, for each `n` from 0.
    fn migrations(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Single => &[&[SPACES_1, ACCOUNTS_1], &[ACCOUNTS_2], &[ACCOUNTS_3], &[SPACES_2]],
            Self::Platform => &[&[FILES_1, ACCOUNTS_1], &[ACCOUNTS_2], &[ACCOUNTS_3]],
            Self::Space => &[&[SPACES_1], &[SPACES_2]],
        }
    }
}

/// Gives a new, empty file its role and all tables.
pub(crate) async fn create(connection: &mut SqliteConnection, role: Role, name: &str) -> Result<()> {
    check_library(connection).await?;
    migrate(connection, role, name, 0).await
}

/// Brings the tables of a file of this role up to date.
///
/// # Errors
///
/// [`ErrorKind::Incompatible`] when it is newer than this program.
pub(crate) async fn check(connection: &mut SqliteConnection, role: Role, name: &str) -> Result<()> {
    check_library(connection).await?;
    let version = number(connection, "PRAGMA user_version").await?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    migrate(connection, role, name, version).await
}

/// Compares every index with its table.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] when they do not fit: something in the file was changed by damage.
pub(crate) async fn verify(connection: &mut SqliteConnection, name: &str) -> Result<()> {
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|error| sorted(&format!("verify {name}"), error))?;
    if found == "ok" {
        return Ok(());
    }
    tracing::error!(file = name, %found, "a database is damaged");
    let message = format!("database {name} is damaged; restore it from a backup, it is not served as it is");
    Err(Error::new(ErrorKind::Corrupt, message))
}

async fn migrate(connection: &mut SqliteConnection, role: Role, name: &str, found: usize) -> Result<()> {
    let known = role.migrations();
    let pending = pending_migrations(name, found, known.len())?;
    if pending.is_empty() {
        return Ok(());
    }
    let failed = |error| sorted(&format!("migrate {name}"), error);
    let mut transaction = connection.begin_with("BEGIN EXCLUSIVE").await.map_err(failed)?;
    for n in pending {
        for &script in known[n] {
            transaction.execute(sqlx::raw_sql(script)).await.map_err(failed)?;
        }
    }
    // PRAGMA takes no parameters; both are numbers of this program.
    let note =
        format!("PRAGMA application_id = {}; PRAGMA user_version = {}", role.application_id(), known.len());
    let note = sqlx::AssertSqlSafe(note).into_sql_str();
    transaction.execute(sqlx::raw_sql(note)).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

async fn number(connection: &mut SqliteConnection, pragma: &'static str) -> Result<i64> {
    let number = sqlx::query_scalar(pragma).fetch_one(connection).await;
    number.map_err(|error| sorted("read the header of the database", error))
}

async fn check_library(connection: &mut SqliteConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(|error| sorted("ask for the version of SQLite", error))?;
    check_version(&version)
}

fn check_version(version: &str) -> Result<()> {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    if parts.as_slice() >= SQLITE_VERSION_MIN.as_slice() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        format!("SQLite {version} can damage files; link 3.51.3 or newer, as this crate does by default"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sqlite_is_refused() {
        for (version, is_good) in [
            ("3.51.2", false),
            ("3.51.3", true),
            ("3.52", true),
            ("4.0.0", true),
            ("3.9.9", false),
            ("", false),
        ] {
            assert_eq!(check_version(version).is_ok(), is_good, "{version:?}");
        }
    }
}
