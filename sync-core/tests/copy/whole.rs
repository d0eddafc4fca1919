//! Everything arrives as it was.

use sync_core::conformance::{
    actor, client_state, commit, commit_write, contents, delete, device, epoch, key, log_entry, make,
    pairing, put, seq, space_id, synced,
};
use sync_core::copy::{Progress, Totals, export, import};
use sync_core::json::Json;
use sync_core::store::{CommitInfo, CommitWrite, MemoryStore, Store, StoreExt};
use sync_core::{Accounts, Change, ErrorKind, Record, Role, Seq, Tag};

use crate::world::{everything, exported, imported, server, user};

#[tokio::test]
async fn a_copy_is_the_same_in_everything_and_exports_the_same_text() {
    for seed in 0..150 {
        let (old, new) = (server(seed).await, MemoryStore::default());
        let text = exported(&old).await;
        let totals = imported(&new, &text).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(everything(&new).await, everything(&old).await, "seed {seed}");
        assert!(exported(&new).await == text, "seed {seed}: the copy has another text");
        assert_eq!(totals.n_spaces_there, 0);
    }
}

#[tokio::test]
async fn a_second_import_of_the_same_changes_nothing() {
    for seed in 0..50 {
        let (old, new) = (server(seed).await, MemoryStore::default());
        let text = exported(&old).await;
        let first = imported(&new, &text).await.unwrap();
        let again = imported(&new, &text).await.unwrap();
        let is_empty = |space: &&sync_core::conformance::Contents| {
            space.head.head == Seq::ZERO && space.head.log_head == 0 && space.clients.is_empty()
        };
        let all = everything(&new).await;
        let n_empty = all.spaces.values().filter(is_empty).count() as u64;
        assert_eq!(again, Totals { n_spaces_there: first.n_spaces - n_empty, ..first }, "seed {seed}");
        assert_eq!(all, everything(&old).await, "seed {seed}");
    }
}

#[tokio::test]
async fn records_come_at_their_extremes() {
    let (old, new, space) = (MemoryStore::default(), MemoryStore::default(), space_id("family"));
    old.create_space(&space, epoch(255)).await.unwrap();
    let mut write = commit(&old, &space, [put("notes", "1", "null")]).await.unwrap();
    let deep = format!("{}1{}", "[".repeat(127), "]".repeat(127));
    let contents_of =
        ["null", "\"null\"", "18446744073709551615", "-0.5", "\"\u{2028}\u{1f600}\\u0001\"", &deep];
    let first = write.records[0].clone();
    write.records = contents_of
        .iter()
        .enumerate()
        .map(|(n, text)| Record {
            key: key(if n == 1 { "$base" } else { "notes" }, &format!("{}{n}", "日\"\\".repeat(60))),
            data: Some(Json::from_canonical(*text)),
            ..first.clone()
        })
        .collect();
    for (n, record) in write.records.iter_mut().enumerate() {
        record.meta.version = seq(i64::try_from(n).unwrap() + 2);
        (record.meta.revision, record.meta.upstream) = (i64::MAX, Seq::MAX);
        record.meta.client = Some(client_state("replica-1", 1).client);
    }
    write.records[4].data = None;
    write.commits = vec![CommitInfo { first: seq(2), last: Seq::MAX, tag: Tag::from_bytes([0xfe; 16]) }];
    write.log = vec![log_entry(1, Seq::MAX)];
    commit_write(&old, &space, &write).await.unwrap();
    imported(&new, &exported(&old).await).await.unwrap();
    assert_eq!(everything(&new).await, everything(&old).await);
}

#[tokio::test]
async fn what_a_collection_left_half_done_stays_half_done() {
    let (old, new, space) = (MemoryStore::default(), MemoryStore::default(), space_id("family"));
    old.create_space(&space, epoch(1)).await.unwrap();
    commit(&old, &space, (0..9).map(|n| delete("notes", &n.to_string()))).await.unwrap();
    commit(&old, &space, [put("notes", "new", "1")]).await.unwrap();
    let log = (1..=3).map(|n| log_entry(n, seq(n))).collect();
    commit_write(&old, &space, &CommitWrite { log, ..CommitWrite::default() }).await.unwrap();
    for limit in [0, 1, 3, 9] {
        let mut txn = old.write(&space).await.unwrap();
        txn.collect(seq(9), limit).await.unwrap();
        txn.commit().await.unwrap();
        let new = if limit == 9 { new.clone() } else { MemoryStore::default() };
        imported(&new, &exported(&old).await).await.unwrap();
        assert_eq!(everything(&new).await, everything(&old).await, "limit {limit}");
    }
    let found = contents(&new, &space).await.unwrap();
    assert_eq!((found.head.log_head, found.log.len(), found.head.floor), (3, 0, seq(9)));
}

#[tokio::test]
async fn many_pages_of_everything_arrive() {
    let (old, new, space) = (MemoryStore::default(), MemoryStore::default(), space_id("family"));
    old.create_space(&space, epoch(1)).await.unwrap();
    let ids: Vec<String> = (0..2_500).map(|n| n.to_string()).collect();
    for id in &ids {
        commit(&old, &space, [put("notes", id, "1")]).await.unwrap();
    }
    let log = (1..=2_500).map(|n| log_entry(n, seq(n))).collect();
    let clients = (0..250).map(|n| client_state(&format!("replica-{n:03}"), 1)).collect();
    commit_write(&old, &space, &CommitWrite { log, clients, ..CommitWrite::default() }).await.unwrap();
    let mut txn = old.write(&space).await.unwrap();
    txn.collect(seq(300), 300).await.unwrap();
    txn.commit().await.unwrap();
    for n in 0..1_200 {
        let (id, name) = (format!("u{n}"), format!("name {n}"));
        sync_core::AccountsExt::create_user(&old, &user(&id, &name), &[(space.clone(), Role::Viewer)])
            .await
            .unwrap();
        // More than a page of one holder, and some of many.
        let holder = if n < 1_100 { "u0" } else { &id };
        make(&old, &[Change::AddCredential(device(&format!("device-{n}"), holder))]).await.unwrap();
    }
    let mut text = Vec::new();
    let (mut of_export, mut of_import): (Vec<Progress>, Vec<Progress>) = (Vec::new(), Vec::new());
    let written = export(&old, &old, &mut text, &mut |at| of_export.push(at)).await.unwrap();
    let read = import(&new, &new, &mut text.as_slice(), &mut |at| of_import.push(at)).await.unwrap();
    assert_eq!(written, read);
    let wanted = Totals {
        n_spaces: 1,
        n_records: 2_500,
        n_users: 1_200,
        n_space_infos: 0,
        n_members: 1_200,
        n_credentials: 1_200,
        n_spaces_there: 0,
    };
    assert_eq!(read, wanted);
    assert_eq!(everything(&new).await, everything(&old).await);
    for progress in [of_export, of_import] {
        let done: Vec<_> =
            progress.iter().map(|at| (at.n_spaces, at.n_records, at.n_records_overall)).collect();
        assert_eq!(done.first(), Some(&(0, 1_000, 1_000)));
        assert_eq!(done.last(), Some(&(1, 2_500, 2_500)));
        assert!(done.is_sorted());
        assert!(progress.iter().all(|at| (at.n_spaces_total, at.n_records_total) == (1, 2_500)));
    }
}

#[tokio::test]
async fn a_server_may_be_joined_to_another_when_nothing_is_in_the_way() {
    let (one, two) = (MemoryStore::default(), MemoryStore::default());
    for (store, name) in [(&one, "one"), (&two, "two")] {
        store.create_space(&space_id(name), epoch(1)).await.unwrap();
        commit(store, &space_id(name), [put("notes", "1", "1")]).await.unwrap();
        let owner = [(space_id(name), Role::Owner)];
        sync_core::AccountsExt::create_user(store, &user(name, name), &owner).await.unwrap();
    }
    let before = everything(&two).await;
    imported(&two, &exported(&one).await).await.unwrap();
    let after = everything(&two).await;
    assert_eq!(after.spaces.len(), 2);
    assert_eq!(after.spaces[&space_id("two")], before.spaces[&space_id("two")]);
}

#[tokio::test]
async fn another_space_of_the_same_name_is_never_touched() {
    let old = MemoryStore::default();
    old.create_space(&space_id("family"), epoch(1)).await.unwrap();
    commit(&old, &space_id("family"), [put("notes", "1", "1")]).await.unwrap();
    let text = exported(&old).await;
    for (n, change) in [put("notes", "2", "2"), delete("notes", "1")].into_iter().enumerate() {
        let (fork, other) = (old.fork(), MemoryStore::default());
        commit(&fork, &space_id("family"), [change.clone()]).await.unwrap();
        other.create_space(&space_id("family"), epoch(2)).await.unwrap();
        commit(&other, &space_id("family"), [change]).await.unwrap();
        for store in [fork, other] {
            let before = everything(&store).await;
            let refused = imported(&store, &text).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused}");
            assert!(refused.to_string().contains("space family"), "{refused}");
            assert_eq!(everything(&store).await, before, "change {n}");
        }
    }
}

#[tokio::test]
async fn an_empty_space_is_replaced_whatever_its_epoch() {
    let (old, new) = (server(7).await, MemoryStore::default());
    for name in old.spaces(None, 10).await.unwrap() {
        new.create_space(&name, epoch(200)).await.unwrap();
    }
    imported(&new, &exported(&old).await).await.unwrap();
    assert_eq!(everything(&new).await, everything(&old).await);
}

#[tokio::test]
async fn another_user_or_role_is_never_replaced() {
    use sync_core::{Accounts, AccountsExt};
    let old = MemoryStore::default();
    let space = space_id("family");
    old.create_space(&space, epoch(1)).await.unwrap();
    old.create_user(&user("u1", "Anna"), &[(space.clone(), Role::Viewer)]).await.unwrap();
    let text = exported(&old).await;
    let taken = [
        user("u1", "Bob"),
        user("u2", "ANNA"),
        sync_core::User { password_hash: Some("x".into()), ..user("u1", "Anna") },
    ];
    for user in taken {
        let new = MemoryStore::default();
        new.create_user(&user, &[]).await.unwrap();
        let before = everything(&new).await;
        assert_eq!(imported(&new, &text).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(new.user(&user.id).await.unwrap() == Some(user));
        assert_eq!(new.spaces_of(&actor("u1"), None, 10).await.unwrap(), []);
        assert!(before.spaces.is_empty());
    }
    let new = MemoryStore::default();
    new.set_role(&space, &actor("u1"), Some(Role::Owner)).await.unwrap();
    assert_eq!(imported(&new, &text).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(new.role(&space, &actor("u1")).await.unwrap(), Some(Role::Owner));
}

#[tokio::test]
async fn another_credential_is_never_replaced() {
    let old = MemoryStore::default();
    let changes = [Change::CreateUser(user("u1", "Anna")), Change::AddCredential(device("phone", "u1"))];
    make(&old, &changes).await.unwrap();
    let text = exported(&old).await;
    for other in [device("phone", "u2"), device("phone", "u1").changed(|_| {})] {
        let new = MemoryStore::default();
        make(&new, &[Change::AddCredential(other.clone())]).await.unwrap();
        assert_eq!(imported(&new, &text).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(new.credential(&other.id).await.unwrap(), Some(other));
    }
}

/// They live for minutes, which is less than a move takes; and how far a device is, it says again.
#[tokio::test]
async fn pairings_and_positions_stay_behind() {
    let (old, new) = (MemoryStore::default(), MemoryStore::default());
    let changes = [
        Change::CreateUser(user("u1", "Anna")),
        Change::AddCredential(device("phone", "u1")),
        Change::AddCredential(pairing("code", "u1")),
        Change::NoteSynced(synced("phone", "family", 7)),
    ];
    make(&old, &changes).await.unwrap();
    imported(&new, &exported(&old).await).await.unwrap();
    assert_eq!(everything(&new).await.credentials, [device("phone", "u1")]);
    assert_eq!(new.synced(&[device("phone", "u1").id], 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_space_that_the_store_holds_changed_is_not_taken_for_the_same() {
    let old = MemoryStore::default();
    old.create_space(&space_id("family"), epoch(1)).await.unwrap();
    let written =
        commit(&old, &space_id("family"), [put("notes", "1", "1"), put("notes", "2", "2")]).await.unwrap();
    let text = exported(&old).await;
    // A record is lost without a commit.
    let purges = vec![written.records[0].key.clone()];
    commit_write(&old, &space_id("family"), &CommitWrite { purges, ..CommitWrite::default() }).await.unwrap();
    let refused = imported(&old, &text).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
}
