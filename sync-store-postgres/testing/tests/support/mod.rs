//! What the tests here ask of a server, by `psql`.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use postgres_testing::find_postgres;

/// How often something is looked at that takes a moment, for a minute at most.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 6_000;

/// What `psql` prints; `Err` with its complaint.
pub(crate) fn try_ask(url: &str, sql: &str) -> Result<String, String> {
    let psql = find_postgres().unwrap().join("psql");
    let output = Command::new(psql).args(["-XAtq", url, "-c", sql]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[track_caller]
pub(crate) fn ask(url: &str, sql: &str) -> String {
    try_ask(url, sql).unwrap()
}

#[track_caller]
pub(crate) fn wait_until(is_so: impl Fn() -> bool) {
    assert!(
        (0..LOOKS_MAX).any(|_| is_so() || {
            sleep(LOOK);
            false
        }),
        "waited for a minute"
    );
}

/// The processes that were started with this folder.
pub(crate) fn processes_in(folder: &Path) -> Vec<String> {
    let commands = std::fs::read_dir("/proc").unwrap();
    let commands =
        commands.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(folder.to_str().unwrap())).collect()
}

#[track_caller]
pub(crate) fn assert_nothing_left(folder: &Path) {
    assert_eq!(processes_in(folder), Vec::<String>::new());
    assert!(!folder.exists(), "{} is still there", folder.display());
}
