//! What a store refuses to open, and that it never replaces what it refuses.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::path::Path;

use sync_core::conformance::{commit, epoch, put, space_id};
use sync_core::store::{Store, StoreExt};
use sync_core::{ErrorKind, Result};
use sync_store_sqlite::{DATA_IN_USE, SqliteStore};
use world::{World, kind_of};

type Test = std::result::Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn data_in_use_is_refused_until_it_is_closed() -> Test {
    for world in [World::file().await, World::folder().await] {
        let second = SqliteStore::open(world.options.clone()).await;
        let error = second.expect_err("two stores on the same data");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Incompatible, Some(DATA_IN_USE)));
        assert!(error.to_string().contains("another process uses this data"), "{error}");
        assert!(error.to_string().contains(&world.folder.path().display().to_string()), "{error}");
        world.store.close().await;
        SqliteStore::open(world.options.clone()).await?.close().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_store_is_unavailable_and_its_spaces_are_not_gone() -> Test {
    for world in [World::file().await, World::folder().await] {
        world.store.create_space(&space_id("family"), epoch(1)).await?;
        world.store.close().await;
        assert_eq!(kind_of(read(&world.store, "family").await), ErrorKind::Unavailable);
        assert_eq!(kind_of(world.store.spaces(None, 1).await), ErrorKind::Unavailable);
    }
    Ok(())
}

/// Not a test by itself: it is run as the second process by the one below.
#[tokio::test]
#[ignore = "run by a_second_process_is_refused"]
async fn open_what_the_environment_names() {
    let path = std::env::var("SYNC_TEST_PATH").expect("set by the test that runs this");
    assert_eq!(kind_of(SqliteStore::open_file(path).await), ErrorKind::Incompatible);
}

#[tokio::test]
async fn a_second_process_is_refused() -> Test {
    let world = World::file().await;
    let status = std::process::Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "open_what_the_environment_names"])
        .env("SYNC_TEST_PATH", world.folder.path().join("sync.db"))
        .stdout(std::process::Stdio::null())
        .status()?;
    assert!(status.success());
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name_and_version() -> Test {
    let world = World::file().await;
    world.store.close().await;
    pragma(&world.folder.path().join("sync.db"), "user_version = 7")?;
    let error = SqliteStore::open(world.options.clone()).await.expect_err("opened a newer schema");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("version 7"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_of_one_space_leaves_the_others_usable() -> Test {
    let world = World::folder().await;
    for name in ["old", "newer"] {
        world.store.create_space(&space_id(name), epoch(1)).await?;
    }
    world.store.close().await;
    pragma(&world.path_of(&space_id("newer")), "user_version = 7")?;
    let store = SqliteStore::open(world.options.clone()).await?;
    assert_eq!(kind_of(read(&store, "newer").await), ErrorKind::Incompatible);
    assert_eq!(kind_of(read(&store, "newer").await), ErrorKind::Incompatible);
    read(&store, "old").await?;
    Ok(())
}

#[tokio::test]
async fn a_database_of_something_else_is_refused_and_not_changed() -> Test {
    let world = World::file().await;
    let path = world.folder.path().join("other.db");
    rusqlite::Connection::open(&path)?
        .execute_batch("CREATE TABLE spaces (a); INSERT INTO spaces VALUES (1);")?;
    let before = std::fs::read(&path)?;
    assert_eq!(kind_of(SqliteStore::open_file(&path).await), ErrorKind::Incompatible);
    assert_eq!(count(&path, "spaces")?, 1);
    assert_eq!(before.len(), std::fs::read(&path)?.len());
    Ok(())
}

#[tokio::test]
async fn the_file_of_a_space_is_not_taken_for_a_store() -> Test {
    let world = World::folder().await;
    world.store.create_space(&space_id("family"), epoch(1)).await?;
    world.store.close().await;
    let opened = SqliteStore::open_file(world.path_of(&space_id("family"))).await;
    assert_eq!(kind_of(opened), ErrorKind::Incompatible);
    Ok(())
}

#[tokio::test]
async fn what_is_no_database_is_never_overwritten() -> Test {
    let contents: [&[u8]; 3] = [b"", b"garbage", &[0x5a; 8192]];
    for content in contents {
        let world = World::folder().await;
        world.store.create_space(&space_id("family"), epoch(1)).await?;
        world.store.create_space(&space_id("other"), epoch(1)).await?;
        world.store.close().await;
        let (space_path, file_path) = (world.path_of(&space_id("family")), world.folder.path().join("a.db"));
        std::fs::write(&space_path, content)?;
        std::fs::write(&file_path, content)?;

        let store = SqliteStore::open(world.options.clone()).await?;
        for _ in 0..2 {
            assert_eq!(kind_of(read(&store, "family").await), ErrorKind::Corrupt, "{} bytes", content.len());
        }
        assert_eq!(
            kind_of(store.create_space(&space_id("family"), epoch(2)).await),
            ErrorKind::AlreadyExists
        );
        read(&store, "other").await?;
        assert_eq!(kind_of(SqliteStore::open_file(&file_path).await), ErrorKind::Corrupt);
        assert_eq!(std::fs::read(&space_path)?, content);
        assert_eq!(std::fs::read(&file_path)?, content);
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_or_a_link_in_place_of_a_file_is_refused() -> Test {
    let world = World::folder().await;
    for name in ["family", "linked", "shared"] {
        world.store.create_space(&space_id(name), epoch(1)).await?;
    }
    world.store.close().await;
    let path = world.path_of(&space_id("family"));
    std::fs::remove_file(&path)?;
    std::fs::create_dir(&path)?;
    #[cfg(unix)]
    {
        let (path, away) = (world.path_of(&space_id("linked")), world.folder.path().join("away.db"));
        std::fs::rename(&path, &away)?;
        std::os::unix::fs::symlink(&away, &path)?;
        let (shard, away) = (world.folder.path().join("data/sh"), world.folder.path().join("away"));
        std::fs::rename(&shard, &away)?;
        std::os::unix::fs::symlink(&away, &shard)?;
    }
    let store = SqliteStore::open(world.options.clone()).await?;
    assert_eq!(kind_of(read(&store, "family").await), ErrorKind::Incompatible);
    #[cfg(unix)]
    for name in ["linked", "shared"] {
        assert_eq!(kind_of(read(&store, name).await), ErrorKind::Incompatible, "{name}");
    }
    assert!(path.is_dir());
    Ok(())
}

#[tokio::test]
async fn a_missing_file_is_not_created_anew_while_its_log_is_there() -> Test {
    let world = World::file().await;
    world.store.close().await;
    let path = world.folder.path().join("sync.db");
    std::fs::rename(&path, world.folder.path().join("kept.db"))?;
    std::fs::write(world.folder.path().join("sync.db-wal"), b"left over")?;
    assert_eq!(kind_of(SqliteStore::open(world.options.clone()).await), ErrorKind::Corrupt);
    assert!(!path.exists());
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_commit_to_a_file_that_was_replaced_is_not_acknowledged() -> Test {
    for world in [World::file().await, World::folder().await] {
        let space = space_id("family");
        world.store.create_space(&space, epoch(1)).await?;
        commit(&world.store, &space, [put("notes", "1", "1")]).await?;
        let mut txn = world.store.write(&space).await?;
        let write = sync_core::conformance::stamp(&mut *txn, [put("notes", "2", "2")]).await?;
        txn.apply(&write).await?;
        let path = world.path_of(&space);
        std::fs::rename(&path, world.folder.path().join("moved.db"))?;
        assert_eq!(kind_of(txn.commit().await), ErrorKind::Corrupt);
        std::fs::copy(world.folder.path().join("moved.db"), &path)?;
        assert_eq!(kind_of(read(&world.store, "family").await), ErrorKind::Corrupt);
    }
    Ok(())
}

#[tokio::test]
async fn a_file_whose_index_lost_a_row_is_not_served() -> Test {
    for world in [World::file().await, World::folder().await] {
        let space = space_id("family");
        world.store.create_space(&space, epoch(1)).await?;
        let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        commit(&world.store, &space, ids.iter().map(|id| put("notes", id, "1"))).await?;
        world.store.close().await;
        let path = world.path_of(&space);
        flip_a_bit_of_the_feed(&path)?;
        let found = match SqliteStore::open(world.options.clone()).await {
            Ok(store) => read(&store, "family").await,
            Err(error) => Err(error),
        };
        let error = found.expect_err("a damaged file was served");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    Ok(())
}

/// Changes one bit at the end of the page of the index by which the feed is read: a number in it, and no structure.
fn flip_a_bit_of_the_feed(path: &Path) -> Test {
    let database = rusqlite::Connection::open(path)?;
    let one = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0));
    let page_bytes = one("PRAGMA page_size")?;
    let page = one("SELECT rootpage FROM sqlite_schema WHERE name = 'records_feed'")?;
    drop(database);
    let mut bytes = std::fs::read(path)?;
    let place = usize::try_from(page * page_bytes - 4)?;
    bytes[place] ^= 1;
    std::fs::write(path, bytes)?;
    Ok(())
}

async fn read(store: &SqliteStore, space: &str) -> Result<()> {
    store.read(&space_id(space)).await?.commit().await
}

/// Two servers that got in by two names acknowledged 300 records, of which 150 were left.
#[cfg(unix)]
#[tokio::test]
async fn a_file_with_two_names_is_refused_by_either_and_used_again_by_one() -> Test {
    for (world, file) in [(World::file().await, "sync.db"), (World::folder().await, "data/platform.sqlite")] {
        let (path, copy) = (world.folder.path().join(file), world.folder.path().join("copy.db"));
        std::fs::hard_link(&path, &copy)?;
        world.store.create_space(&space_id("family"), epoch(1)).await?;
        read(&world.store, "family").await?;
        let by_copy = SqliteStore::open_file(&copy).await;
        assert_eq!(kind_of(by_copy), ErrorKind::Incompatible, "{file}: while it is in use");
        world.store.close().await;
        let error = SqliteStore::open(world.options.clone()).await.expect_err("opened one of two names");
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("2 names (hard links)"), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        std::fs::remove_file(&copy)?;
        read(&SqliteStore::open(world.options.clone()).await?, "family").await?;
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_of_a_space_with_two_names_is_refused_and_the_others_are_usable() -> Test {
    let world = World::folder().await;
    for name in ["linked", "other"] {
        world.store.create_space(&space_id(name), epoch(1)).await?;
    }
    world.store.close().await;
    std::fs::hard_link(world.path_of(&space_id("linked")), world.folder.path().join("copy.db"))?;
    let store = SqliteStore::open(world.options.clone()).await?;
    assert_eq!(kind_of(read(&store, "linked").await), ErrorKind::Incompatible);
    read(&store, "other").await?;
    Ok(())
}

fn pragma(path: &Path, what: &str) -> rusqlite::Result<()> {
    rusqlite::Connection::open(path)?.execute_batch(&format!("PRAGMA {what}"))
}

fn count(path: &Path, table: &str) -> rusqlite::Result<i64> {
    rusqlite::Connection::open(path)?
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
}
