//! The layout with one file per space: what a crash leaves behind, deletion, and many spaces with few open files.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use sync_core::conformance::{Contents, client_state, commit, commit_write, contents, epoch, put, space_id};
use sync_core::store::{CommitWrite, Store, StoreExt};
use sync_core::{ErrorKind, SpaceId};
use sync_store_sqlite::{SqliteOptions, SqliteStore};
use world::{World, kind_of};

type Test = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn world_with(names: &[&str]) -> World {
    let world = World::folder().await;
    for name in names {
        world.store.create_space(&space_id(name), epoch(1)).await.unwrap();
    }
    world
}

/// Changes the list of spaces of a closed store.
fn edit_list(world: &World, sql: &str) {
    let path = world.folder.path().join("data/platform.sqlite");
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

async fn everything(store: &SqliteStore, space: &str) -> Contents {
    contents(store, &space_id(space)).await.unwrap()
}

#[tokio::test]
async fn an_empty_file_that_is_not_listed_is_removed_and_the_name_is_free() -> Test {
    let world = world_with(&["family", "cut"]).await;
    world.store.close().await;
    edit_list(&world, "DELETE FROM space_files WHERE space = 'cut'");
    let path = world.path_of(&space_id("cut"));
    std::fs::write(path.with_extension("db.new"), b"a draft")?;
    let store = SqliteStore::open(world.options.clone()).await?;
    assert!(!path.exists() && !path.with_extension("db.new").exists());
    assert!(!world.folder.path().join("data/aside").exists());
    assert_eq!(store.spaces(None, 10).await?, [space_id("family")]);
    store.create_space(&space_id("cut"), epoch(2)).await?;
    assert_eq!(store.read(&space_id("cut")).await?.head().epoch, epoch(2));
    Ok(())
}

#[tokio::test]
async fn a_file_with_data_that_is_not_listed_is_moved_aside_and_not_lost() -> Test {
    let world = world_with(&["family", "pushed", "bad"]).await;
    commit(&world.store, &space_id("family"), [put("notes", "1", "1")]).await?;
    let clients = vec![client_state("replica-1", 1)];
    commit_write(&world.store, &space_id("pushed"), &CommitWrite { clients, ..CommitWrite::default() })
        .await?;
    let before = everything(&world.store, "family").await;
    world.store.close().await;
    edit_list(&world, "DELETE FROM space_files");
    std::fs::write(world.path_of(&space_id("bad")), b"not a database")?;
    let store = SqliteStore::open(world.options.clone()).await?;
    assert_eq!(store.spaces(None, 10).await?, []);
    let aside = world.folder.path().join("data/aside");
    for name in ["family", "pushed", "bad"] {
        assert!(!store.has_space(&space_id(name)).await?);
        assert!(aside.join(format!("{name}.db")).exists(), "{name} is lost");
    }
    // Put back by a person, it is all there.
    store.close().await;
    std::fs::rename(aside.join("family.db"), world.path_of(&space_id("family")))?;
    edit_list(&world, "INSERT INTO space_files VALUES ('family', 0)");
    let store = SqliteStore::open(world.options.clone()).await?;
    assert_eq!(everything(&store, "family").await, before);
    Ok(())
}

#[tokio::test]
async fn a_listed_space_without_its_file_is_corrupt_and_not_created_anew() -> Test {
    let world = world_with(&["family"]).await;
    world.store.close().await;
    std::fs::remove_file(world.path_of(&space_id("family")))?;
    let store = SqliteStore::open(world.options.clone()).await?;
    assert_eq!(kind_of(store.read(&space_id("family")).await.map(|_| ())), ErrorKind::Corrupt);
    assert_eq!(kind_of(store.create_space(&space_id("family"), epoch(2)).await), ErrorKind::AlreadyExists);
    assert!(!world.path_of(&space_id("family")).exists());
    assert!(store.delete_space(&space_id("family")).await?);
    store.create_space(&space_id("family"), epoch(2)).await?;
    Ok(())
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_is_finished_at_the_next_start() -> Test {
    let world = world_with(&["family", "gone"]).await;
    commit(&world.store, &space_id("gone"), [put("notes", "1", "1")]).await?;
    world.store.close().await;
    edit_list(&world, "UPDATE space_files SET deleting = 1 WHERE space = 'gone'");
    let store = SqliteStore::open(world.options.clone()).await?;
    assert!(!world.path_of(&space_id("gone")).exists());
    assert!(!world.folder.path().join("data/aside").exists());
    assert_eq!(store.spaces(None, 10).await?, [space_id("family")]);
    Ok(())
}

#[tokio::test]
async fn a_missing_platform_file_is_not_created_over_existing_spaces() -> Test {
    let world = world_with(&["family"]).await;
    world.store.close().await;
    std::fs::remove_file(world.folder.path().join("data/platform.sqlite"))?;
    assert_eq!(kind_of(SqliteStore::open(world.options.clone()).await), ErrorKind::Corrupt);
    assert!(world.path_of(&space_id("family")).exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_leaves_no_file_behind() -> Test {
    let world = world_with(&["family"]).await;
    let space = space_id("family");
    commit(&world.store, &space, [put("notes", "1", "1")]).await?;
    let _reader = world.store.read(&space).await?;
    assert!(world.store.delete_space(&space).await?);
    // Creating waits for the removal, and its own file is new.
    world.store.create_space(&space, epoch(2)).await?;
    assert_eq!(everything(&world.store, "family").await.records, []);
    assert!(world.store.delete_space(&space).await?);
    world.store.close().await;
    SqliteStore::open(world.options.clone()).await?.close().await;
    let shard = world.path_of(&space);
    let left: Vec<_> = std::fs::read_dir(shard.parent().ok_or("no parent")?)?.collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_spaces_are_written_by_eight_tasks_through_four_open_files() -> Test {
    const SPACES: usize = 40;
    const TASKS: usize = 8;
    const WRITES: usize = 60;
    let folder = tempfile::tempdir()?;
    let wait = std::time::Duration::from_secs(60);
    let options = SqliteOptions::folder(folder.path().join("data")).open_files_max(4).wait_max(wait);
    let store = SqliteStore::open(options).await?;
    let names: Vec<SpaceId> = (0..SPACES).map(|n| space_id(&format!("{n:02}-space"))).collect();
    for name in &names {
        store.create_space(name, epoch(1)).await?;
    }
    let tasks = (0..TASKS).map(|task| {
        let (store, names, root) = (store.clone(), names.clone(), folder.path().join("data"));
        tokio::spawn(async move {
            for n in 0..WRITES {
                // Steps that share no factor with the number of spaces meet all of them in an order of their own.
                let space = &names[(task * 11 + n * (2 * task + 3)) % SPACES];
                let id = format!("{task}-{n}");
                commit(&store, space, [put("notes", &id, &n.to_string())]).await?;
                assert!(n_open_spaces(&root) <= 4, "more files are open than allowed");
            }
            Ok::<_, sync_core::Error>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    let mut n_records = 0;
    for name in &names {
        n_records += contents(&store, name).await?.records.len();
    }
    assert_eq!(n_records, TASKS * WRITES);
    Ok(())
}

#[tokio::test]
async fn a_space_that_finds_no_file_to_close_is_told_so() -> Test {
    let folder = tempfile::tempdir()?;
    let wait = std::time::Duration::from_millis(50);
    let options = SqliteOptions::folder(folder.path().join("data")).open_files_max(1).wait_max(wait);
    let store = SqliteStore::open(options).await?;
    for name in ["a", "b"] {
        store.create_space(&space_id(name), epoch(1)).await?;
    }
    let reader = store.read(&space_id("a")).await?;
    assert_eq!(kind_of(store.read(&space_id("b")).await.map(drop)), ErrorKind::Overloaded);
    drop(reader);
    store.read(&space_id("b")).await?;
    Ok(())
}

/// How many files of spaces under `root` this process has open (on Linux; elsewhere it cannot be seen).
fn n_open_spaces(root: &std::path::Path) -> usize {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let targets = descriptors.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let spaces = targets.filter(|path| path.starts_with(root) && path.extension().is_some_and(|e| e == "db"));
    spaces.collect::<std::collections::HashSet<_>>().len()
}
