//! A server that is away, a program that is killed, a server that was restored.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use crate::world::*;

#[test]
fn a_server_that_is_away_costs_nothing_but_patience() {
    let mut server = Server::start();
    let device = Device::new();
    device.login(&server, "ada", &["--register"]);
    server.stop();
    device.add("buy milk");
    let said = device.refused(&["sync"]);
    assert!(said.contains("cannot reach the server") && said.contains("nothing is lost"), "{said}");
    let status = device.ok(&["status"]);
    assert!(status.contains("unsent     1") && status.contains("failed: cannot reach"), "{status}");
    let said = device.login_with(&server, "ada", PASSWORD, &[]);
    assert!(said.err.contains("cannot reach the server"), "{said:?}");
    server.start_again();
    assert_eq!(device.ok(&["sync"]), "sent 1, received 0\n");
}

#[test]
fn something_that_is_no_sync_server_is_not_believed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let portal = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\n\r\nhello";
            let mut stream = stream.unwrap();
            stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(portal.as_bytes())).unwrap();
        }
    });
    let device = Device::new();
    device.add("buy milk");
    let mut command = device.command(&["login", &url, "ada"]);
    let said = Said::from(command.env("NOTES_PASSWORD", PASSWORD).output().unwrap());
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(said.err.contains("is the address right"), "{said:?}");
    assert_eq!(device.texts(), ["buy milk"]);
}

#[test]
fn a_sync_that_is_killed_again_and_again_sends_every_note_once() {
    let mut server = Server::start();
    let phone = Device::new();
    phone.login(&server, "ada", &["--register"]);
    server.stop();
    let texts: Vec<String> = (1000..3000).map(|n| format!("note {n}")).collect();
    let mut watching = phone.watch();
    watching.write(&(texts.join("\n") + "\n"));
    watching.wait_for("note 2999");
    watching.stop();
    server.start_again();
    let mut n_killed = 0;
    for delay_ms in (5..).step_by(15) {
        let mut sync = phone.command(&["sync"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        if sync.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        sync.kill().unwrap();
        sync.wait().unwrap();
        n_killed += 1;
    }
    assert!(n_killed > 0);
    assert_eq!(phone.texts(), texts);
    assert!(phone.ok(&["status"]).contains("unsent     0"));
    let laptop = Device::of(&server, "ada");
    assert_eq!(laptop.ok(&["sync"]), "sent 0, received 2000\n");
    assert_eq!(laptop.texts(), texts);
    for device in [&phone, &laptop] {
        assert_eq!(device.ok(&["conflicts"]), "no conflicts\n");
        assert_eq!(device.ok(&["refused"]), "nothing was refused\n");
    }
}

#[test]
fn what_a_restored_server_has_forgotten_is_shown_and_can_be_dismissed() {
    let mut server = Server::start();
    let device = Device::new();
    device.login(&server, "ada", &["--register"]);
    let id = device.add("buy milk");
    device.ok(&["sync"]);
    server.stop();
    let backup = std::fs::read(server.database()).unwrap();
    server.start_again();
    device.ok(&["edit", &id, "buy oat milk"]);
    device.ok(&["sync"]);
    server.stop();
    std::fs::write(server.database(), backup).unwrap();
    server.start_again();
    let said = device.ok(&["sync"]);
    assert!(said.contains("loaded anew: history_diverged"), "{said}");
    let said = device.ok(&["refused"]);
    assert!(said.contains("lost_in_restore") && said.contains("buy oat milk"), "{said}");
    let name = said.split(' ').next().unwrap();
    device.ok(&["dismiss", name]);
    assert_eq!(device.ok(&["refused"]), "nothing was refused\n");
}
