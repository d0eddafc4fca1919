//! What the database is asked: how many statements, and by which index it answers them.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use sync_core::Collection;
use sync_core::conformance::{
    Change, client_id, client_state, commit, epoch, everything_about_people, key, log_entry, put, seq,
    set_op, space_id, stamp,
};
use sync_core::sql::{Dialect, Recorder, SqlTxn};
use sync_core::store::{
    ClientQuery, CommitWrite, FeedQuery, HintHub, KEYS_MAX, Mode, ScanQuery, Store, StoreExt, StoreTxn,
    StoreTxnExt,
};
use sync_store_sqlite::SqliteStore;

fn recorder() -> Recorder {
    Recorder::new(Dialect::Sqlite)
}

async fn txn(recorder: &Recorder, mode: Mode) -> SqlTxn<Recorder> {
    SqlTxn::begin(recorder.clone(), &space_id("family"), mode, Arc::new(HintHub::default())).await.unwrap()
}

fn note(n: usize) -> Change {
    put("notes", &n.to_string(), "1")
}

fn op(n: usize) -> Change {
    set_op("outline", &format!("{}@a1", n + 1), "v", "n", Some("1"))
}

async fn push(n: usize, change: fn(usize) -> Change) -> (Recorder, CommitWrite) {
    let recorder = recorder();
    let mut txn = txn(&recorder, Mode::Write).await;
    let changes: Vec<Change> = (0..n).map(change).collect();
    let keys: Vec<_> = changes.iter().map(|change| change.key.clone()).collect();
    txn.records(&keys).await.unwrap();
    txn.client(&client_id("replica-1")).await.unwrap();
    let mut write = stamp(&mut txn, changes).await.unwrap();
    write.clients = vec![client_state("replica-1", 1)];
    write.log = vec![log_entry(1, seq(1))];
    write.purges = keys;
    txn.apply(&write).await.unwrap();
    (recorder, write)
}

#[tokio::test]
async fn a_push_takes_as_many_statements_whatever_its_size() {
    let small = push(1, note).await.0.take().len();
    for change in [note, op] {
        for n in [1, 2, 17, 500] {
            assert_eq!(push(n, change).await.0.take().len(), small, "a push of {n}");
        }
        let largest = push(KEYS_MAX, change).await.0.take();
        assert!(
            largest.len() <= small + 2,
            "keys are read in two statements, also by `stamp`: {}",
            largest.len()
        );
        assert!(largest.iter().all(|statement| statement.values.0.len() <= 32_766));
    }
}

/// What one write brought is not kept in memory beside what the next one brings.
#[tokio::test]
async fn a_write_is_sent_at_the_latest_with_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_file(folder.path().join("sync.db")).await.unwrap();
    store.create_space(&space_id("family"), epoch(1)).await.unwrap();
    let mut txn = store.write(&space_id("family")).await.unwrap();
    let mut refused = stamp(&mut *txn, [put("notes", "1", "1"), put("notes", "2", "2")]).await.unwrap();
    refused.records[1].meta.version = refused.records[0].meta.version;
    txn.apply(&refused).await.unwrap();
    let next = CommitWrite { clients: vec![client_state("replica-1", 1)], ..CommitWrite::default() };
    assert!(txn.apply(&next).await.is_err(), "the first write was not sent, or it was not refused");
}

/// Runs everything a transaction can ask, on a schema with rows and statistics, and reads the plans.
#[tokio::test]
async fn no_statement_reads_a_whole_table_or_sorts() {
    let recorder = recorder();
    let mut txn = txn(&recorder, Mode::Write).await;
    let (notes, tree) = (Collection::new("notes").unwrap(), op(0).key.collection);
    let both = vec![notes.clone(), tree.clone()];
    for collections in [None, Some(vec![notes.clone()]), Some(vec![tree.clone()]), Some(both)] {
        for bytes_max in [1, usize::MAX] {
            let query = FeedQuery {
                after: seq(1),
                up_to: seq(9),
                collections: collections.clone(),
                rows_max: 10,
                bytes_max,
            };
            txn.feed(&query).await.unwrap();
        }
    }
    let places =
        [None, Some(note(1).key), Some(op(1).key), Some(key("$tree:outline", "5")), Some(key("$a", "1"))];
    for collection in [None, Some(notes), Some(tree)] {
        for (after, bytes_max) in places.iter().flat_map(|after| [(after, 1), (after, usize::MAX)]) {
            for (tombstones, descending) in [(true, false), (false, false), (true, true), (false, true)] {
                let (collection, after) = (collection.clone(), after.clone());
                let rows_max = 10;
                let query = ScanQuery { collection, after, descending, tombstones, rows_max, bytes_max };
                txn.scan(&query).await.unwrap();
            }
        }
    }
    for change in [note, op] {
        for n in [1, 2, 500] {
            let keys: Vec<_> = (0..n).map(|n: usize| change(n).key).collect();
            txn.records(&keys).await.unwrap();
        }
    }
    let names = [client_id("replica-1"), client_id("replica-2")];
    for query in
        [ClientQuery::Named(&names), ClientQuery::After(None, 9), ClientQuery::After(Some(&names[0]), 9)]
    {
        txn.clients(query).await.unwrap();
    }
    txn.commits(seq(3), 1).await.unwrap();
    everything_about_people(&recorder, "family", "anna").await.unwrap();
    txn.collect(seq(5), 10).await.unwrap();
    txn.log(Some(4), 10).await.unwrap();
    for change in [note, op] {
        let mut write = push(3, change).await.1;
        write.purges = vec![change(1).key, change(2).key];
        txn.apply(&write).await.unwrap();
    }

    let folder = tempfile::tempdir().unwrap();
    let database = database_with_rows(folder.path()).await;
    let statements = recorder.take();
    statements.iter().for_each(|statement| check_plan(&database, &statement.sql));
    database.execute_batch("ANALYZE").unwrap();
    statements.iter().for_each(|statement| check_plan(&database, &statement.sql));
}

async fn database_with_rows(folder: &std::path::Path) -> rusqlite::Connection {
    let (path, space) = (folder.join("sync.db"), space_id("family"));
    let store = SqliteStore::open_file(&path).await.unwrap();
    store.create_space(&space, epoch(1)).await.unwrap();
    let ids: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    commit(&store, &space, ids.iter().map(|id| put("notes", id, "1"))).await.unwrap();
    commit(&store, &space, (0..500).map(op)).await.unwrap();
    store.close().await;
    rusqlite::Connection::open(path).unwrap()
}

fn check_plan(database: &rusqlite::Connection, sql: &str) {
    let mut explain = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let n_parameters = explain.parameter_count();
    let nulls = rusqlite::params_from_iter(vec![rusqlite::types::Null; n_parameters]);
    let steps: Vec<String> =
        explain.query_map(nulls, |row| row.get(3)).unwrap().map(std::result::Result::unwrap).collect();
    for step in &steps {
        // The last is a table of one row.
        let derived = ["SCAN rows", "SCAN oldest", "SCAN keys", "SCAN part", "SCAN noticed"];
        let is_bounded = derived.iter().any(|scan| step.starts_with(scan)) || step.contains("VALUES CLAUSE");
        assert!(!step.starts_with("SCAN") || is_bounded, "{step}\n{sql}\n{steps:#?}");
        assert!(!step.contains("TEMP B-TREE"), "{step}\n{sql}\n{steps:#?}");
    }
}
