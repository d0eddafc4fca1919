//! `notes watch`: open, in sync, and in the way of others.

use crate::world::*;

#[test]
fn changes_are_shown_with_where_they_came_from() {
    let server = Server::start();
    let (phone, laptop) = (Device::new(), Device::new());
    phone.login(&server, "ada", &["--register"]);
    laptop.login(&server, "ada", &[]);
    let mut watching = phone.watch();
    watching.wait_for("[in sync]");
    let id = laptop.add("from the laptop");
    laptop.ok(&["sync"]);
    watching.wait_for("changed elsewhere: ").find("from the laptop").unwrap();
    watching.write("from the phone\n\n");
    watching.wait_for("changed here: ").find("from the phone").unwrap();
    watching.wait_for("[in sync]");
    assert_eq!(laptop.ok(&["sync"]), "sent 0, received 1\n");
    laptop.ok(&["rm", &id]);
    laptop.ok(&["sync"]);
    watching.wait_for("removed elsewhere: ");
    watching.stop();
    assert_eq!(phone.texts(), ["from the phone"]);
}

#[test]
fn a_server_that_goes_and_comes_back_is_told() {
    let mut server = Server::start();
    let (phone, laptop) = (Device::new(), Device::new());
    phone.login(&server, "ada", &["--register"]);
    laptop.login(&server, "ada", &[]);
    let mut watching = phone.watch();
    watching.wait_for("[in sync]");
    server.stop();
    watching.wait_for("[the server is away");
    watching.write("written meanwhile\n");
    watching.wait_for("changed here: ");
    watching.wait_for("1 unsent");
    server.start_again();
    watching.wait_for("[in sync]");
    laptop.ok(&["sync"]);
    assert_eq!(laptop.texts(), ["written meanwhile"]);
    watching.stop();
    assert!(phone.ok(&["status"]).contains("watching: in sync"));
}

#[test]
fn a_second_command_is_told_what_is_in_its_way() {
    let server = Server::start();
    let device = Device::new();
    device.login(&server, "ada", &["--register"]);
    let watching = device.watch();
    let login = ["login", &server.url(), "ada"];
    for args in [&["list"][..], &["add", "x"], &["sync"], &["status"], &login] {
        let said = device.refused(args);
        assert!(said.contains("another process uses this data"), "{said}");
        assert!(said.contains("→ stop `notes watch`"), "{said}");
    }
    watching.stop();
    assert!(device.texts().is_empty());
}

#[test]
fn a_conflict_is_told_while_watching() {
    let server = Server::start();
    let (phone, laptop) = (Device::new(), Device::new());
    phone.login(&server, "ada", &["--register"]);
    let id = phone.add("buy milk");
    phone.ok(&["sync"]);
    laptop.login(&server, "ada", &[]);
    laptop.ok(&["sync"]);
    laptop.ok(&["edit", &id, "buy two milk"]);
    laptop.ok(&["sync"]);
    phone.ok(&["edit", &id, "buy oat milk"]);
    let mut watching = phone.watch();
    watching.wait_for("conflict: two changes do not go together");
    laptop.ok(&["sync"]);
    laptop.ok(&["resolve", &id, "theirs"]);
    laptop.ok(&["sync"]);
    watching.wait_for("conflict: decided");
    watching.stop();
    assert_eq!(phone.texts(), ["buy two milk"]);
}
