//! What went wrong, and what the person at the terminal can do about it.

use std::io::Write;
use std::process::ExitCode;

use sync_core::{Error, ErrorKind};
use sync_store_sqlite::DATA_IN_USE;

/// Why a command did not do what it was to do.
#[derive(Debug)]
pub(crate) struct Fault {
    what: String,
    /// What to do next.
    advice: Option<String>,
    /// Whoever read the output has gone; there is nobody to tell.
    is_quiet: bool,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), advice: None, is_quiet: false }
    }

    /// Says what to do next, instead of what was said before.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The output could not be written.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        let is_quiet = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self { is_quiet, ..Self::new(format!("cannot write the output: {error}")) }
    }

    /// A file of this program could not be read or written.
    pub(crate) fn file(what: std::fmt::Arguments<'_>, error: &dyn std::error::Error) -> Self {
        Self::new(format!("cannot {what}: {error}"))
            .advise("look at the folder with `notes --help`: --data DIR names another one")
    }

    /// What went wrong, without the advice.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Tells it on standard error.
    pub(crate) fn tell(self) -> ExitCode {
        if self.is_quiet {
            return ExitCode::SUCCESS;
        }
        let advice = self.advice.map(|advice| format!("\n  → {advice}")).unwrap_or_default();
        // If nobody listens there either, the exit code is all that is left.
        let _ = writeln!(std::io::stderr(), "notes: {}{advice}", self.what);
        ExitCode::FAILURE
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(with_causes(&error));
        match advice(&error) {
            Some(advice) => fault.advise(advice),
            None => fault,
        }
    }
}

fn advice(error: &Error) -> Option<&'static str> {
    use ErrorKind as K;
    Some(match error.kind() {
        K::Incompatible if error.code() == Some(DATA_IN_USE) => {
            "stop `notes watch` (ctrl-c in its window) or let the other command end, then try again; \
             or use other data with --data DIR"
        }
        K::Incompatible => "this data was written by a newer version: update notes, or use --data DIR",
        K::Unauthorized => "sign in again: notes login URL USER",
        K::NotFound | K::Forbidden => {
            "this account cannot use these notes at the server any more; they stay on this computer \
             (notes export)"
        }
        K::Unavailable | K::Overloaded | K::Contended => {
            "nothing is lost: your changes are kept here; try again later"
        }
        K::Distrusted => "is the address right, and does this network ask you to sign in? nothing is lost",
        K::StorageFull => "make room on the disk, then try again",
        K::Corrupt => {
            "the data is damaged: restore the folder from a backup, or sign in with a new --data DIR"
        }
        K::Internal => "this is a bug; your notes are as they were",
        _ => return None,
    })
}

/// The error and its causes, unless it says the first of them itself.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = || std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    let root = causes().last().unwrap_or_default().to_lowercase();
    if error.to_string().contains(root.split(" (os error").next().unwrap_or_default()) {
        return error.to_string();
    }
    causes().fold(
        error.to_string(),
        |text, cause| {
            if text.contains(&cause) { text } else { format!("{text}: {cause}") }
        },
    )
}
