//! Files that the first version wrote are read by this one: `version_1/` has one of each kind, as SQL.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "version_1/held.rs"]
mod held;
#[path = "version_1/tale.rs"]
mod tale;

use std::path::Path;

use sync_store_sqlite::SqliteStore;

const SINGLE: &str = include_str!("version_1/single.sql");
const PLATFORM: &str = include_str!("version_1/platform.sql");
const FAMILY: &str = include_str!("version_1/family.sql");

/// Makes the file anew that a dump was taken from.
fn load(path: &Path, dump: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rusqlite::Connection::open(path).unwrap().execute_batch(dump).unwrap();
}

async fn assert_is_read_and_written(open: impl AsyncFn() -> SqliteStore) {
    let store = open().await;
    held::assert_is_what_was_written(&store).await;
    held::go_on(&store).await;
    store.close().await;
    let store = open().await;
    held::assert_has_gone_on(&store).await;
    held::take_ops(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_version_1_wrote_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db");
    load(&path, SINGLE);
    assert_is_read_and_written(async || SqliteStore::open_file(&path).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_version_1_wrote_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    load(&path.join("platform.sqlite"), PLATFORM);
    load(&path.join("fa/family.db"), FAMILY);
    assert_is_read_and_written(async || SqliteStore::open_dir(&path).await.unwrap()).await;
}

/// Writes the files of which a fixture is taken, and the list of what is in them. For the next version: those of this one
/// are never made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes to the folder FIXTURE_TO"]
async fn files_for_the_fixtures_of_the_next_version() {
    let to = std::path::PathBuf::from(std::env::var_os("FIXTURE_TO").unwrap());
    for (name, store) in [
        ("single", SqliteStore::open_file(to.join("single.db")).await.unwrap()),
        ("folder", SqliteStore::open_dir(to.join("folder")).await.unwrap()),
    ] {
        tale::tell(&store).await.unwrap();
        std::fs::write(to.join(name).with_extension("txt"), held::lines(&store).await.unwrap()).unwrap();
        store.close().await;
    }
}
