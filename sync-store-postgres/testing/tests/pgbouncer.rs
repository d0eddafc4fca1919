//! What a pgbouncer promises, asked with `psql`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use postgres_testing::{Cluster, Pgbouncer, Shutdown};

use support::{ask, assert_nothing_left, try_ask, wait_until};

fn world(settings: &[(&str, &str)]) -> Option<(Cluster, Pgbouncer)> {
    let cluster = Cluster::start(&[])?;
    let bouncer = Pgbouncer::start(cluster.socket_dir(), settings)?;
    Some((cluster, bouncer))
}

#[test]
fn connections_go_through_the_pool_by_transaction() {
    let Some((cluster, bouncer)) = world(&[]) else { return };
    assert_eq!(ask(&bouncer.url(), "SELECT current_database(), current_user"), "postgres|postgres");
    let backend = "SELECT pg_backend_pid()";
    assert_eq!(ask(&bouncer.url(), backend), ask(&bouncer.url(), backend), "one connection serves both");
    assert_ne!(ask(&cluster.url(), backend), ask(&cluster.url(), backend));
    assert!(ask(&bouncer.url_of("pgbouncer"), "SHOW POOLS").contains("|transaction"));
}

#[test]
fn settings_of_the_caller_win() {
    let Some((_cluster, bouncer)) = world(&[("pool_mode", "session")]) else { return };
    assert!(ask(&bouncer.url(), "SELECT 1") == "1");
    assert!(ask(&bouncer.url_of("pgbouncer"), "SHOW POOLS").contains("postgres|postgres|"));
    assert!(ask(&bouncer.url_of("pgbouncer"), "SHOW POOLS").contains("|session"));
}

#[test]
fn both_can_be_restarted_under_it() {
    let Some((mut cluster, mut bouncer)) = world(&[]) else { return };
    ask(&bouncer.url(), "CREATE TABLE kept (id INT)");
    cluster.restart(Shutdown::Immediate);
    wait_until(|| try_ask(&bouncer.url(), "SELECT * FROM kept").is_ok());
    bouncer.restart();
    ask(&bouncer.url(), "SELECT * FROM kept");
}

#[test]
fn nothing_is_left_of_a_dropped_pgbouncer() {
    let Some((cluster, bouncer)) = world(&[]) else { return };
    let folder = bouncer.socket_dir().to_owned();
    ask(&bouncer.url(), "SELECT 1");
    drop(bouncer);
    assert_nothing_left(&folder);
    assert_eq!(ask(&cluster.url(), "SELECT 1"), "1");
}
