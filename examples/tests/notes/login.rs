//! Signing in, and notes from before.

use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::store::Store;
use sync_core::{ActorId, SpaceId, TokioRuntime};
use sync_store_sqlite::SqliteStore;

use crate::world::*;

#[test]
fn notes_from_before_the_login_move_into_the_account() {
    let server = Server::start();
    let phone = Device::new();
    phone.add("one");
    phone.add("two");
    let said = phone.login(&server, "ada", &["--register"]);
    assert!(said.contains("moved 2 notes") && said.contains("  one\n") && said.contains("  two\n"), "{said}");
    assert!(!phone.login(&server, "ada", &[]).contains("moved"), "once");
    assert_eq!(phone.texts(), ["one", "two"]);
    assert_eq!(phone.ok(&["sync"]), "sent 2, received 0\n");
    let laptop = Device::new();
    laptop.add("three");
    laptop.login(&server, "ada", &[]);
    laptop.ok(&["sync"]);
    phone.ok(&["sync"]);
    assert_eq!((phone.texts(), phone.ok(&["export"])), (laptop.texts(), laptop.ok(&["export"])));
    assert_eq!(phone.texts(), ["one", "three", "two"]);
}

#[test]
fn a_login_that_is_killed_loses_and_doubles_no_note() {
    let server = Server::start();
    let device = Device::new();
    let texts: Vec<String> = (10..30).map(|n| format!("note {n}")).collect();
    texts.iter().for_each(|text| drop(device.add(text)));
    Device::new().login(&server, "ada", &["--register"]);
    for delay_ms in (0..60).step_by(2) {
        let copy = device.copy();
        let mut command = copy.command(&["login", &server.url(), "ada"]);
        let login = command.env("NOTES_PASSWORD", PASSWORD).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut login = login.spawn().unwrap();
        // It says this after the account is written and before the notes move.
        let mut signed_in = [0; 9];
        login.stdout.as_mut().unwrap().read_exact(&mut signed_in).unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        login.kill().unwrap();
        login.wait().unwrap();
        assert_eq!(copy.texts(), texts, "killed after {delay_ms} ms");
        copy.login(&server, "ada", &[]);
        assert_eq!(copy.texts(), texts, "killed after {delay_ms} ms, and signed in again");
    }
}

/// The state that a kill between copying and removing leaves, made by hand.
#[test]
fn a_move_that_broke_off_goes_on_with_the_next_command() {
    let server = Server::start();
    let device = Device::new();
    device.login(&server, "ada", &["--register"]);
    device.add("copied before it broke off");
    let id: serde_json::Value = serde_json::from_str(&device.ok(&["export"])).unwrap();
    put_offline(&device, &[(id["id"].as_str().unwrap(), "its original"), ("ffff", "not copied yet")]);
    let path = device.data().join("account.json");
    let account = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, account.replace("\"has_moved\":true", "\"has_moved\":false")).unwrap();
    let said = device.run(&["list"]);
    assert!(said.err.contains("moved 2 notes") && said.err.contains("not copied yet"), "{said:?}");
    assert_eq!(device.texts(), ["copied before it broke off", "not copied yet"]);
    device.ok(&["rm", "ffff"]);
    device.login(&server, "ada", &[]);
    assert_eq!(device.texts(), ["copied before it broke off"], "what was removed does not come back");
}

#[tokio::main(flavor = "current_thread")]
async fn put_offline(device: &Device, notes: &[(&str, &str)]) {
    let store = SqliteStore::open_file(device.data().join("notes.db")).await.unwrap();
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("nobody").unwrap());
    let (shared, space) = (Arc::new(store.clone()), SpaceId::new("notes-without-account").unwrap());
    let replica = Replica::open(shared as Arc<dyn Store>, space, options).await.unwrap();
    for (id, text) in notes {
        replica.put("notes", id, &serde_json::json!({"text": text, "created_at": 1})).await.unwrap();
    }
    store.close().await;
}

#[test]
fn a_wrong_password_changes_nothing() {
    let server = Server::start();
    let device = Device::new();
    device.add("buy milk");
    let said = device.login_with(&server, "ada", PASSWORD, &[]);
    assert_eq!(said.status.code(), Some(1));
    assert!(said.err.contains("wrong") && said.err.contains("--register"), "{said:?}");
    device.login(&server, "ada", &["--register"]);
    let other = Device::new();
    other.add("mine");
    for (password, more) in [("wrong horse", &[][..]), ("", &[]), ("short", &["--register"])] {
        let said = other.login_with(&server, "ada", password, more);
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(said.err.contains("\n  → "), "{said:?}");
        assert!(!other.data().join("account.json").exists());
    }
    let said = other.login_with(&server, "ada", PASSWORD, &["--register"]);
    assert!(said.err.contains("without --register"), "{said:?}");
    assert_eq!(other.texts(), ["mine"]);
}

#[test]
fn neither_token_nor_password_is_ever_shown() {
    let server = Server::start();
    let device = Device::new();
    let said = device.login(&server, "ada", &["--register"]);
    let path = device.data().join("account.json");
    assert_eq!(mode(&path), 0o600);
    let account = std::fs::read_to_string(&path).unwrap();
    assert!(!account.contains(PASSWORD));
    let account: serde_json::Value = serde_json::from_str(&account).unwrap();
    let token = account["token"].as_str().unwrap();
    let mut all = vec![said];
    for args in [&["status"][..], &["sync"], &["list"], &["export"], &["login", "http://127.0.0.1:1", "ada"]]
    {
        let said = device.command(args).env("NOTES_PASSWORD", PASSWORD).output().unwrap();
        all.push(format!("{:?}", Said::from(said)));
    }
    for said in all {
        assert!(!said.contains(token) && !said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn a_token_that_is_no_good_any_more_asks_for_a_new_login_and_keeps_what_was_written() {
    let mut server = Server::start();
    let device = Device::new();
    device.login(&server, "ada", &["--register"]);
    server.stop();
    std::fs::remove_file(server.database().with_extension("db.jwt-secret")).unwrap();
    server.start_again();
    device.add("buy milk");
    assert!(device.refused(&["sync"]).contains("sign in again: notes login"));
    device.login(&server, "ada", &[]);
    assert_eq!(device.ok(&["sync"]), "sent 1, received 0\n");
}
