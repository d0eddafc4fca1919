//! Why a function of the suite did not get through: an error where none belongs, and the line it came from.

use std::fmt;
use std::panic::Location;

/// What a function of the suite ends with. A promise that is not kept is a panic with the comparison that failed; an
/// operation that should have succeeded and did not is a [`Failure`].
pub type Verdict = Result<(), Failure>;

/// An error of the store under test, with the line of the suite that met it.
pub struct Failure {
    message: String,
    at: &'static Location<'static>,
}

impl<E: std::error::Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self { message, at: Location::caller() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.at)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
