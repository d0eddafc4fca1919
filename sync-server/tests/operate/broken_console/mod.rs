//! What somebody got away with at the console, and does not any more.

mod database;
mod stranger;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::desk::PASSWORD;

/// Runs a command that may ask for a password.
fn with_password(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
