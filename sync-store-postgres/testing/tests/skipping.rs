//! A test may be skipped where nobody requires it, and says so; it fails where somebody does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use postgres_testing::database_url;

const INNER: &str = "asks_for_a_database";

/// Runs the test below in a process of its own.
fn asked(variables: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", INNER, "--ignored"])
        .env_remove("TEST_DATABASE_URL")
        .env_remove("REQUIRE_POSTGRES");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    (output, said)
}

#[test]
fn without_a_database_a_test_is_skipped_and_says_so() {
    let (output, said) = asked(&[]);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("SKIPPED {INNER}: TEST_DATABASE_URL is not set")), "{said}");
}

#[test]
fn without_a_database_that_is_required_a_test_fails() {
    let (output, said) = asked(&[("REQUIRE_POSTGRES", "1")]);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("may not be skipped"), "{said}");
}

#[test]
fn with_a_database_nothing_is_skipped() {
    let (output, said) = asked(&[("REQUIRE_POSTGRES", "1"), ("TEST_DATABASE_URL", "postgres://here")]);
    assert!(output.status.success() && !said.contains("SKIPPED"), "{said}");
}

#[test]
#[ignore = "started by other tests"]
fn asks_for_a_database() {
    assert!(database_url().is_none_or(|url| url == "postgres://here"));
}
