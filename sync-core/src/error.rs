//! The one error of this crate: what happened, and what the caller should do next.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What to do about an [`Error`]; two failures that ask for the same act share a kind.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The space, record or conflict that was named does not exist (or is not the caller's to see).
    NotFound,
    /// What was to be created is there already.
    AlreadyExists,
    /// The request cannot be carried out as it is; [`Error::code`] and [`Error::pointer`] say what to fix.
    Invalid,
    /// The caller may not do this.
    Forbidden,
    /// Another transaction was in the way. Nothing happened; try again now.
    Contended,
    /// Too much is waiting already. Nothing happened; try again later.
    Overloaded,
    /// The store or the other side cannot be reached. Whether the last write happened is unknown; try again later.
    Unavailable,
    /// There is no room left on the disk. Nothing happened; reading still works.
    StorageFull,
    /// Stored data is damaged and was not served. Stop and look.
    Corrupt,
    /// This program and the data do not fit each other: a newer schema, another process using the file. Stop and look.
    Incompatible,
    /// The credentials were refused; sign in again. Nothing happened.
    Unauthorized,
    /// What answered is not a sync server, or its answer was damaged. Nothing was taken from it; try again later.
    Distrusted,
    /// A promise inside this library was broken: a bug.
    Internal,
}

/// An error of the sync library.
///
/// The kind is stable and says what to do; the message is for people and may change. The cause is kept as
/// [`source`](StdError::source).
///
/// ```
/// use sync_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::Contended, "commit to space a was in the way of another");
/// assert!(error.is_retryable());
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    code: Option<&'static str>,
    status: Option<u16>,
    message: String,
    pointer: Option<String>,
    limit: Option<u64>,
    retry_after: Option<std::time::Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Result with the error of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; the message says what was attempted and with what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner {
            kind,
            code: None,
            status: None,
            message,
            pointer: None,
            limit: None,
            retry_after: None,
            source: None,
        }))
    }

    /// A request that must be fixed, with its stable code (see `docs/protocol.md`).
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message).with_code(code)
    }

    /// Adds the stable code that tells programs more than the kind.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// Adds the HTTP status of the answer that this error was made from.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds a JSON pointer to the part of the request that is wrong.
    #[must_use]
    pub fn with_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// Adds the limit that was exceeded.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.0.limit = Some(limit);
        self
    }

    /// Adds how long to wait before the next try, as the other side asked.
    #[must_use]
    pub fn with_retry_after(mut self, wait: std::time::Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, where there is one.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// The HTTP status with which a server refused, where one did. The kind and the code say more.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// JSON pointer to the part of the request that is wrong, where it is known.
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// The limit that was exceeded, where one was.
    pub fn limit(&self) -> Option<u64> {
        self.0.limit
    }

    /// How long to wait before the next try, where the other side said so.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        self.0.retry_after
    }

    /// Whether the same call can succeed later without anything being fixed.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind as K;
        matches!(self.0.kind, K::Contended | K::Overloaded | K::Unavailable | K::StorageFull | K::Distrusted)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(pointer) = &self.0.pointer {
            write!(f, " (at {pointer})")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_can_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn a_copy_of_an_error_has_the_same_cause() {
        let error = Error::new(ErrorKind::Unavailable, "cannot reach it").with_source("the cable is cut");
        let cause = error.clone().source().map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("the cable is cut"));
    }
}
