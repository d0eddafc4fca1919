//! What sqlx and SQLite report, sorted by what to do next.

use sync_core::{Error, ErrorKind};

/// `SQLITE_IOERR_CORRUPTFS`: the file system says that the file is damaged.
const CORRUPT_FILE_SYSTEM: i32 = 8458;
/// `SQLITE_READONLY_DBMOVED`: the file was moved or replaced while it was open.
const MOVED: i32 = 1032;

/// Makes an error of this library of one from sqlx; `what` says what was attempted.
pub(crate) fn sorted(what: &str, error: sqlx::Error) -> Error {
    Error::new(kind(&error), format!("cannot {what}")).with_source(error)
}

fn kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse().ok());
            code.map_or(ErrorKind::Internal, kind_of_code)
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => ErrorKind::Unavailable,
        // What is stored does not decode: not UTF-8, or not text at all.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    }
}

/// Sorts an extended result code of SQLite (<https://www.sqlite.org/rescode.html>).
fn kind_of_code(code: i32) -> ErrorKind {
    match (code, code & 0xff) {
        (CORRUPT_FILE_SYSTEM | MOVED, _) => ErrorKind::Corrupt,
        // BUSY and LOCKED: never waited for, because a second process is refused and writers queue before SQLite.
        (_, 5 | 6) => ErrorKind::Contended,
        // NOMEM
        (_, 7) => ErrorKind::Overloaded,
        // FULL
        (_, 13) => ErrorKind::StorageFull,
        // CORRUPT, NOTADB
        (_, 11 | 26) => ErrorKind::Corrupt,
        // PERM, READONLY, INTERRUPT, IOERR, CANTOPEN, PROTOCOL, NOLFS, AUTH
        (_, 3 | 8 | 9 | 10 | 14 | 15 | 22 | 23) => ErrorKind::Unavailable,
        // TOOBIG
        (_, 18) => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

/// Makes an error of this library of one from the file system; `what` says what was attempted.
pub(crate) fn io(what: impl std::fmt::Display, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot {what}")).with_source(error)
}

/// The error for a task of this crate that ended without an answer, because the runtime shuts down or it panicked.
pub(crate) fn task(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, "database work was cut off").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_to_do_next() {
        let table = [
            (5, ErrorKind::Contended),
            (517, ErrorKind::Contended),
            (6, ErrorKind::Contended),
            (13, ErrorKind::StorageFull),
            (11, ErrorKind::Corrupt),
            (779, ErrorKind::Corrupt),
            (26, ErrorKind::Corrupt),
            (8458, ErrorKind::Corrupt),
            (1032, ErrorKind::Corrupt),
            (10, ErrorKind::Unavailable),
            (1034, ErrorKind::Unavailable),
            (776, ErrorKind::Unavailable),
            (14, ErrorKind::Unavailable),
            (19, ErrorKind::Internal),
            (1, ErrorKind::Internal),
        ];
        for (code, kind) in table {
            assert_eq!(kind_of_code(code), kind, "code {code}");
        }
    }
}
