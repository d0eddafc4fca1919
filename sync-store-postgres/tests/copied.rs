//! A server that moves to Postgres and away from it is the same in everything.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sync_core::conformance::{
    Contents, Dice, actor, client_state, commit_write, contents, device, epoch, invite, log_entry, make,
    sample, seq, space_id, user,
};
use sync_core::copy::{Source, export, import};
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::service::{Actor, Service};
use sync_core::store::{CommitWrite, MemoryStore, Store, StoreExt};
use sync_core::transport::Loopback;
use sync_core::{Accounts, AccountsExt, Change, ErrorKind, Role, SpaceId, Timestamp, TokioRuntime, User};
use sync_store_postgres::PostgresOptions;
use sync_store_sqlite::SqliteStore;
use world::World;

/// Spaces with history, some of it collected, and two people.
async fn server(seed: u64) -> MemoryStore {
    let (store, dice) = (MemoryStore::default(), Dice::new(seed));
    for n in 0..3 {
        let space = space_id(&format!("space-{n}"));
        store.create_space(&space, epoch(7)).await.unwrap();
        sample(&store, &space, 20 + dice.below(20), seed + n).await.unwrap();
        let head = store.read(&space).await.unwrap().head().head;
        let log = (1..=4).map(|n| log_entry(n, seq(n * head.get() / 4))).collect();
        let clients = (0..dice.below(4)).map(|n| client_state(&format!("replica-{n}"), 9)).collect();
        commit_write(&store, &space, &CommitWrite { log, clients, ..CommitWrite::default() }).await.unwrap();
        let floor = seq(i64::try_from(dice.below(usize::try_from(head.get()).unwrap() + 2)).unwrap());
        let mut txn = store.write(&space).await.unwrap();
        txn.collect(floor, dice.below(20)).await.unwrap();
        txn.commit().await.unwrap();
    }
    for (id, role) in [("u1", Role::Owner), ("u2", Role::Viewer)] {
        let (address, home) = (Some(format!("{id}@example.org")), Some(space_id("space-1")));
        let user = User { address, home, created_at: Timestamp::MAX, ..user(id, &format!("Name 'of' {id}")) };
        store.create_user(&user, &[(space_id("space-1"), role)]).await.unwrap();
        let phone = device(&format!("phone-{id}"), id).changed(|next| next.expires_at = Some(Timestamp::MAX));
        let open = [phone, device(&format!("tablet-{id}"), id), invite(&format!("invite-{id}"), "space-1")];
        make(&store, &open.map(Change::AddCredential)).await.unwrap();
    }
    store
}

async fn exported(store: &dyn Store, accounts: &dyn Accounts) -> Vec<u8> {
    let mut text = Vec::new();
    export(store, accounts, &mut text, &mut |_| {}).await.unwrap();
    text
}

/// What a copy of a space has: all but commits that end below the floor, which are on their way out.
async fn copied(store: &dyn Store, space: &SpaceId) -> Contents {
    let mut contents = contents(store, space).await.unwrap();
    contents.commits.retain(|commit| commit.last >= contents.head.floor);
    contents
}

#[tokio::test]
async fn a_server_goes_to_postgres_and_back_unchanged() {
    for seed in 0..8 {
        let Some(world) = World::new().await else { return };
        let (old, postgres) = (server(seed).await, &world.store);
        let text = exported(&old, &old).await;
        import(postgres, postgres, &mut text.as_slice(), &mut |_| {}).await.unwrap();
        for name in old.spaces(None, 10).await.unwrap() {
            let wanted = copied(&old, &name).await;
            assert_eq!(contents(postgres, &name).await.unwrap(), wanted, "seed {seed}");
        }
        assert!(exported(postgres, postgres).await == text, "seed {seed}: Postgres exports another text");
        let again = import(postgres, postgres, &mut text.as_slice(), &mut |_| {}).await.unwrap();
        assert_eq!(again.n_spaces_there, 3, "seed {seed}");
    }
}

#[tokio::test]
async fn a_broken_import_leaves_spaces_whole_or_empty_and_can_be_started_again() {
    let Some(world) = World::new().await else { return };
    let (old, postgres) = (server(3).await, &world.store);
    let text = exported(&old, &old).await;
    let ends: Vec<usize> =
        text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(n, _)| n + 1).collect();
    for end in ends.iter().step_by(9) {
        let cut = import(postgres, postgres, &mut &text[..*end], &mut |_| {}).await;
        assert!(end == &text.len() || cut.unwrap_err().kind() == ErrorKind::Corrupt);
        for name in postgres.spaces(None, 10).await.unwrap() {
            let found = contents(postgres, &name).await.unwrap();
            let is_empty = found.records.is_empty() && found.clients.is_empty() && found.log.is_empty();
            assert!(is_empty || found == copied(&old, &name).await, "{name} is there in part");
        }
    }
    import(postgres, postgres, &mut text.as_slice(), &mut |_| {}).await.unwrap();
    assert!(exported(postgres, postgres).await == text);
}

/// A replica goes on against each store as if it were the one before, with what it has not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_goes_on_from_sqlite_to_postgres_and_back_with_its_unsent_edits() {
    let Some(world) = World::new().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let old = SqliteStore::open_file(folder.path().join("old.db")).await.unwrap();
    let back = SqliteStore::open_dir(folder.path().join("back")).await.unwrap();
    let (space, me) = (space_id("family"), Actor::new(actor("ada"), Role::Owner));
    old.create_space(&space, epoch(1)).await.unwrap();

    let options = || ReplicaOptions::new(Arc::new(TokioRuntime), me.id.clone());
    let own: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::default()), Arc::new(MemoryStore::default())];
    let one = Replica::open(own[0].clone(), space.clone(), options()).await.unwrap();
    let two = Replica::open(own[1].clone(), space.clone(), options()).await.unwrap();

    let stores: [Arc<dyn Store>; 3] =
        [Arc::new(old.clone()), Arc::new(world.store.clone()), Arc::new(back.clone())];
    for (n, store) in stores.iter().enumerate() {
        match n {
            0 => {}
            1 => copy(&old, &world.store).await,
            _ => copy(&world.store, &back).await,
        }
        let service = Service::new(store.clone(), Arc::new(TokioRuntime));
        let server = Loopback::new(service.clone(), me.clone());
        for replica in [&one, &two, &one] {
            let report = replica.sync(&server).await.unwrap();
            assert_eq!((report.resynced, report.renamed), (None, 0), "store {n}: the move was noticed");
        }
        let hashes = [one.state_hash().await.unwrap(), two.state_hash().await.unwrap()];
        let wanted = service.status(&me, &space, true).await.unwrap().state_hash.unwrap();
        assert_eq!(hashes, [wanted, wanted], "store {n}");
        let last: Option<usize> = one.get("notes", "last").await.unwrap();
        assert_eq!(last, n.checked_sub(1), "store {n}");
        // Not sent before the next move.
        one.put("notes", "last", &n).await.unwrap();
        two.put("notes", &n.to_string(), &"ünsent").await.unwrap();
    }
    back.close().await;
    old.close().await;
}

async fn copy<From: Store + Accounts, To: Store + Accounts>(from: &From, to: &To) {
    let text = exported(from, from).await;
    import(to, to, &mut text.as_slice(), &mut |_| {}).await.unwrap();
}

/// A pipe in whose middle nothing comes for a while.
struct Stuttering<'a> {
    rest: &'a [u8],
    pause_at: usize,
}

#[async_trait]
impl Source for Stuttering<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.len() <= self.pause_at {
            self.pause_at = 0;
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        let n = buffer.len().min(64).min(self.rest.len());
        let (now, rest) = self.rest.split_at(n);
        buffer[..n].copy_from_slice(now);
        self.rest = rest;
        Ok(n)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_waits_for_the_other_end_of_its_pipe() {
    let old = server(4).await;
    let text = exported(&old, &old).await;
    for is_copying in [false, true] {
        let options = |options: PostgresOptions| {
            let options = options.idle_writer_max(Duration::from_millis(200));
            if is_copying { options.for_copying() } else { options }
        };
        let Some(world) = World::with(options).await else { return };
        // In the middle of the first space.
        let mut slow = Stuttering { rest: &text, pause_at: text.len() - text.len() / 6 };
        let imported = import(&world.store, &world.store, &mut slow, &mut |_| {}).await;
        assert_eq!(imported.is_ok(), is_copying, "{imported:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_needs_no_more_connections_than_it_has() {
    let options = |options: PostgresOptions| options.connections_max(1).for_copying();
    let Some(world) = World::with(options).await else { return };
    let old = server(5).await;
    let text = exported(&old, &old).await;
    import(&world.store, &world.store, &mut text.as_slice(), &mut |_| {}).await.unwrap();
    assert!(exported(&world.store, &world.store).await == text);
}
