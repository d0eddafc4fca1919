//! Turns errors of the library into problems: the one place where they get a status.

use sync_core::{Error, ErrorKind};

use crate::problem::{Code, Problem};

/// Seconds a client should wait for a person to mend something.
const MENDED_AFTER_S: u32 = 30;

/// The answer to an error. What the client may know goes out; what helps to find the cause goes to the log.
pub fn problem_of(error: &Error) -> Problem {
    let code = code_of(error);
    if code.status().is_server_error() {
        tracing::error!(kind = ?error.kind(), %error, source = ?std::error::Error::source(error), "a request failed");
    }
    let mut problem = Problem::new(code);
    if !code.status().is_server_error() {
        problem = problem.detail(message_of(error));
    }
    if let Some(pointer) = error.pointer() {
        problem = problem.pointer(pointer);
    }
    if let Some(limit) = error.limit() {
        problem = problem.limit(limit);
    }
    match (error.retry_after(), error.is_retryable()) {
        (Some(wait), _) => problem.retry_after(u32::try_from(wait.as_secs().max(1)).unwrap_or(u32::MAX)),
        (None, true) => problem.retry_after(1),
        (None, false) if error.kind() == ErrorKind::Incompatible => problem.retry_after(MENDED_AFTER_S),
        (None, false) => problem,
    }
}

/// The message without the pointer, which has a member of its own.
fn message_of(error: &Error) -> String {
    let text = error.to_string();
    match error.pointer() {
        Some(pointer) => text.strip_suffix(&format!(" (at {pointer})")).unwrap_or(&text).to_owned(),
        None => text,
    }
}

fn code_of(error: &Error) -> Code {
    if let Some(code) = error.code().and_then(Code::from_name) {
        return code;
    }
    match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::IdConflict,
        ErrorKind::Invalid => Code::ValidationFailed,
        ErrorKind::Forbidden => Code::ForbiddenRole,
        ErrorKind::Unauthorized => Code::InvalidToken,
        ErrorKind::Contended | ErrorKind::Overloaded => Code::Overloaded,
        // Whoever runs the server has to mend the latter, such as rights that were taken away; until then it is the same
        // to a client.
        ErrorKind::Unavailable | ErrorKind::Incompatible => Code::StorageUnavailable,
        ErrorKind::StorageFull => Code::StorageFull,
        ErrorKind::Corrupt => Code::SpaceQuarantined,
        _ => Code::Internal,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        problem_of(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_inside_stays_inside() {
        let error = Error::new(ErrorKind::Corrupt, "row 7 of /var/lib/sync.db is damaged");
        let shown = format!("{:?}", problem_of(&error));
        assert!(!shown.contains("sync.db"), "{shown}");
    }

    #[test]
    fn what_the_client_must_fix_is_said() {
        let error = Error::invalid("validation_failed", "too long").with_pointer("/name").with_limit(5);
        let problem = problem_of(&error);
        assert_eq!(
            problem,
            Problem::new(Code::ValidationFailed).detail("too long").pointer("/name").limit(5)
        );
    }
}
