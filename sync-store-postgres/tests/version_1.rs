//! A database that the first version wrote is read by this one: `version_1/dump.sql`, as `pg_dump` wrote it. The tale it
//! tells, and what must be in it, are those of the SQLite backend.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../sync-store-sqlite/tests/version_1/held.rs"]
mod held;
#[path = "../../sync-store-sqlite/tests/version_1/tale.rs"]
mod tale;
mod world;

use world::World;

const DUMP: &str = include_str!("version_1/dump.sql");
/// The schema in the dump; the test puts its own in its place.
const SCHEMA: &str = "version_1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_version_1_wrote_is_read_and_written() {
    let Some(world) = World::new().await else { return };
    let mut session = world.connect().await;
    session.run(&format!("DROP SCHEMA \"{}\" CASCADE", world.schema)).await;
    session.run(&DUMP.replace(SCHEMA, &world.schema)).await;
    let store = world.second().await;
    held::assert_is_what_was_written(&store).await;
    assert_eq!(store.shared_secret("jwt", "another").await.unwrap(), "kept since version 1");
    held::go_on(&store).await;
    store.close().await;
    let store = world.second().await;
    held::assert_has_gone_on(&store).await;
    held::take_ops(&store).await;
    store.close().await;
}

/// Writes the dump for the fixtures of the next version; that of this one is never made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes to the folder FIXTURE_TO"]
async fn a_dump_for_the_fixtures_of_the_next_version() {
    let (Some(world), Some(to)) = (World::new().await, std::env::var_os("FIXTURE_TO")) else { return };
    tale::tell(&world.store).await.unwrap();
    world.store.shared_secret("jwt", "kept since version 1").await.unwrap();
    let dump = std::process::Command::new("pg_dump")
        .args(["--inserts", "--no-owner", "--no-privileges", "--no-comments", "--schema", &world.schema])
        .arg(postgres_testing::database_url().unwrap())
        .output()
        .unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    // The commands that begin with a backslash are for psql alone.
    let lines: Vec<&str> = std::str::from_utf8(&dump.stdout).unwrap().lines().collect();
    let sql: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with(['\\', '-'])).collect();
    let path = std::path::Path::new(&to).join("dump.sql");
    std::fs::write(path, sql.join("\n").replace(&world.schema, SCHEMA) + "\n").unwrap();
}
