//! Starts that must fail: one clear line, soon, and without the password.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use postgres_testing::{Cluster, Shutdown};

use crate::site::Session;
use crate::support::refusal::refusal;
use crate::support::server::World;

/// How long a start may take to fail: it looks for its database for 5 s, and machines stall.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

/// Starts on a database that cannot be used; the line must contain one of `reasons`.
#[track_caller]
fn refused(url: &str, reasons: &[&str]) {
    let begun = Instant::now();
    let line = refusal(World::on(url, 1).command());
    println!("refused after {:?}: {line}", begun.elapsed());
    assert!(reasons.iter().any(|reason| line.contains(reason)), "none of {reasons:?}: {line}");
    assert!(!line.contains("hunter"), "{line}");
    assert!(begun.elapsed() < REFUSED_WITHIN, "refused only after {:?}", begun.elapsed());
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    refused("postgres://u:hunter2@nowhere.invalid/d", &["nowhere.invalid"]);
    refused(
        "postgres://u:hunter2@127.0.0.1:1/d",
        &["127.0.0.1:1: error communicating with database: Connection refused"],
    );
    refused(&format!("postgres://u:hunter2@{silent}/d"), &[&format!("{silent} does not answer")]);
    refused("postgres://u:hunter2@localhost/d?host=/nowhere", &["/nowhere"]);
    refused("postgres://u:hunter2@h/d?shema=x", &["a parameter of the URL is not known"]);
    refused("postgres://u:hunter2@h:port/d", &["a database is postgres://"]);
}

/// Only the superuser gets in without a password.
const WHO_GETS_IN: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

#[test]
fn a_database_that_refuses_or_does_not_do_is_named_without_its_password() {
    let Some(mut cluster) = Cluster::start(&[("fsync", "on"), ("full_page_writes", "on")]) else { return };
    let rules = cluster.socket_dir().join("rules");
    std::fs::write(&rules, WHO_GETS_IN).unwrap();
    cluster.configure(&[("hba_file", rules.to_str().unwrap())]);
    cluster.restart(Shutdown::Fast);
    let ask = |sql: &str| Session::open(&cluster.url()).ask(sql);
    ask("CREATE ROLE stranger LOGIN PASSWORD 'hunter3'");
    let at = |who: &str, database: &str| cluster.url_of(database).replace("postgres@", &format!("{who}@"));

    refused(&at("stranger:hunter2", "postgres"), &["password authentication failed for user \"stranger\""]);
    refused(&at("stranger", "postgres"), &["password"]);
    refused(&at("nobody:hunter2", "postgres"), &["password authentication failed for user \"nobody\""]);
    refused(&at("postgres:hunter2", "elsewhere"), &["database \"elsewhere\" does not exist"]);
    refused(&at("stranger:hunter3", "postgres"), &["permission denied for database postgres"]);
    ask("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    refused(&at("postgres:hunter2", "latin"), &["its encoding is LATIN1"]);
    ask("ALTER ROLE stranger SET synchronous_commit = off");
    refused(&at("stranger:hunter3", "postgres"), &["synchronous_commit is off"]);

    World::on(&cluster.url(), 1).start().stop();
    ask("INSERT INTO sync.schema_version VALUES (99)");
    let versions = || ask("SELECT string_agg(version::text, ' ' ORDER BY version) FROM sync.schema_version");
    let before = versions();
    refused(&at("postgres:hunter2", "postgres"), &["newer"]);
    assert_eq!(versions(), before, "it is left alone");
}
