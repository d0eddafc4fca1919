//! Arguments that make no sense.

use crate::world::*;

#[test]
fn garbage_is_refused_with_advice_and_changes_nothing() {
    let device = Device::new();
    let id = device.add("buy milk");
    let before = device.ok(&["export"]);
    let long = "x".repeat(300);
    let big = "x".repeat(100_000);
    let misused: &[&[&str]] = &[
        &[],
        &["fly"],
        &["add"],
        &["add", "x", "--tag", "two words"],
        &["add", "x", "--tag", ""],
        &["add", "x", "--tag", &long],
        &["list", "--sort", "colour"],
        &["list", "--open", "--done"],
        &["done"],
        &["resolve", "x", "both"],
        &["login", "http://127.0.0.1:1"],
        &["--data"],
        &["show", "--", "x", "y"],
    ];
    for args in misused {
        let said = device.run(args);
        assert_eq!(said.status.code(), Some(2), "{args:?}: {said:?}");
        assert!(said.err.contains("Usage") || said.err.contains("--help"), "{args:?}: {said:?}");
    }
    let impossible: &[&[&str]] = &[
        &["add", ""],
        &["add", " \n "],
        &["show", "zzzz"],
        &["show", ""],
        &["edit", &id, "  "],
        &["edit", &id, "--untag", "x", "\t"],
        &["done", &id, "zzzz"],
        &["rm", "zzzz"],
        &["rm", "\u{1f600}\u{202e}"],
        &["resolve", "-x", "mine"],
        &["resolve", "", "theirs"],
        &["dismiss", "-"],
        &["dismiss", ""],
        &["sync"],
        &["watch"],
        &["login", "ftp://x", "ada"],
        &["login", "not a url", "ada"],
        &["login", &big, "ada"],
        &["login", "http://127.0.0.1:1", "ada"],
    ];
    for args in impossible {
        let said = device.run(args);
        assert_eq!(said.status.code(), Some(1), "{args:?}: {said:?}");
        assert!(said.err.starts_with("notes: ") && said.err.contains("\n  → "), "{args:?}: {said:?}");
    }
    assert_eq!(device.ok(&["export"]), before);
}

#[test]
fn every_command_has_help() {
    let device = Device::new();
    let help = device.ok(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<&str> = names.filter(|name| !name.is_empty() && *name != "help").collect();
    assert_eq!(names.len(), 17, "{names:?}");
    for name in names {
        assert!(device.ok(&[name, "--help"]).contains("Usage: notes "), "{name}");
    }
    assert!(!device.data().exists(), "asking for help makes nothing");
}

#[test]
fn texts_that_would_command_the_terminal_are_shown_as_text() {
    let device = Device::new();
    let id = device.add("\u{1b}[2Jgone\u{7}");
    for args in [&["list"][..], &["show", &id], &["find", "gone"], &["rm", &id]] {
        let said = device.ok(args);
        assert!(said.contains("gone") && !said.contains(['\u{1b}', '\u{7}']), "{args:?}: {said:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let device = Device::new();
    std::fs::write(device.data(), "a file").unwrap();
    assert!(device.refused(&["list"]).contains(&device.data().display().to_string()));
    std::fs::remove_file(device.data()).unwrap();
    device.add("buy milk");
    std::fs::write(device.data().join("account.json"), "{").unwrap();
    let said = device.refused(&["list"]);
    assert!(said.contains("account.json") && said.contains("sign in again"), "{said}");
}
