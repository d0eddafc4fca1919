//! What redb's errors ask of the caller.

use std::io;

use sync_core::{Error, ErrorKind};

/// What a job ends with. `?` takes redb's errors and the library's alike, which cannot be turned into each other.
pub(crate) type Job<T> = Result<T, Failure>;

/// Why a job ended early.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

macro_rules! from_redb {
    ($($error:ident)+) => {
        $(impl From<redb::$error> for Failure {
            fn from(error: redb::$error) -> Self {
                Self(classify(error.into()))
            }
        })+
    };
}

from_redb! { CommitError DatabaseError StorageError TableError TransactionError }

fn classify(error: redb::Error) -> Error {
    use redb::Error as E;
    let kind = match &error {
        E::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => ErrorKind::StorageFull,
        E::Io(_) | E::PreviousIo | E::DatabaseClosed => ErrorKind::Unavailable,
        E::Corrupted(_) => ErrorKind::Corrupt,
        E::DatabaseAlreadyOpen | E::UpgradeRequired(_) | E::Unsupported => ErrorKind::Incompatible,
        E::TableTypeMismatch { .. } | E::TypeDefinitionChanged { .. } => ErrorKind::Incompatible,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("redb: {error}")).with_source(error)
}

/// A commit that ended with an error may have happened: redb says so, and so does a thread that never came back.
pub(crate) fn unknown_outcome(error: Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("it is not known whether the commit happened: {error}"))
        .with_source(error)
}

/// What is stored cannot be what was written.
pub(crate) fn corrupt(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}
