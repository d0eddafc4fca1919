//! What of Postgres there is on this machine, and whether a test may do without.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Address of the Postgres that tests share, from `TEST_DATABASE_URL`; `None` says on the error output that the test is
/// skipped.
///
/// Its user may create and drop databases. Others use it at the same time: bring a database or a schema of your own.
///
/// # Panics
///
/// When there is none and `REQUIRE_POSTGRES` is set.
#[must_use]
pub fn database_url() -> Option<String> {
    let set = env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty());
    required(set, "TEST_DATABASE_URL is not set; ./scripts/test and ./scripts/with-postgres set it")
}

/// The folder with the programs of Postgres; `None` says on the error output that the test is skipped.
///
/// # Panics
///
/// When there is none and `REQUIRE_POSTGRES` is set.
#[must_use]
pub fn find_postgres() -> Option<PathBuf> {
    let output = tool("find").output().expect("the scripts of this repository can be run");
    let folder = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    let found = output.status.success().then(|| PathBuf::from(folder));
    required(found, "no Postgres here; Debian's package is called postgresql")
}

/// The program `pgbouncer`; `None` says on the error output that the test is skipped.
///
/// # Panics
///
/// When there is none and `REQUIRE_POSTGRES` is set.
#[must_use]
pub fn find_pgbouncer() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Where Debian puts it is not on everyone's PATH.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder: PathBuf| folder.join("pgbouncer")).find(|program| program.is_file());
    required(found, "no pgbouncer here; Debian's package has this name")
}

/// A command of `scripts/postgres`.
pub(crate) fn tool(name: &str) -> Command {
    Command::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres")).join(name))
}

/// The rule for everything a test may lack.
fn required<T>(found: Option<T>, why_not: &str) -> Option<T> {
    if found.is_none() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let required = env::var_os("REQUIRE_POSTGRES").is_some_and(|value| !value.is_empty());
        assert!(!required, "{test} may not be skipped where REQUIRE_POSTGRES is set, but {why_not}");
        // Past the captured output of the test, and in one piece: others write there at the same time.
        std::io::stderr().write_all(format!("\nSKIPPED {test}: {why_not}\n").as_bytes()).ok();
    }
    found
}
