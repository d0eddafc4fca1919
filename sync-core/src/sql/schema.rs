//! Which migrations a database still needs, and when to refuse it.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// The migrations, by index, that take a database from version `found` (zero: none ran yet) to `known`.
///
/// Migrations are numbered from 1 and run in one exclusive transaction together with the note of the new version;
/// `what` names the database in the message.
///
/// # Errors
///
/// [`ErrorKind::Incompatible`] when the database is newer than this program.
///
/// ```
/// # use sync_core::sql::pending_migrations;
/// assert_eq!(pending_migrations("a.db", 1, 3)?, 1..3);
/// assert!(pending_migrations("a.db", 4, 3).is_err());
/// # Ok::<_, sync_core::Error>(())
/// ```
pub fn pending_migrations(what: &str, found: usize, known: usize) -> Result<Range<usize>> {
    if found > known {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "cannot use {what}: its schema has version {found} and this program knows up to {known}; \
                 run the newer program that wrote it, or restore a backup from before"
            ),
        ));
    }
    Ok(found..known)
}
