//! Signals to processes, and what `/proc` knows of them. Waiting is by looking, with an end.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// How often something that cannot be waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How often at most: for a minute. A server on a loaded machine has been seen to take ten seconds.
const LOOKS_MAX: u32 = 12_000;

/// Sends a signal; who is gone already is no failure.
pub(crate) fn signal(name: &str, processes: &[u32]) {
    // The shell's own command: there may be no program of that name.
    let mut command = Command::new("sh");
    command.args(["-c", r#"kill -s "$@" 2>/dev/null || :"#, "sh", name]);
    command.args(processes.iter().map(u32::to_string));
    let status = command.status().expect("there is a shell");
    assert!(status.success(), "cannot send {name} to {processes:?}");
}

/// The processes that were started by `parent` and are alive.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    names.filter(|process| state(*process).is_some_and(|(_, its_parent)| its_parent == parent)).collect()
}

/// Holds it still: it starts no process any more.
pub(crate) fn freeze(process: u32) {
    signal("STOP", &[process]);
    wait_until("a process to stand still", || state(process).is_none_or(|(state, _)| state == 'T'));
}

/// Ends processes that may not be ours to wait for, as `kill -9`, and returns when they are dead.
pub(crate) fn kill(processes: &[u32]) {
    signal("KILL", processes);
    wait_until("killed processes to end", || processes.iter().all(|process| state(*process).is_none()));
}

/// Looks until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = (0..LOOKS_MAX).any(|_| {
        is_so() || {
            sleep(LOOK);
            false
        }
    });
    assert!(so, "waited too long for {what}");
}

/// The state of a process that is alive, and its parent.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before these two is in parentheses and may contain anything.
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let state = fields.next()?.chars().next()?;
    // Dead, and not yet noticed by its parent.
    (state != 'Z' && state != 'X').then_some((state, fields.next()?.parse().ok()?))
}
