//! Starts that must fail: one clear line, a status other than zero, and nothing touched.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::support::crowd::account;
use crate::support::refusal::refusal;
use crate::support::server::{Layout, World};

const LAYOUTS: [Layout; 2] = [Layout::OneFile, Layout::FilePerSpace];

/// Content of all files below a folder, apart from locks.
fn content(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            all.append(&mut content(&entry.path()));
        } else if !entry.path().to_str().unwrap().ends_with("lock") {
            all.insert(entry.path(), std::fs::read(entry.path()).unwrap());
        }
    }
    all
}

/// Starts on data that was spoiled by `spoil`, must be refused with `reason` and the path, and must leave it alone.
fn refuses_spoiled(layout: Layout, reason: &str, spoil: impl Fn(&Path)) {
    let world = World::new(layout);
    let server = world.start();
    account(&world, "ada");
    server.stop();
    let main = world.main_file();
    spoil(&main);
    let before = content(main.parent().unwrap());
    let line = refusal(world.command());
    assert!(line.contains(reason) && line.contains(main.to_str().unwrap()), "{layout:?}: {line}");
    assert!(content(main.parent().unwrap()) == before, "{layout:?}, {reason}: the files were touched");
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    for layout in LAYOUTS {
        let world = World::new(layout);
        let first = world.start();
        let ada = account(&world, "ada");
        let mut second = world.command();
        // It waits a while, and says so.
        second.env("RUST_LOG", "error");
        let line = refusal(second);
        let folder = world.main_file();
        let folder = folder.parent().unwrap().to_str().unwrap();
        assert!(line.contains("another process uses this data") && line.contains(folder), "{line}");
        let body = r#"{"mutations":[{"op":"put","collection":"c","id":"1","data":1}]}"#;
        world.http(&ada).post(&ada.path("changes"), body).unwrap().ok();
        first.stop();
        world.check_files(&[ada]);
    }
}

#[test]
fn a_dead_process_leaves_no_lock() {
    for layout in LAYOUTS {
        let world = World::new(layout);
        world.start().kill();
        world.start().stop();
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let own = tempfile::tempdir().unwrap();
    let file = own.path().join("file");
    std::fs::write(&file, "text").unwrap();
    // Root may write to every folder, but neither below a file nor in /proc.
    for root in [file.join("data"), PathBuf::from("/proc/sync-server")] {
        for layout in LAYOUTS {
            let line = refusal(World::at(&root, layout).command());
            assert!(line.contains(root.to_str().unwrap()), "{line}");
        }
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let world = World::new(Layout::OneFile);
    let line = refusal(world.command_at(&address));
    assert!(line.contains(&format!("cannot listen on {address}")), "{line}");
    world.start().stop();
}

#[test]
fn a_weak_secret_is_refused_without_being_repeated() {
    let world = World::new(Layout::OneFile);
    for secret in ["hunter2", &"hunter2".repeat(8), "please-change-me-please-hunter2-please"] {
        let mut command = world.command();
        command.args(["--jwt-secret", secret]);
        let line = refusal(command);
        assert!(line.contains("secret is refused") && !line.contains("hunter2"), "{line}");
    }
    assert!(!world.main_file().exists(), "nothing is created by a start that is refused");
}

#[test]
fn damaged_or_foreign_data_is_named_and_left_alone() {
    for layout in LAYOUTS {
        refuses_spoiled(layout, "not a database", |file| std::fs::write(file, [0x5a; 8192]).unwrap());
        refuses_spoiled(layout, "is empty", |file| std::fs::write(file, "").unwrap());
        refuses_spoiled(layout, "it is not a file", |file| {
            std::fs::remove_file(file).unwrap();
            std::fs::create_dir(file).unwrap();
        });
        refuses_spoiled(layout, "something else", |file| {
            std::fs::remove_file(file).unwrap();
            let other = rusqlite::Connection::open(file).unwrap();
            other.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)").unwrap();
        });
        refuses_spoiled(layout, "newer", |file| {
            let database = rusqlite::Connection::open(file).unwrap();
            database.execute_batch("PRAGMA user_version = 99").unwrap();
        });
    }
}
