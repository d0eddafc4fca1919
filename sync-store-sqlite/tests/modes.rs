//! Who may look into what the store creates: its owner alone.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sync_core::conformance::{commit, epoch, put, space_id};
use sync_core::store::Store;
use sync_store_sqlite::SqliteStore;

/// The names of all files and folders below `root`, with their modes.
fn modes(root: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), mode);
        if path.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

async fn fill(store: &SqliteStore) {
    let space = space_id("family");
    store.create_space(&space, epoch(1)).await.unwrap();
    commit(store, &space, [put("notes", "1", "1")]).await.unwrap();
}

#[tokio::test]
async fn what_the_store_creates_is_its_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let single = SqliteStore::open_file(home.path().join("a/b/sync.db")).await.unwrap();
    let many = SqliteStore::open_dir(home.path().join("c/data")).await.unwrap();
    fill(&single).await;
    fill(&many).await;
    let modes = modes(home.path());
    for folder in ["a", "b", "c", "data", "fa"] {
        assert_eq!(modes[folder], 0o700, "{folder}");
    }
    for file in [
        "sync.db",
        "sync.db-wal",
        "sync.db-shm",
        "sync.db.lock",
        "platform.sqlite",
        "platform.sqlite-wal",
        "family.db",
        "family.db-wal",
        "lock",
    ] {
        assert_eq!(modes[file], 0o600, "{file}: {modes:?}");
    }
    assert!(modes.values().all(|mode| mode & 0o077 == 0), "{modes:?}");
}

#[tokio::test]
async fn the_rights_of_what_is_there_are_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (folder, file) = (home.path().join("data"), home.path().join("data/sync.db"));
    SqliteStore::open_file(&file).await.unwrap().close().await;
    for (path, mode) in [(&folder, 0o750), (&file, 0o640)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let store = SqliteStore::open_file(&file).await.unwrap();
    fill(&store).await;
    let modes = modes(home.path());
    assert_eq!((modes["data"], modes["sync.db"], modes["sync.db-wal"]), (0o750, 0o640, 0o640));
}
