//! `device pair`: a code on the terminal, and a device that comes in by it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command};

use serde_json::{Value, json};

use crate::desk::{Desk, refusal};
use crate::support::http::Http;
use crate::support::server::Layout;

/// A command that shows a code and waits.
pub(crate) struct Pairing {
    pub(crate) child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    pub(crate) token: String,
}

impl Pairing {
    pub(crate) fn begin(desk: &Desk, more: &[&str]) -> Self {
        let mut child = desk.spawn(&[&["device", "pair", "ada", "--json"], more].concat());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let offered: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let url = offered["offered"]["url"].as_str().unwrap();
        let token = url.rsplit_once("/pair#").unwrap().1.to_owned();
        Self { child, lines, token }
    }

    pub(crate) fn event(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

pub(crate) fn redemption(token: &str) -> Value {
    json!({"token": token, "device_name": "phone", "platform": "Android"})
}

#[test]
fn a_device_comes_in_by_a_code_of_the_console() {
    comes_in(Desk::beside(Layout::OneFile));
}

#[test]
fn a_device_comes_in_at_a_server_by_a_code_made_in_its_database() {
    let Some(desk) = Desk::on_postgres() else { return };
    comes_in(desk);
}

fn comes_in(mut desk: Desk) {
    desk.add("ada");
    let mut pairing = Pairing::begin(&desk, &[]);
    let granted = desk.post("/v1/pairings/redeem", &redemption(&pairing.token)).ok();
    let paired = pairing.event();
    assert_eq!((&paired["paired"]["name"], &paired["paired"]["kind"]), (&json!("phone"), &json!("device")));
    let again = desk.post("/v1/pairings/redeem", &redemption(&pairing.token));
    assert_eq!(refusal(&again), (400, "pairing_invalid".to_owned()));
    assert_eq!(pairing.ended(), Some(0));
    let token = granted["device_token"].as_str().unwrap();
    let me = Http::new(&desk.world.addresses, Some(token)).get("/v1/me").unwrap();
    assert_eq!(me.status, 200);
    desk.server.take().unwrap().stop();
}

#[test]
fn an_interrupted_code_is_void_and_its_picture_gone() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("code.png");
    let pairing = Pairing::begin(&desk, &["--png", picture.to_str().unwrap()]);
    let mode = fs::metadata(&picture).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    let id = pairing.child.id().to_string();
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().unwrap().success());
    let token = pairing.token.clone();
    assert_eq!(pairing.ended(), Some(1));
    assert!(!picture.exists());
    let late = desk.post("/v1/pairings/redeem", &redemption(&token));
    assert_eq!(refusal(&late), (400, "pairing_invalid".to_owned()));
}

#[test]
fn whom_nobody_can_confirm_is_not_let_in() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let bob = desk.add("bob");
    assert_eq!(desk.refused(&["device", "pair", "ada", "--confirm"]).0, 2, "there is no terminal");

    // Who is signed in as someone else has to be confirmed anyhow.
    let mut pairing = Pairing::begin(&desk, &[]);
    let body = redemption(&pairing.token).to_string();
    let waiting = desk.world.http(&bob).post("/v1/pairings/redeem", &body).unwrap();
    assert_eq!(waiting.status, 202);
    assert_eq!(pairing.event()["claimed"]["name"], "phone");
    assert_eq!(pairing.ended(), Some(1));
    let claim: Value = serde_json::from_str(&waiting.body).unwrap();
    let refused = desk.post("/v1/pairings/redeem", &json!({"claim": claim["claim"]}));
    assert_eq!(refusal(&refused), (400, "pairing_invalid".to_owned()));
}

#[test]
fn a_code_that_nobody_could_redeem_is_not_made() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    desk.server.take().unwrap().stop();
    let (exit_code, told) = desk.refused(&["device", "pair", "ada"]);
    assert!(exit_code == 1 && told.contains("no server runs"), "{told}");
}
