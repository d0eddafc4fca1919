//! What somebody got away with at the console, and does not any more.

mod codes;
mod database;
mod invites;
mod names;
mod stranger;
mod waiting;

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::desk::PASSWORD;
use crate::support::server::LOOK;

/// Runs a command that may ask for a password.
fn with_password(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The exit code of a process that must end in time.
#[track_caller]
fn ended(child: &mut Child, within: Duration) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begun.elapsed() > within {
            child.kill().unwrap();
            panic!("it has not ended after {within:?}");
        }
        sleep(LOOK);
    }
}

/// Sends a process a signal.
fn kill(signal: &str, process: u32) {
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
    assert!(kill.unwrap().success());
}
