//! A database that is the wrong one, or an older one.

use std::process::Command;

use postgres_testing::Cluster;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::with_password;
use crate::support::server::World;

/// Runs SQL, and yields the first column of the first row.
fn sql(url: &str, sql: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.first().map(|row| row.get(0))
    })
}

#[test]
fn a_command_makes_nothing_in_a_database_and_changes_none_of_its_tables() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    sql(&cluster.url(), "CREATE DATABASE other");
    let files = tempfile::tempdir().unwrap();
    let export = files.path().join("all");
    let commands = |url: &str| {
        let of = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
            command.env_clear().env("RUST_LOG", "off").args(args).args(["--store", url]);
            let output = with_password(&mut command);
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        [
            of(&["user", "list"]),
            of(&["user", "add", "ada", "--password-stdin"]),
            of(&["space", "list"]),
            of(&["export", export.to_str().unwrap()]),
        ]
    };
    for (exit_code, told) in commands(&cluster.url_of("other")) {
        assert!(exit_code == Some(1) && told.contains("there is no store"), "{told}");
    }
    let n_tables = "SELECT count(*)::text FROM pg_namespace WHERE nspname = 'sync'";
    assert_eq!(sql(&cluster.url_of("other"), n_tables).as_deref(), Some("0"));

    World::on(&cluster.url(), 1).start().stop();
    let versions = "SELECT count(*)::text FROM sync.schema_version";
    let found = sql(&cluster.url(), versions);
    sql(&cluster.url(), "DELETE FROM sync.schema_version WHERE version > 1");
    for (exit_code, told) in commands(&cluster.url()) {
        assert!(exit_code == Some(1) && told.contains("start the server of this version first"), "{told}");
    }
    assert_eq!(sql(&cluster.url(), versions).as_deref(), Some("1"));
    assert_ne!(found.as_deref(), Some("1"), "there is a version to come from");
}
