//! Where the data lives, as one line of text.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sync_store_postgres::PostgresOptions;

/// The store that was asked for.
///
/// ```
/// use sync_server::config::StoreUrl;
/// let store: StoreUrl = "sqlite:data/sync.db".parse()?;
/// assert!(matches!(store, StoreUrl::SqliteFile(path) if path.ends_with("sync.db")));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreUrl {
    /// `sqlite:FILE`: everything in one file.
    SqliteFile(PathBuf),
    /// `sqlite-dir:DIR`: one file per space.
    SqliteDir(PathBuf),
    /// `postgres://…`: tables in a database, shared by any number of servers.
    Postgres(Box<PostgresOptions>),
    /// `memory:`: nothing is kept when the process ends.
    Memory,
}

impl StoreUrl {
    /// Where a secret made at the first start is kept: beside the file, or inside the folder.
    ///
    /// The name contains the file's, so that two stores in one folder do not accept each other's tokens.
    pub fn secret_path(&self) -> Option<PathBuf> {
        match self {
            Self::SqliteFile(file) => Some(file.with_added_extension("jwt-secret")),
            Self::SqliteDir(folder) => Some(folder.join("jwt-secret")),
            Self::Postgres(_) | Self::Memory => None,
        }
    }

    /// Where a server that serves from this store listens for whoever operates it: beside the file, or inside the folder.
    /// Only what one server has to itself has such a place.
    pub fn control_path(&self) -> Option<PathBuf> {
        match self {
            Self::SqliteFile(file) => Some(file.with_added_extension("control")),
            Self::SqliteDir(folder) => Some(folder.join("control")),
            Self::Postgres(_) | Self::Memory => None,
        }
    }

    /// The file or folder whose owner the data belongs to.
    pub fn data_path(&self) -> Option<&Path> {
        match self {
            Self::SqliteFile(path) | Self::SqliteDir(path) => Some(path),
            Self::Postgres(_) | Self::Memory => None,
        }
    }

    /// Whether there is something to open, as far as can be told without opening it. Opening makes what is missing, which
    /// is of no use to who wants to read.
    pub fn is_there(&self) -> bool {
        match self {
            Self::SqliteFile(file) => file.is_file(),
            Self::SqliteDir(folder) => folder.is_dir(),
            Self::Postgres(_) => true,
            Self::Memory => false,
        }
    }

    /// The same store, opened to copy all of it: what is at the other end may be slow.
    #[must_use]
    pub fn for_copying(&self) -> Self {
        match self {
            Self::Postgres(options) => Self::Postgres(Box::new(options.as_ref().clone().for_copying())),
            other => other.clone(),
        }
    }

    /// The folder that must exist before the store is opened.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::SqliteFile(file) => file.parent().filter(|folder| !folder.as_os_str().is_empty()),
            Self::SqliteDir(folder) => Some(folder),
            Self::Postgres(_) | Self::Memory => None,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    /// The text may hold a password, so no error repeats it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme {
            "sqlite" => path(rest).map(Self::SqliteFile),
            "sqlite-dir" => path(rest).map(Self::SqliteDir),
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "postgres" | "postgresql" => match PostgresOptions::from_url(text) {
                Ok(options) => Ok(Self::Postgres(Box::new(options))),
                Err(error) => Err(error.to_string()),
            },
            _ => Err("a store is sqlite:FILE, sqlite-dir:DIR, postgres://… or memory:".to_owned()),
        }
    }
}

/// `sqlite://FILE` is how other tools write it, so the two slashes are allowed and mean nothing.
fn path(rest: &str) -> Result<PathBuf, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.contains('\0') {
        return Err("the path is missing: write sqlite:FILE or sqlite-dir:DIR".to_owned());
    }
    if path.contains('?') {
        return Err("parameters after `?` are not understood".to_owned());
    }
    if path == ":memory:" {
        return Err("for a store that keeps nothing write memory:".to_owned());
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StoreUrl, String> {
        text.parse()
    }

    #[test]
    fn stores_are_read() {
        for (text, expected) in [
            ("sqlite:sync.db", StoreUrl::SqliteFile("sync.db".into())),
            ("sqlite:/var/sync.db", StoreUrl::SqliteFile("/var/sync.db".into())),
            ("sqlite:///var/sync.db", StoreUrl::SqliteFile("/var/sync.db".into())),
            ("sqlite://sync.db", StoreUrl::SqliteFile("sync.db".into())),
            ("sqlite-dir:data", StoreUrl::SqliteDir("data".into())),
            ("memory:", StoreUrl::Memory),
        ] {
            assert_eq!(format!("{:?}", parse(text)), format!("{:?}", Ok::<_, String>(expected)), "{text}");
        }
    }

    #[test]
    fn other_stores_are_refused_without_their_password() {
        for text in [
            "",
            "sync.db",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?mode=rwc",
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h/d?shema=x",
        ] {
            assert!(!parse(text).unwrap_err().contains("hunter2"), "{text}");
        }
        let postgres = parse("postgres://u:hunter2@host/db").unwrap();
        assert!(matches!(postgres, StoreUrl::Postgres(_)) && !format!("{postgres:?}").contains("hunter2"));
    }

    #[test]
    fn secrets_are_kept_beside_their_own_store() {
        for (text, secret, folder) in [
            ("sqlite:data/a.db", Some("data/a.db.jwt-secret"), Some("data")),
            ("sqlite:a.db", Some("a.db.jwt-secret"), None),
            ("sqlite-dir:data", Some("data/jwt-secret"), Some("data")),
            ("memory:", None, None),
        ] {
            let store = parse(text).unwrap();
            assert_eq!(store.secret_path(), secret.map(PathBuf::from), "{text}");
            assert_eq!(store.folder(), folder.map(Path::new), "{text}");
        }
    }
}
