//! Promise 5 once more: the suite flips one bit of a content, this flips one in every byte of a row.
#![allow(clippy::unwrap_used, reason = "a test")]

use redb::{ReadableTable, TableDefinition};
use sync_core::conformance::{commit, epoch, key, put, space_id};
use sync_core::store::{Store, StoreExt};
use sync_core::{ErrorKind, Record, Result};
use sync_store_redb::RedbStore;

const ROWS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("records/a");

#[tokio::test]
async fn no_flipped_bit_in_a_row_is_ever_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store.redb")).await.unwrap();
    store.create_space(&space_id("a"), epoch(1)).await.unwrap();
    commit(&store, &space_id("a"), [put("notes", "1", r#"{"n":[1,2],"title":"Müsli"}"#)]).await.unwrap();
    let sound = swap(&store, |_| {});
    assert!(read(&store).await.unwrap().is_some());
    for n in 0..sound.len() {
        swap(&store, |row| row[n] ^= 1 << (n % 8));
        let kind = read(&store).await.map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Corrupt), "a bit of byte {n} is flipped");
        swap(&store, |row| row.clone_from(&sound));
    }
    assert!(read(&store).await.unwrap().is_some());
}

async fn read(store: &RedbStore) -> Result<Option<Record>> {
    Ok(store.read(&space_id("a")).await?.records(&[key("notes", "1")]).await?.remove(0))
}

/// Changes the row behind the back of the store, and yields what it was.
fn swap(store: &RedbStore, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let txn = store.database().begin_write().unwrap();
    let mut rows = txn.open_table(ROWS).unwrap();
    let before = rows.get(("notes", "1")).unwrap().unwrap().value().to_vec();
    let mut row = before.clone();
    change(&mut row);
    rows.insert(("notes", "1"), row.as_slice()).unwrap();
    drop(rows);
    txn.commit().unwrap();
    before
}
