//! The socket beside the store: whose it is, and what becomes of it.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::desk::{Desk, PASSWORD};
use crate::support::http::PATIENCE;
use crate::support::server::{Layout, World};

fn socket(world: &World, layout: Layout) -> PathBuf {
    match layout {
        Layout::OneFile => world.main_file().with_added_extension("control"),
        Layout::FilePerSpace => world.main_file().with_file_name("control"),
    }
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
    for layout in [Layout::OneFile, Layout::FilePerSpace] {
        let mut desk = Desk::beside(layout);
        let path = socket(&desk.world, layout);
        let found = fs::metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert!(
            !path.with_file_name("sync.db.control~").exists() && !path.with_file_name("control~").exists()
        );
        desk.server.take().unwrap().stop();
        assert!(!path.exists());
    }
}

#[test]
fn an_open_umask_does_not_open_the_socket() {
    let world = World::new(Layout::OneFile);
    let command = world.command();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
    let line = format!("umask 0; exec {} {}", command.get_program().to_str().unwrap(), args.join(" "));
    let mut server = Command::new("sh").args(["-c", &line]).stdout(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    server.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    let mode = fs::metadata(socket(&world, Layout::OneFile)).unwrap().permissions().mode();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_a_killed_server_left_is_in_nobodys_way() {
    let mut desk = Desk::beside(Layout::OneFile);
    let path = socket(&desk.world, Layout::OneFile);
    desk.server.take().unwrap().kill();
    assert!(path.exists(), "it left its socket");
    desk.run_reading(&["user", "add", "ada", "--password-stdin"], PASSWORD);
    let draft = path.with_file_name("sync.db.control~");
    fs::create_dir(&draft).unwrap();
    fs::write(draft.join("s"), "of a server that died over it").unwrap();
    desk.server = Some(desk.world.start());
    assert!(!draft.exists());
    assert_eq!(desk.json(&["user", "list"]).len(), 1);
    desk.world.log_in("ada");
}

#[test]
fn a_file_of_someone_else_is_not_replaced() {
    let world = World::new(Layout::OneFile);
    fs::create_dir_all(world.main_file().parent().unwrap()).unwrap();
    let path = socket(&world, Layout::OneFile);
    fs::write(&path, "mine").unwrap();
    let server = world.start();
    assert!(world.log().contains("takes no commands while it runs"), "{}", world.log());
    server.stop();
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_path_that_is_too_long_is_said_once_and_costs_the_commands_alone() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("x".repeat(120));
    let world = World::at(&deep, Layout::OneFile);
    let server = world.start();
    let log = world.log();
    assert_eq!(log.matches("longer than a socket may have").count(), 1, "{log}");
    let list = |world: &World| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
        command.env_clear().args(["user", "list", "--store", &world.store()]).output().unwrap()
    };
    let refused = list(&world);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("another process uses this data"));
    server.stop();
    assert!(list(&world).status.success());
}

#[test]
fn nonsense_on_the_socket_harms_nobody() {
    let mut desk = Desk::beside(Layout::OneFile);
    let path = socket(&desk.world, Layout::OneFile);
    let endless = vec![b'x'; 1 << 20];
    for (sent, answered) in [
        (b"GET / HTTP/1.1\n".as_slice(), true),
        (b"{\"user\":{\"fly\":{}}}\n", true),
        (b"{\"user\":\"invite\"", false),
        (b"\xff\xfe\n", true),
        (&endless, false),
        (b"", false),
    ] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be refused before all of it is sent.
        let _ = stream.write_all(sent);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(answer.contains("validation_failed"), answered, "{answer}");
    }
    // More than are let in at once, and none of them says anything.
    let silent: Vec<_> = (0..6).map(|_| UnixStream::connect(&path).unwrap()).collect();
    desk.add("ada");
    drop(silent);
    let mut server = desk.server.take().unwrap();
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(15)).code(), Some(0));
    desk.world.check_log();
}
