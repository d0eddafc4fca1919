//! What the suite says it cannot see: that `Ok` survives a power cut, and that a waiting `begin` gives up in the end.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io;
use std::sync::{Arc, Mutex};

use redb::{Database, StorageBackend};
use sync_core::ErrorKind;
use sync_core::conformance::{commit, contents, epoch, put, space_id};
use sync_core::store::{Store, StoreExt};
use sync_store_redb::RedbStore;

/// A disk that forgets what was not synced, all of it, when the power goes.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Bytes>>);

#[derive(Clone, Debug, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: Vec<u8>,
}

impl Disk {
    /// What is found when the power is back.
    fn after_a_power_cut(&self) -> Self {
        let synced = self.0.lock().unwrap().synced.clone();
        Self(Arc::new(Mutex::new(Bytes { written: synced.clone(), synced })))
    }

    async fn store(&self) -> RedbStore {
        RedbStore::on(Database::builder().create_with_backend(self.clone()).unwrap()).await.unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap().written[from..from + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().written.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let bytes = &mut *self.0.lock().unwrap();
        bytes.synced.clone_from(&bytes.written);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        self.0.lock().unwrap().written[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut() {
    let (disk, space) = (Disk::default(), space_id("a"));
    let store = disk.store().await;
    store.create_space(&space, epoch(1)).await.unwrap();
    for n in 0..10 {
        commit(&store, &space, [put("notes", &n.to_string(), "1")]).await.unwrap();
        let before = contents(&store, &space).await.unwrap();
        let found = disk.after_a_power_cut().store().await;
        assert_eq!(contents(&found, &space).await.unwrap(), before, "after {n} more commits");
    }
}

#[tokio::test]
async fn an_unfinished_transaction_does_not_survive_a_power_cut() {
    let (disk, space) = (Disk::default(), space_id("a"));
    let store = disk.store().await;
    store.create_space(&space, epoch(1)).await.unwrap();
    let written = commit(&store, &space, [put("notes", "1", "1")]).await.unwrap();
    let before = contents(&store, &space).await.unwrap();
    let mut txn = store.write(&space).await.unwrap();
    txn.apply(&written).await.unwrap();
    let found = disk.after_a_power_cut().store().await;
    assert_eq!(contents(&found, &space).await.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_writer_gives_up_in_the_end() {
    let store = Disk::default().store().await;
    for (n, name) in [(1, "a"), (2, "b")] {
        store.create_space(&space_id(name), epoch(n)).await.unwrap();
    }
    let first = store.write(&space_id("a")).await.unwrap();
    let waited = store.write(&space_id("b")).await.map(drop);
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Overloaded);
    drop(first);
    store.write(&space_id("b")).await.unwrap();
}
