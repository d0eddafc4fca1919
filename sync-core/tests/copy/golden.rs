//! The format, pinned: exports of today can be imported for ever.

use sync_core::conformance::{
    client_state, commit, commit_write, credential, delete, describe, device, epoch, held_by, invite,
    log_entry, make, put, seq, space_id, space_info, time,
};
use sync_core::store::{CommitWrite, MemoryStore, Store, StoreExt};
use sync_core::{
    AccountsExt, Change, Credential, Device, Holder, Invite, Proof, Purpose, Role, SecretHash, SpaceInfo,
    User,
};

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

/// What was added with the second format.
async fn server_2() -> MemoryStore {
    let store = server().await;
    let anna = User {
        address: Some("anna@example.org".into()),
        home: Some(space_id("family")),
        ..user("u1", "Anna")
    };
    let bob = User { name_key: None, password_hash: None, ..user("u2", "Bob") };
    let phone = Device {
        proof: Proof::Refresh,
        name: "Anna's phone".into(),
        platform: Some("Android".into()),
        family: None,
        spent: vec![SecretHash::of("first")],
        exchange: Some(SecretHash::of("nonce")),
        ends_at: Some(time(9)),
    };
    let phone = Credential {
        expires_at: Some(time(5)),
        ..credential("phone", held_by("u1"), Purpose::Device(phone))
    };
    let by = Some(user("u1", "Anna").id);
    let to_server =
        Purpose::Invite(Invite { role: Role::Owner, address: Some("bob@example.org".into()), by });
    let changes = [
        Change::UpdateUser(anna),
        Change::CreateUser(bob),
        Change::AddCredential(phone.changed(|_| {})),
        Change::AddCredential(device("tablet", "u2")),
        Change::AddCredential(invite("invite", "silent")),
        Change::AddCredential(credential("welcome", Holder::Server, to_server)),
    ];
    make(&store, &changes).await.unwrap();
    store
}

#[tokio::test]
async fn the_format_is_what_it_was() {
    let (old, new) = (server_2().await, MemoryStore::default());
    let pinned = include_str!("golden_2.ndjson");
    let text = String::from_utf8(exported(&old).await).unwrap();
    assert!(text == pinned, "the export is another:\n{text}");
    imported(&new, pinned.as_bytes()).await.unwrap();
    assert_eq!(everything(&new).await, everything(&old).await);
}

/// The second format as it was before anything was known about spaces, and since.
#[tokio::test]
async fn what_is_known_about_spaces_is_a_line_before_their_members() {
    let (old, new) = (server_2().await, MemoryStore::default());
    let unknown = SpaceInfo { created_at: None, ..space_info("silent", None) };
    make(&old, &[describe("family", Some("Family \"O'Neil\"")), Change::DescribeSpace(unknown)])
        .await
        .unwrap();
    let pinned = include_str!("golden_2_names.ndjson");
    let text = String::from_utf8(exported(&old).await).unwrap();
    assert!(text == pinned, "the export is another:\n{text}");
    imported(&new, pinned.as_bytes()).await.unwrap();
    assert_eq!(everything(&new).await, everything(&old).await);
}

/// What a server of the first version exported, at once and started again; owners have a home since then.
#[tokio::test]
async fn exports_of_the_first_format_are_read() {
    let pinned = include_str!("golden_1.ndjson").as_bytes();
    let new = MemoryStore::default();
    let first = imported(&new, pinned).await.unwrap();
    let again = imported(&new, pinned).await.unwrap();
    assert_eq!((again.n_users, again.n_members), (first.n_users, first.n_members));
    let mut wanted = everything(&server().await).await;
    wanted.users[0].home = Some(space_id("family"));
    assert_eq!(everything(&new).await, wanted);
}
