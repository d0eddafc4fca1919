//! A start that must fail.

use std::process::Command;

/// Runs a server that must refuse to start, and returns the one line in which it says why.
pub(crate) fn refusal(mut command: Command) -> String {
    let done = command.output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(1), "{out}{error}");
    assert_eq!(out, "", "{error}");
    let line = error.strip_suffix('\n').unwrap();
    assert!(line.starts_with("sync-server: ") && !line.contains('\n'), "{error}");
    line.to_owned()
}
