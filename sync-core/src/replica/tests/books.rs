//! Books that the first version wrote are read by this one. The texts stay as they are: they stand for what lies on the
//! devices that people have.

use serde_json::{Value, json};

use super::world::{World, space, value};
use crate::json::{Json, Limits};
use crate::mutation::Op;
use crate::replica::app::aside::AsideRow;
use crate::replica::local::groups::Group;
use crate::replica::local::row::{Row, parse};
use crate::replica::local::rows::{Base, Batch};
use crate::replica::local::state::{Reload, State};
use crate::store::{CommitInfo, CommitWrite, MemoryStore, Store, StoreExt};
use crate::types::{ActorId, Collection, Epoch, Record, RecordId, RecordKey, RecordMeta, Version};

/// An edit with everything an edit can have.
const BASE: &str = r#"{"base":{"data":{"text":"was"},"revision":3,"version":1790000000000001},"group":"RTLzFYZyBfbiNpE3bPrO9g","key":["notes","grüße 🌲"],"latest":{"data":null,"revision":4,"version":1790000000000002},"resolves":{"body":{"at":1790000000000003,"by":"bob","collection":"notes","id":"grüße 🌲","mine":1,"paths":[""],"state":"open","theirs":2,"theirs_version":1790000000000002},"id":"c1","version":1790000000000003},"since":12,"undated":true,"whole":true}"#;
/// An edit of a record that the server does not know.
const NEW: &str = r#"{"base":{"revision":0,"version":0},"key":["$conflicts","new"],"since":0}"#;
const BATCH: &str = r#"{"client":"ada-phone","entries":[{"base":{"base":{"revision":0,"version":0},"group":"G","key":["notes","sent"],"since":5},"mutation":{"base_version":0,"collection":"notes","data":{"text":"on its way"},"group":"G","id":"sent","op":"put"}},{"base":{"base":{"revision":0,"version":0},"group":"G","key":["tasks","sent"],"since":6},"mutation":{"at":1000000,"base_version":0,"collection":"tasks","data":null,"group":"G","id":"sent","op":"put"}}],"first":1}"#;
/// A state with everything a state can have.
const STATE: &str = r#"{"client":"ada-phone","confirmed":7,"cursor":"a cursor","edits_after":4,"generation":3,"loading":{"is_stray":true,"n_done":5,"n_total":9,"resume":"a place","stream":2},"n_parted":1,"narrowed":true,"next":42,"receipt":"a receipt","reload":"went_back","selection":["notes","tasks"],"standby":true,"trail":[{"at":1790000000000001,"cursor":"an old cursor"}]}"#;
/// A state before the first sync.
const FIRST_STATE: &str = r#"{"client":"ada-phone","confirmed":0,"edits_after":0,"generation":0,"loading":{"n_done":0,"n_total":0,"stream":0},"n_parted":0,"next":1,"trail":[]}"#;
const GROUP: &str = r#"{"id":"H","keys":[["notes","1"],["tasks","t/1"]]}"#;
const ASIDE: &str = r#"{"at":1790000000000000,"code":"validation_failed","detail":"the server does not like it","id":"a1","mutation":{"base_version":7,"collection":"notes","data":{"text":"refused"},"id":"refused","op":"put"}}"#;

fn key(collection: &'static str, id: &str) -> RecordKey {
    RecordKey::new(Collection::system(collection), RecordId::new(id).unwrap())
}

fn record(key: RecordKey, version: i64, data: &str) -> Record {
    let meta = RecordMeta::first(Version::new(version).unwrap(), ActorId::new("ada").unwrap());
    Record { key, data: Some(Json::from_canonical(data)), meta }
}

/// Reads a row, and makes sure that it keeps all that is in it when it is written again.
fn read<R: Row>(text: &str) -> R {
    let row: R = parse(&record(key(R::COLLECTION, "any"), 1, text)).unwrap();
    let (before, after) = (serde_json::from_str(text).unwrap(), serde_json::to_value(&row).unwrap());
    assert!(has_all_of(&after, &before), "{} lost some of {before}: {after}", R::COLLECTION);
    row
}

/// Whether everything in `before` is in `after`, which may have members that are newer.
fn has_all_of(after: &Value, before: &Value) -> bool {
    match (after, before) {
        (Value::Object(after), Value::Object(before)) => {
            before.iter().all(|(name, value)| after.get(name).is_some_and(|after| has_all_of(after, value)))
        }
        (Value::Array(after), Value::Array(before)) => {
            after.len() == before.len()
                && after.iter().zip(before).all(|(after, before)| has_all_of(after, before))
        }
        _ => after == before,
    }
}

/// The text of a row as it is stored.
fn text<R: Row>(row: &R) -> String {
    let limits = Limits { bytes_max: 1 << 20, ..Limits::RECORD };
    Json::parse(serde_json::to_string(row).unwrap().as_bytes(), &limits).unwrap().as_str().to_owned()
}

#[test]
fn edits_of_version_1_are_read() {
    let base: Base = read(BASE);
    assert_eq!(base.key.to_string(), "notes/grüße 🌲");
    assert_eq!((base.base.version.get(), base.base.revision), (1_790_000_000_000_001, 3));
    assert_eq!(base.base.data.as_ref().map(Json::as_str), Some(r#"{"text":"was"}"#));
    // Null is content, and not a record that is gone.
    assert_eq!(base.newest().data, Some(Json::null()));
    assert_eq!((base.newest().version.get(), base.newest().revision), (1_790_000_000_000_002, 4));
    let resolves = base.resolves.as_ref().unwrap();
    assert_eq!((resolves.id.as_str(), resolves.version.get()), ("c1", 1_790_000_000_000_003));
    assert!(base.whole && base.undated);
    assert_eq!((base.since.get(), base.group.as_ref().unwrap().as_str()), (12, "RTLzFYZyBfbiNpE3bPrO9g"));
    let new: Base = read(NEW);
    assert_eq!((new.base.version, new.base.data.as_ref(), new.latest.as_ref()), (Version::ZERO, None, None));
    assert!(new.key.collection.is_system() && new.resolves.is_none() && new.group.is_none());
    assert!(!new.whole && !new.undated);
}

/// A row that is looked for under another name is lost.
#[test]
fn rows_lie_where_version_1_put_them() {
    let note = RecordKey::new(Collection::new("notes").unwrap(), RecordId::new("grüße 🌲").unwrap());
    assert_eq!(Base::key_for(&note).to_string(), "$base/UwJpOYPD_qkexb5clIKA6w");
    assert_eq!(Batch::key().to_string(), "$outbox/batch");
    assert_eq!(State::key().to_string(), "$state/replica");
    let group: Group = read(GROUP);
    assert_eq!(key(Group::COLLECTION, group.id().as_str()).to_string(), "$group/H");
    let aside: AsideRow = read(ASIDE);
    assert_eq!(key(AsideRow::COLLECTION, aside.id().as_str()).to_string(), "$aside/a1");
}

#[test]
fn a_batch_that_version_1_sealed_is_sent_as_it_was() {
    let batch: Batch = read(BATCH);
    assert_eq!((batch.client.as_str(), batch.first.get(), batch.entries.len()), ("ada-phone", 1, 2));
    let [first, second] = [0, 1].map(|n: usize| batch.entries[n].mutation().unwrap());
    assert_eq!((first.key.to_string(), first.base_version), ("notes/sent".to_owned(), Some(Version::ZERO)));
    assert_eq!(first.op, Op::Put(Json::from_canonical(r#"{"text":"on its way"}"#)));
    assert_eq!(first.group.as_deref(), Some("G"));
    assert_eq!((second.op, second.at.map(|at| at.as_micros())), (Op::Put(Json::null()), Some(1_000_000)));
    assert_eq!(batch.entries[1].base.since.get(), 6);
}

#[test]
fn states_of_version_1_are_read() {
    let state: State = read(STATE);
    assert_eq!((state.client.as_str(), state.next.get()), ("ada-phone", 42));
    assert_eq!(state.cursor.as_ref().map(|cursor| cursor.as_str()), Some("a cursor"));
    let trail: Vec<String> = state.trail.clone().into_cursors().map(|at| at.as_str().to_owned()).collect();
    assert_eq!(trail, ["an old cursor"]);
    let loading = &state.loading;
    assert_eq!(loading.resume.as_ref().map(|token| token.as_str()), Some("a place"));
    assert_eq!((loading.is_stray, loading.stream, loading.n_done, loading.n_total), (true, 2, 5, 9));
    assert_eq!(
        (state.edits_after.get(), state.n_parted, state.confirmed.get(), state.generation),
        (4, 1, 7, 3)
    );
    assert!(state.standby && state.narrowed);
    assert_eq!(state.reload, Some(Reload::WentBack));
    assert_eq!(state.selection.as_ref().map(std::collections::BTreeSet::len), Some(2));
    assert_eq!(state.receipt.as_ref().map(|token| token.as_str()), Some("a receipt"));
    // What had the place of the receipt before.
    let newest =
        r#""newest":{"acked":{"client":"ada-tablet","last":41},"version":1790000000000002},"next":42"#;
    let before = STATE.replace(r#""next":42,"receipt":"a receipt""#, newest);
    assert_eq!(parse::<State>(&record(key("$state", "any"), 1, &before)).unwrap().receipt, None);
    let first: State = read(FIRST_STATE);
    assert_eq!((first.cursor.as_ref(), first.reload, first.selection.as_ref()), (None, None, None));
    for (word, reload) in [("widened", Reload::Widened), ("expired", Reload::Expired)] {
        assert_eq!(read::<State>(&STATE.replace("went_back", word)).reload, Some(reload));
    }
}

#[test]
fn groups_and_refused_edits_of_version_1_are_written_as_they_were() {
    assert_eq!(text(&read::<Group>(GROUP)), GROUP);
    assert_eq!(text(&read::<AsideRow>(ASIDE)), ASIDE);
}

/// Everything in the local space of a replica that went offline: a batch on its way, two edits of a group that wait, and
/// one that was refused.
const OFFLINE: [(&str, &str, &str); 10] = [
    ("$state", "replica", FIRST_STATE),
    ("$outbox", "batch", BATCH),
    ("$aside", "a1", ASIDE),
    ("$group", "H", GROUP),
    (
        "$base",
        "DIWkEUCAaGjruxLlnwPywQ",
        r#"{"base":{"revision":0,"version":0},"group":"H","key":["notes","1"],"since":7}"#,
    ),
    (
        "$base",
        "CD55v2j_kX-4NfbHPaRH8g",
        r#"{"base":{"revision":0,"version":0},"group":"H","key":["tasks","t/1"],"since":8}"#,
    ),
    ("notes", "sent", r#"{"text":"on its way"}"#),
    ("tasks", "sent", "null"),
    ("notes", "1", r#"{"text":"waits"}"#),
    ("tasks", "t/1", "[]"),
];

async fn offline() -> MemoryStore {
    let store = MemoryStore::default();
    store.create_space(&space(), Epoch::from_bytes([1; 16])).await.unwrap();
    let rows = OFFLINE.into_iter().zip(1..).map(|((collection, id, data), version)| {
        let collection = Collection::from_stored(collection).unwrap();
        record(RecordKey::new(collection, RecordId::new(id).unwrap()), version, data)
    });
    let records: Vec<Record> = rows.collect();
    let mut txn = store.write(&space()).await.unwrap();
    let (first, last) = (records[0].meta.version, records[records.len() - 1].meta.version);
    let tag = txn.head().tag.after(first, last, &records);
    let commits = vec![CommitInfo { first, last, tag }];
    txn.apply(&CommitWrite { records, commits, ..CommitWrite::default() }).await.unwrap();
    txn.commit().await.unwrap();
    store
}

#[tokio::test]
async fn a_replica_that_version_1_left_offline_loses_nothing() {
    let (world, store) = (World::new().await, offline().await);
    let replica = world.replica(&store).await;
    let unsent = replica.unsent().await.unwrap();
    assert_eq!((unsent.n_waiting, unsent.n_in_flight, unsent.n_set_aside), (2, 2, 1));
    let line = world.line();
    replica.sync(&line).await.unwrap();
    let pushed: Vec<String> = line.pushed.lock().unwrap().iter().map(|push| push.to_json()).collect();
    assert!(pushed[0].starts_with(r#"{"client_id":"ada-phone","first":1,"#), "{pushed:?}");
    assert!(pushed[1].starts_with(r#"{"client_id":"ada-phone","first":3,"#), "{pushed:?}");
    let refused = replica.set_aside(10).await.unwrap();
    let expected =
        r#"{"op":"put","collection":"notes","id":"refused","base_version":7,"data":{"text":"refused"}}"#;
    assert_eq!(refused.iter().map(|edit| edit.mutation.to_json()).collect::<Vec<_>>(), [expected]);
    assert!(replica.dismiss(&refused[0].id).await.unwrap());
    let other = world.fresh().await;
    world.settle(&[&replica, &other]).await;
    world.assert_converged(&[&replica, &other]).await;
    assert_eq!(value(&other, "sent").await, Some(json!({"text": "on its way"})));
    assert_eq!(value(&other, "1").await, Some(json!({"text": "waits"})));
    assert_eq!(other.get_json("tasks", "sent").await.unwrap(), Some(Json::null()));
    assert_eq!(other.get_json("tasks", "t/1").await.unwrap().unwrap().as_str(), "[]");
}
