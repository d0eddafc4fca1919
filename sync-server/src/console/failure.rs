//! What a person is told when something was not done, and the number a script gets.

use sync_core::{Error, ErrorKind};

use crate::backend::cannot_open;
use crate::problem::{Code, Problem};

/// Refused, or failed.
const FAILED: u8 = 1;
/// What would have to be said on the command line was not; the same number as for words that are not understood.
const USAGE: u8 = 2;
/// What was named is not there.
const NOT_FOUND: u8 = 3;
/// The server or the database could not be reached; trying again may help.
const UNREACHED: u8 = 4;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    text: String,
    exit_code: u8,
}

impl Failure {
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit_code: USAGE }
    }

    pub(super) fn unreached(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit_code: UNREACHED }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self { text, exit_code: FAILED }
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        format!("cannot write the answer: {error}").into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = cannot_open(&error);
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Overloaded => Self::unreached(text),
            _ => text.into(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit_code = match problem.code() {
            Code::NotFound | Code::SpaceNotFound => NOT_FOUND,
            Code::Overloaded | Code::StorageUnavailable => UNREACHED,
            _ => FAILED,
        };
        Self { text: told(&problem), exit_code }
    }
}

fn told(problem: &Problem) -> String {
    let text = problem.text();
    let spaces = problem.members().get("spaces").and_then(|spaces| spaces.as_array());
    match (problem.code(), spaces) {
        (Code::LastOwner, Some(spaces)) => {
            let spaces: Vec<_> = spaces.iter().filter_map(|space| space.as_str()).collect();
            format!("{text} ({}): --with-shared-spaces does the latter", spaces.join(", "))
        }
        (Code::LastOwner, None) => format!("{text}: make someone else an owner first"),
        (code, _) if code.status().is_server_error() => format!("{text}; the log says more"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_can_tell_what_kind_of_failure_it_was() {
        for (code, expected) in [
            (Code::NotFound, 3),
            (Code::SpaceNotFound, 3),
            (Code::UsernameTaken, 1),
            (Code::StorageUnavailable, 4),
            (Code::Internal, 1),
        ] {
            assert_eq!(Failure::from(Problem::new(code)).exit_code(), expected, "{code:?}");
        }
    }

    #[test]
    fn spaces_that_keep_a_user_are_named() {
        let problem = Problem::new(Code::LastOwner).detail("decide").extra("spaces", vec!["a", "b"]);
        assert_eq!(Failure::from(problem).to_string(), "decide (a, b): --with-shared-spaces does the latter");
    }
}
