//! The format, pinned: exports of today can be imported for ever.

use sync_core::conformance::{
    client_state, commit, commit_write, delete, epoch, log_entry, put, seq, space_id,
};
use sync_core::store::{CommitWrite, MemoryStore, Store, StoreExt};
use sync_core::{AccountsExt, Role};

use crate::world::{everything, exported, imported, user};

async fn server() -> MemoryStore {
    let (store, space) = (MemoryStore::default(), space_id("family"));
    store.create_space(&space, epoch(10)).await.unwrap();
    commit(&store, &space, [delete("notes", "gone"), put("notes", "1", "1")]).await.unwrap();
    let content = "{\"text\":\"\\\"milk\\\"\"}";
    let mut write = commit(
        &store,
        &space,
        [put("notes", "Ä", content), put("$conflicts", "3", "null"), delete("notes", "2")],
    )
    .await
    .unwrap();
    write
        .records
        .iter_mut()
        .for_each(|record| record.meta.client = Some(client_state("replica-1", 1).client));
    write.commits.clear();
    write.clients = vec![client_state("replica-1", 2)];
    write.log = vec![log_entry(1, seq(2)), log_entry(2, seq(4))];
    commit_write(&store, &space, &write).await.unwrap();
    let mut txn = store.write(&space).await.unwrap();
    txn.collect(seq(2), 100).await.unwrap();
    txn.commit().await.unwrap();
    store.create_space(&space_id("silent"), epoch(11)).await.unwrap();
    let log = vec![log_entry(1, seq(0))];
    commit_write(&store, &space_id("silent"), &CommitWrite { log, ..CommitWrite::default() }).await.unwrap();
    let roles = [(space, Role::Owner), (space_id("silent"), Role::Viewer)];
    store.create_user(&user("u1", "Anna"), &roles).await.unwrap();
    store
}

#[tokio::test]
async fn the_format_is_what_it_was() {
    let (old, new) = (server().await, MemoryStore::default());
    let pinned = include_str!("golden.ndjson");
    let text = String::from_utf8(exported(&old).await).unwrap();
    assert!(text == pinned, "the export is another:\n{text}");
    imported(&new, pinned.as_bytes()).await.unwrap();
    assert_eq!(everything(&new).await, everything(&old).await);
}
