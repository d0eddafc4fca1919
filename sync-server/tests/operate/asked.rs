//! What the command line itself says: help, what is missing, and questions on a terminal.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::desk::{BASE_URL, Desk, PASSWORD};
use crate::support::server::Layout;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
    command.env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn help_names_every_subcommand_with_examples() {
    for (noun, verbs) in [
        (
            "user",
            [
                "list", "show", "add", "password", "sign-out", "delete", "invite", "invites", "uninvite",
                "link",
            ]
            .as_slice(),
        ),
        ("device", &["list", "revoke", "rename", "pair"]),
        (
            "space",
            &[
                "list", "show", "create", "rename", "delete", "members", "member", "invite", "invites",
                "uninvite",
            ],
        ),
    ] {
        let help = String::from_utf8(run(&[noun, "--help"]).stdout).unwrap();
        for text in ["Examples:", "Exit codes:", "--json", "--store", "--base-url"] {
            assert!(help.contains(text), "{noun} {text}");
        }
        for verb in verbs {
            assert!(help.contains(&format!("\n  {verb} ")), "{noun} {verb}: {help}");
            assert!(run(&[noun, verb, "--help"]).status.success(), "{noun} {verb}");
        }
        assert!(String::from_utf8(run(&["--help"]).stdout).unwrap().contains(&format!("\n  {noun} ")));
    }
}

#[test]
fn where_there_is_nothing_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("no/sync.db").display());
    for (store, exit_code, text) in [
        (store.as_str(), 1, "there is no store"),
        ("memory:", 1, "nothing to operate"),
        ("postgres://nobody@127.0.0.1:1/nothing", 4, "cannot connect"),
    ] {
        let output = run(&["user", "list", "--store", store]);
        assert_eq!(output.status.code(), Some(exit_code), "{store}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(text), "{store}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_password_is_no_argument() {
    assert_eq!(run(&["user", "add", "ada", PASSWORD]).status.code(), Some(2));
    assert_eq!(run(&["user", "add", "--password", PASSWORD, "ada"]).status.code(), Some(2));
    let mut desk = Desk::beside(Layout::OneFile);
    let (exit_code, told) = desk.refused(&["user", "add", "ada"]);
    assert!(exit_code == 2 && told.contains("--password-stdin"), "{told}");
}

#[test]
fn a_link_that_leads_nowhere_known_says_so() {
    let desk = Desk::without(Layout::OneFile);
    let store = desk.world.store();
    drop(desk.server);
    for (more, hinted, address) in
        [(&[][..], true, "http://127.0.0.1:8080"), (&["--base-url", BASE_URL], false, BASE_URL)]
    {
        let output = run(&[&["user", "invite", "--store", &store], more].concat());
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.starts_with(&format!("{address}/invite#si_")), "{shown}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().contains("--base-url"), hinted);
    }
}

/// A command on a terminal. `None` where there is no `script` to make one.
fn terminal(line: &str) -> Option<Child> {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_sync-server"));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let spawned = script.spawn();
    if spawned.is_err() {
        println!("skipped: there is no `script` here to make a terminal");
    }
    spawned.ok()
}

/// A command on a terminal, with what is typed there.
fn on_a_terminal(desk: &Desk, line: &str, typed: &[&str]) -> Option<(Option<i32>, String)> {
    let mut child = terminal(&format!("{line} --store {}", desk.world.store()))?;
    let mut stdin = child.stdin.take().unwrap();
    for text in typed {
        // What is typed before a question is asked may be shown, and lost.
        std::thread::sleep(Duration::from_secs(1));
        writeln!(stdin, "{text}").unwrap();
    }
    let output = child.wait_with_output().unwrap();
    Some((output.status.code(), String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn a_password_is_asked_for_twice_and_never_shown() {
    let desk = Desk::beside(Layout::OneFile);
    let Some((exit_code, shown)) = on_a_terminal(&desk, "user add ada", &[PASSWORD, PASSWORD]) else {
        return;
    };
    assert_eq!(exit_code, Some(0), "{shown}");
    assert!(shown.contains("Again:") && !shown.contains(PASSWORD), "{shown}");
    desk.world.log_in("ada");
    let (exit_code, shown) =
        on_a_terminal(&desk, "user password ada", &[PASSWORD, "something else"]).unwrap();
    assert!(exit_code == Some(1) && shown.contains("not the same"), "{shown}");
    desk.world.log_in("ada");
}

#[test]
fn who_deletes_types_the_name() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let Some((exit_code, shown)) = on_a_terminal(&desk, "user delete ada", &["yes"]) else { return };
    assert!(exit_code == Some(1) && shown.contains("nothing was deleted"), "{shown}");
    desk.world.log_in("ada");
    let (exit_code, shown) = on_a_terminal(&desk, "user delete ada", &["ada"]).unwrap();
    assert_eq!(exit_code, Some(0), "{shown}");
    assert_eq!(desk.log_in("ada", PASSWORD).status, 401);
}

#[test]
fn who_is_asked_lets_in_or_keeps_out() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    for (typed, status, exit_code) in [("y", 200, 0), ("n", 400, 1)] {
        let line = format!("device pair ada --confirm --store {}", desk.world.store());
        let Some(mut script) = terminal(&line) else { return };
        let mut stdin = script.stdin.take().unwrap();
        let mut shown = BufReader::new(script.stdout.take().unwrap());
        let token = read_until(&mut shown, "/pair#");
        let token: String = token.chars().take_while(|c| !c.is_whitespace()).collect();
        let body = json!({"token": token, "device_name": "phone"});
        let waiting = desk.post("/v1/pairings/redeem", &body);
        assert_eq!(waiting.status, 202, "{waiting:?}");
        let asked = read_until(&mut shown, "Let in ");
        assert!(asked.starts_with("phone on an unknown platform from 127.0.0.1"), "{asked}");
        writeln!(stdin, "{typed}").unwrap();
        let claim = json!({"claim": waiting.json()["claim"]});
        let fetched = loop {
            let fetched = desk.post("/v1/pairings/redeem", &claim);
            if !matches!(fetched.status, 202 | 429) {
                break fetched;
            }
            std::thread::sleep(Duration::from_millis(500));
        };
        assert_eq!(fetched.status, status, "{typed}: {fetched:?}");
        std::io::copy(&mut shown, &mut std::io::sink()).unwrap();
        assert_eq!(script.wait().unwrap().code(), Some(exit_code), "{typed}");
    }
}

/// Reads on until a text has come, and yields the rest of its line.
fn read_until(shown: &mut impl BufRead, text: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(text.as_bytes()) {
        shown.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    let mut rest = Vec::new();
    while !rest.ends_with(b"\n") && !rest.ends_with(b"? ") {
        shown.read_exact(&mut byte).unwrap();
        rest.extend(byte);
    }
    String::from_utf8(rest).unwrap()
}
