//! Who listens where a server would.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::with_password;
use crate::support::server::{Layout, World};

/// Where the stranger of a test listens.
const STRANGER_AT: &str = "STRANGER_AT";

/// The user who has no rights anywhere.
const NOBODY: u32 = 65_534;

/// What a stranger says when it listens, and before what it heard.
const LISTENS: &str = "the stranger listens";
const HEARD: &str = "the stranger heard";

/// No claim by itself: what this program does when a test runs it as somebody else.
#[test]
fn a_stranger_listens_when_told_to() {
    let Some(path) = std::env::var_os(STRANGER_AT) else { return };
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    println!("{LISTENS}");
    for stream in listener.incoming() {
        let mut line = String::new();
        let mut stream = BufReader::new(stream.unwrap());
        stream.read_line(&mut line).unwrap();
        println!("{HEARD} <{}>", line.trim_end());
        // Who asked may have thought better of it.
        let _ = stream.get_mut().write_all(b"{\"report\":\"done\"}\n");
    }
}

/// Another user of the machine, who listens where a server would, for as long as the test goes on.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn stranger(path: &Path) -> Stranger {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "broken_console::stranger::a_stranger_listens_when_told_to", "--nocapture"]);
    let mut child =
        command.env(STRANGER_AT, path).uid(NOBODY).gid(NOBODY).stdout(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    let mut said = Vec::new();
    while !said.ends_with(LISTENS.as_bytes()) {
        child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    Stranger(child)
}

#[test]
fn a_stranger_at_the_place_of_the_server_hears_nothing() {
    let root = tempfile::tempdir().unwrap();
    if fs::metadata(root.path()).unwrap().uid() != 0 {
        return println!("skipped: only root can be somebody else");
    }
    fs::set_permissions(root.path(), Permissions::from_mode(0o1777)).unwrap();
    let world = World::at(root.path(), Layout::OneFile);
    world.start().stop();
    let mut stranger = stranger(&world.main_file().with_added_extension("control"));
    let add = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
        command.env_clear().args(["user", "add", "eve", "--password-stdin", "--store", &world.store()]);
        with_password(&mut command)
    };
    let output = add();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("nothing was sent") && told.contains("65534"), "{told}");
    // Whose store it is may as well read it.
    chown(world.main_file(), Some(NOBODY), None).unwrap();
    assert_eq!(add().status.code(), Some(0));
    chown(world.main_file(), Some(0), None).unwrap();
    stranger.0.kill().unwrap();
    let mut heard = String::new();
    stranger.0.stdout.take().unwrap().read_to_string(&mut heard).unwrap();
    let heard: Vec<_> = heard.lines().filter(|line| line.contains(HEARD)).collect();
    let named: Vec<_> = heard.iter().filter(|line| line.contains("eve")).collect();
    assert_eq!(named.len(), 1, "{heard:?}");
    // A server takes the place back.
    let server = world.start();
    assert_eq!(add().status.code(), Some(0));
    server.stop();
}
