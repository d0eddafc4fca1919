//! What stands in a database: nothing that, shown to the server, would let anyone in.

use std::path::Path;
use std::sync::Arc;

use postgres_testing::Cluster;
use sqlx::{Connection, PgConnection, Row};
use sync_store_postgres::{PostgresOptions, PostgresStore};
use sync_store_sqlite::SqliteStore;

use super::fixture::{self, PASSWORD};
use super::template::Values;
use super::world::{CHEAP, SECRET, World};

/// Characters of the secret at the end of a token.
const SECRET_CHARS: usize = 43;

/// Every secret of a world: of tokens and cookies the part that is one, of access tokens the signature.
fn secrets(values: &Values) -> Vec<String> {
    let prefixes = ["sd_", "sr_", "sc_", "sl_", "sp_", "sq_", "si_"];
    let mut secrets = vec![SECRET.to_owned(), PASSWORD.to_owned()];
    for (_, value) in values.all() {
        if prefixes.iter().any(|prefix| value.starts_with(prefix)) && value.len() > SECRET_CHARS {
            secrets.push(value[value.len() - SECRET_CHARS..].to_owned());
        }
        if value.starts_with("eyJ") {
            secrets.push(value.rsplit('.').next().unwrap().to_owned());
        }
    }
    assert!(secrets.len() > 60, "the world has only {} secrets", secrets.len());
    secrets
}

fn assert_hidden(held: &[u8], secrets: &[String], place: &str) {
    let text = String::from_utf8_lossy(held);
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{place} shows {secret}");
    }
}

#[tokio::test]
async fn the_sqlite_files_hold_nothing_that_could_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_dir(&folder.path().join("data")).await.unwrap();
    let world = World::over(Arc::new(store.clone()), Arc::new(store), CHEAP, None);
    let secrets = secrets(&fixture::fill(&world).await);
    let held = files(folder.path());
    let whole: Vec<u8> = held.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(String::from_utf8_lossy(&whole).contains("mara@example.org"), "this looks in the wrong place");
    for (name, bytes) in held {
        assert_hidden(&bytes, &secrets, &name);
    }
}

/// All files below a folder, with those of the log that is not yet in the database.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
        }
    }
    found
}

#[tokio::test]
async fn the_postgres_tables_hold_nothing_that_could_be_shown() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let store = PostgresStore::open(PostgresOptions::from_url(&cluster.url()).unwrap()).await.unwrap();
    let world = World::over(Arc::new(store.clone()), Arc::new(store), CHEAP, None);
    let secrets = secrets(&fixture::fill(&world).await);
    let mut connection = PgConnection::connect(&cluster.url()).await.unwrap();
    let tables = "SELECT format('SELECT t::text FROM %I.%I AS t', table_schema, table_name) FROM information_schema.tables \
                  WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')";
    let mut whole = String::new();
    for table in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let statement: String = table.get(0);
        for row in sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&mut connection).await.unwrap() {
            whole.push_str(row.get(0));
            whole.push('\n');
        }
    }
    assert!(whole.contains("mara@example.org"), "this looks in the wrong place");
    assert_hidden(whole.as_bytes(), &secrets, "a table");
}
