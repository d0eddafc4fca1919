//! The examples that are read from top to bottom run, and print what they claim.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

#[track_caller]
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

#[test]
fn two_replicas_merge_conflict_and_converge() {
    let out = run(env!("CARGO_BIN_EXE_two-replicas"), &[]);
    for line in [
        "the phone wrote offline: 1 record waits to be sent",
        "the laptop synced: 1 merged",
        "the laptop synced: 1 conflict",
        "conflict at /flour_g: it was 200, one edit says 300, stored is 250",
    ] {
        assert!(out.lines().any(|said| said == line), "{line:?} is missing in {out}");
    }
    let decided: Vec<&str> = out.lines().filter(|line| line.starts_with("decided, ")).collect();
    let same = r#"{"eggs":3,"flour_g":300,"title":"Ada's pancakes"}"#;
    assert_eq!(decided, [format!("decided, phone: {same}"), format!("decided, laptop: {same}")]);
}

#[test]
fn a_server_within_an_app_serves_a_phone_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let start = || run(env!("CARGO_BIN_EXE_embedded-server"), &[folder.path().to_str().unwrap()]);
    let space = |out: &str| out.lines().next().unwrap().split(" for space ").nth(1).unwrap().to_owned();
    let (first, second) = (start(), start());
    assert_eq!(space(&first), space(&second), "it is the same account");
    for out in [first, second] {
        let said: Vec<&str> = out.lines().skip(2).collect();
        let expected = [
            r#"desktop shows {"stars":4,"title":"Lake"} (Local)"#,
            r#"phone shows {"stars":4,"title":"Lake"} (Remote)"#,
            r#"phone shows {"stars":5,"title":"Lake"} (Local)"#,
            r#"desktop shows {"stars":5,"title":"Lake"} (Remote)"#,
            "both have the same",
            "stopped; the phone goes on offline",
        ];
        assert_eq!(said, expected);
    }
}
