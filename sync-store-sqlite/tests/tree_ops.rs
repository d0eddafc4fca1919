//! Ops of trees in their own table.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use rusqlite::types::Value;
use sync_core::conformance::{
    Change, commit, epoch, everything_after, move_op, put, set_op, space_id, whole_scan,
};
use sync_core::store::{Store, StoreExt};
use sync_core::{ErrorKind, Seq};
use world::{World, kind_of};

fn ops() -> [Change; 5] {
    [
        move_op("t", "1@a", "v", None),
        move_op("t", "2@a", "v", Some("p")),
        set_op("t", "3@a", "v", "", None),
        set_op("t", "4@a", "v", "name", None),
        set_op("t", "5@a", "v", "name", Some("null")),
    ]
}

const COLUMNS: [&str; 9] =
    ["tree_id", "clock", "peer_id", "target_id", "parent_id", "key", "value", "seq", "meta"];

/// What damage can make of a value: one bit less or more, nothing, or something.
fn damaged(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(number) => vec![Value::Integer(number ^ 64), Value::Integer(-number)],
        Value::Text(text) => {
            let mut flipped = text.clone().into_bytes();
            let missing = Value::Null;
            match flipped.last_mut() {
                Some(last) => *last ^= 1,
                None => return vec![missing, Value::Text("x".to_owned())],
            }
            let more = format!("{text}\u{1f}");
            vec![Value::Text(String::from_utf8(flipped).unwrap()), Value::Text(more), missing]
        }
        _ => vec![Value::Text(String::new()), Value::Text("null".to_owned())],
    }
}

#[tokio::test]
async fn damage_in_any_column_is_noticed() {
    let (world, space) = (World::file().await, space_id("family"));
    world.store.create_space(&space, epoch(1)).await.unwrap();
    commit(&world.store, &space, ops()).await.unwrap();
    let database = rusqlite::Connection::open(world.path_of(&space)).unwrap();
    let mut n_noticed = 0;
    for clock in 1..=5 {
        for column in COLUMNS {
            let select = format!("SELECT rowid, {column} FROM tree_ops WHERE clock = {clock}");
            let (row, sound): (i64, Value) =
                database.query_row(&select, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let update = format!("UPDATE tree_ops SET {column} = ? WHERE rowid = {row}");
            for value in damaged(&sound) {
                // Some of it the database itself refuses.
                if database.execute(&update, [&value]).is_err() {
                    continue;
                }
                let mut txn = world.store.read(&space).await.unwrap();
                let told = format!("{column} of op {clock} is {value:?} and was {sound:?}");
                let all = everything_after(&mut *txn, Seq::ZERO).await;
                // A seq before the first is as good as none; who reads by key finds it.
                let is_hidden = column == "seq" && matches!(value, Value::Integer(..=0));
                assert!(is_hidden || all.is_err_and(|error| error.kind() == ErrorKind::Corrupt), "{told}");
                let mut txn = world.store.read(&space).await.unwrap();
                assert_eq!(kind_of(whole_scan(&mut *txn).await), ErrorKind::Corrupt, "{told}");
                n_noticed += 1;
                database.execute(&update, [&sound]).unwrap();
            }
        }
    }
    assert!(n_noticed > 80, "{n_noticed}");
    let mut txn = world.store.read(&space).await.unwrap();
    assert_eq!(whole_scan(&mut *txn).await.unwrap().len(), 5);
}

/// For whoever reads the database by other means: the columns say what the op says.
#[tokio::test]
async fn what_an_op_says_is_in_its_columns() {
    let (world, space) = (World::file().await, space_id("family"));
    world.store.create_space(&space, epoch(1)).await.unwrap();
    commit(&world.store, &space, ops().into_iter().chain([put("notes", "1", "1")])).await.unwrap();
    let database = rusqlite::Connection::open(world.path_of(&space)).unwrap();
    let mut rows = database
        .prepare(
            "SELECT space_id || ' ' || tree_id || ' ' || clock || ' ' || peer_id || ' ' || target_id || ' ' || \
             coalesce(parent_id, '-') || ' ' || coalesce('\"' || key || '\"', '-') || ' ' || coalesce(value, '-') || ' ' || seq \
             FROM tree_ops ORDER BY clock",
        )
        .unwrap();
    let rows: Vec<String> = rows.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let wanted = [
        "family t 1 a v - - - 1",
        "family t 2 a v p - - 2",
        "family t 3 a v - \"\" - 3",
        "family t 4 a v - \"name\" - 4",
        "family t 5 a v - \"name\" null 5",
    ];
    assert_eq!(rows, wanted);
}
