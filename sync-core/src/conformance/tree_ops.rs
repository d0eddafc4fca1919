//! Ops of trees: records that are written once, and read like all others.

use crate::conformance::look::{all_records, whole_feed};
use crate::conformance::{
    Change, Model, Subject, Verdict, commit, commit_write, contents, delete, epoch, everything_after,
    fresh_space, key, move_op, put, set_op, space_id, stamp, whole_scan,
};
use crate::error::{ErrorKind, Result};
use crate::store::{CollectionStats, CommitWrite, FeedQuery, KEYS_MAX, ScanQuery, Store, StoreExt, StoreTxn};
use crate::types::{Record, RecordKey, Seq, SpaceId};

/// Something of everything an op may say, with names and values that a column is tempted to change.
fn every_kind() -> [Change; 12] {
    let id = |n: usize| format!("{n}@a1");
    [
        move_op("t", &id(1), "v", None),
        move_op("t", &id(2), "v", Some("0")),
        move_op("t", &id(3), "é \"'\\ 日本", Some("null")),
        set_op("t", &id(4), "v", "", Some("null")),
        set_op("t", &id(5), "v", "", None),
        set_op("t", &id(6), "v", "a\"\\b", Some("\"\"")),
        set_op("t", &id(7), "\\", "null", Some(r#"{"a":[1.5,"\u001e\u001f\n",{}],"b":null}"#)),
        set_op("t", &id(8), "v", "ä", Some("9007199254740993")),
        move_op("t", "9007199254740990@-", "v", None),
        set_op("T", "1@f-0", "v", "name", Some("true")),
        move_op("t.1", "1@a1", "1", Some("2")),
        set_op("0", "16@00", "v", " ", Some("[]")),
    ]
}

/// Ops are in the feed, in scans, by key, and in the counts, in one order with all other records.
pub async fn an_op_is_read_as_a_record(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let others = ["$books", "$conflicts", "$tree", "$treehouse", "0", "a"].map(|name| put(name, "1", "1"));
    let changes: Vec<Change> = every_kind().into_iter().chain(others).collect();
    let written = commit(&*store, &space, changes).await?.records;
    let found = contents(&*store, &space).await?;
    assert_eq!(found.feed, written);
    let mut sorted = written.clone();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found.records, sorted);
    let counts = found.stats.collections.iter().map(|stats| (stats.collection.as_str(), stats.n_records));
    let wanted = [
        ("$books", 1),
        ("$conflicts", 1),
        ("$tree", 1),
        ("$tree:0", 1),
        ("$tree:T", 1),
        ("$tree:t", 9),
        ("$tree:t.1", 1),
        ("$treehouse", 1),
        ("0", 1),
        ("a", 1),
    ];
    assert_eq!(counts.collect::<Vec<_>>(), wanted);
    let stranger = key("$tree:t", "no op at all");
    let keys: Vec<RecordKey> = written.iter().rev().map(|record| record.key.clone()).collect();
    let keys = [keys, vec![key("$tree:t", "0000000000000001@a2"), stranger, key("a", "2")]].concat();
    let mut wanted: Vec<Option<Record>> = written.iter().rev().cloned().map(Some).collect();
    wanted.extend([None, None, None]);
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.records(&keys).await?, wanted);
    for (key, wanted) in keys.iter().zip(wanted) {
        assert_eq!(txn.records(std::slice::from_ref(key)).await?, [wanted]);
    }
    Ok(())
}

/// What is not exactly an op is refused in a tree, and with it the whole write.
pub async fn a_tree_takes_nothing_but_ops(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [move_op("t", "1@a", "v", None)]).await?;
    let before = contents(&*store, &space).await?;
    let (id, move_text) = ("0000000000000002@a", r#"{"parent":null,"target":"v"}"#);
    let refused = [
        put("$tree:t", "2@a", move_text),
        put("$tree:t", "0000000000000002@A", move_text),
        put("$tree:t", "0000000000000000@a", move_text),
        put("$tree:t", id, r#"{"target":"v"}"#),
        put("$tree:t", id, r#"{"key":"a","parent":null,"target":"v"}"#),
        put("$tree:t", id, r#"{"parent":"","target":"v"}"#),
        put("$tree:t", id, "1"),
        delete("$tree:t", id),
        delete("$tree:t", "0000000000000001@a"),
    ];
    for change in refused {
        let told = format!("{change:?}");
        let mut txn = store.write(&space).await?;
        let write = stamp(&mut *txn, [put("notes", "1", "1"), change, put("notes", "2", "2")]).await?;
        let error = txn.apply(&write).await.err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Invalid), "{told}");
        assert!(txn.commit().await.is_err(), "a transaction was committed in which {told} was refused");
        assert_eq!(contents(&*store, &space).await?, before, "{told}");
    }
    Ok(())
}

/// A later state of an op with the same content replaces what is known of it, and moves it in the feed.
pub async fn an_op_that_comes_again_replaces_what_is_known_of_it(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let first = commit(&*store, &space, every_kind()).await?.records;
    let mut again = commit(&*store, &space, every_kind()).await?.records;
    assert!(again.iter().zip(&first).all(|(new, old)| new.meta.version > old.meta.version));
    assert_eq!(contents(&*store, &space).await?.feed, again);
    // As when a server confirms: only what is known of it changes, also within one transaction.
    let mut txn = store.write(&space).await?;
    for n in 1..=2_i64 {
        for (idx, record) in again.iter_mut().enumerate() {
            let place = 100 * n + i64::try_from(idx).unwrap_or(0);
            record.meta.version = crate::conformance::seq(place);
            record.meta.upstream = crate::conformance::seq(n);
        }
        txn.apply(&CommitWrite { records: again.clone(), ..CommitWrite::default() }).await?;
    }
    txn.commit().await?;
    assert_eq!(contents(&*store, &space).await?.feed, again);
    Ok(())
}

/// A state of an op with other content is ignored as a whole, whatever differs, and whether it comes in the same
/// transaction or later; the others of its write are not.
pub async fn the_content_of_an_op_never_changes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let id = "7@a";
    let contents_of_it = [
        move_op("t", id, "v", None),
        move_op("t", id, "w", None),
        move_op("t", id, "v", Some("p")),
        move_op("t", id, "v", Some("q")),
        set_op("t", id, "v", "a", None),
        set_op("t", id, "v", "a", Some("null")),
        set_op("t", id, "v", "a", Some("1")),
        set_op("t", id, "w", "a", Some("1")),
        set_op("t", id, "v", "b", Some("1")),
        set_op("t", id, "v", "", Some("1")),
        set_op("t", id, "v", "", Some("\"\"")),
        set_op("t", id, "v", "", None),
    ];
    for first in &contents_of_it {
        let others: Vec<&Change> = contents_of_it.iter().filter(|other| *other != first).collect();
        let mut model = Model::default();
        for other in &others {
            let mut txn = store.write(&space).await?;
            let one = stamp(&mut *txn, [first.clone(), put("notes", "1", "1")]).await?;
            txn.apply(&one).await?;
            model.apply(&one);
            ignored(&mut *txn, &one, other, &mut model).await?;
            txn.commit().await?;
            is_as(&*store, &space, &model).await?;
        }
        for other in others {
            let mut txn = store.write(&space).await?;
            let write = stamp(&mut *txn, [other.clone(), put("notes", "1", "2")]).await?;
            txn.apply(&write).await?;
            txn.commit().await?;
            model.apply(&write);
            is_as(&*store, &space, &model).await?;
        }
        let purge = CommitWrite { purges: vec![first.key.clone()], ..CommitWrite::default() };
        commit_write(&*store, &space, &purge).await?;
    }
    Ok(())
}

/// Goes on from `one` with another content of its op.
async fn ignored(txn: &mut dyn StoreTxn, one: &CommitWrite, other: &Change, model: &mut Model) -> Result<()> {
    let head = one.head().map_or(Seq::ZERO, |commit| commit.last);
    let first = head.checked_add(1).unwrap_or(head);
    let write = crate::conformance::stamp_at(txn, first, [other.clone(), put("notes", "2", "1")]).await?;
    txn.apply(&write).await?;
    model.apply(&write);
    Ok(())
}

async fn is_as(store: &dyn Store, space: &SpaceId, model: &Model) -> Result<()> {
    let mut txn = store.read(space).await?;
    assert_eq!(txn.feed(&whole_feed()).await?, model.feed(&whole_feed()));
    assert_eq!(txn.scan(&all_records()).await?, model.scan(&all_records()));
    Ok(())
}

/// A purge removes ops without a trace, and their keys are free.
pub async fn a_purged_op_may_be_written_anew(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = (1..=4).map(|n| move_op("t", &format!("{n}@a"), "v", None));
    let written = commit(&*store, &space, changes.chain([put("notes", "1", "1")])).await?.records;
    let mut purges: Vec<RecordKey> = written.iter().skip(1).map(|record| record.key.clone()).collect();
    purges.extend([key("$tree:t", "0000000000000009@a"), key("$tree:t", "no op"), key("$tree:u", "x")]);
    commit_write(&*store, &space, &CommitWrite { purges, ..CommitWrite::default() }).await?;
    assert_eq!(contents(&*store, &space).await?.feed, written[..1]);
    let anew = commit(&*store, &space, [set_op("t", "2@a", "v", "k", Some("1"))]).await?.records;
    assert_eq!(contents(&*store, &space).await?.feed, [&written[..1], &anew].concat());
    Ok(())
}

/// However high the floor, ops stay.
pub async fn ops_are_never_collected(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = every_kind().into_iter().chain([delete("notes", "1")]);
    let written = commit(&*store, &space, changes).await?.records;
    let mut txn = store.write(&space).await?;
    let head = txn.head().head;
    let collected = txn.collect(head, usize::MAX).await?;
    txn.commit().await?;
    assert_eq!((collected.n_removed, collected.more), (1, false));
    assert_eq!(contents(&*store, &space).await?.feed, written[..written.len() - 1]);
    Ok(())
}

/// The ops of a tree are listed by clock and then by peer, from either end, and go on after any key.
pub async fn the_ops_of_a_tree_are_listed_in_their_order(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let ids = ["1@a", "2@-", "2@0", "2@9", "2@a", "2@a0", "2@b", "9@f", "10@0", "99@0", "9007199254740990@f"];
    let trees = ["t", "t-", "t0", "T"];
    let changes = trees.iter().flat_map(|tree| ids.iter().rev().map(|id| move_op(tree, id, "v", None)));
    let others = ["$conflicts", "a"].map(|name| put(name, "0000000000000002@a", "1"));
    let mut model = Model::default();
    model.apply(&commit(&*store, &space, changes.chain(others)).await?);
    let mut txn = store.read(&space).await?;
    let strangers = [
        " ",
        "0",
        "00",
        "000000000000000",
        "0000000000000002",
        "0000000000000002!",
        "0000000000000002?",
        "0000000000000002@",
        "0000000000000002@0",
        "0000000000000002@A",
        "0000000000000002@g",
        "0000000000000002A",
        "0000000000000002é",
        "000000000000001/",
        "000000000000001:",
        "00000000000000é",
        "9",
        "9007199254740990@f0",
        "9999999999999999@f",
        "99999999999999990",
        "é",
        "\u{10ffff}",
    ];
    let places = ["$conflicts", "$tree:T", "$tree:t", "$tree:t0", "$tree:u", "0", "a"];
    let strange = places.iter().flat_map(|place| strangers.iter().map(|id| key(place, id)));
    let keys: Vec<RecordKey> = model.keys().into_iter().chain(strange).collect();
    let collections = [None, Some(key("$tree:t", "1").collection), Some(key("$tree:nobody", "1").collection)];
    for (collection, descending) in collections.iter().flat_map(|name| [(name, false), (name, true)]) {
        let all = ScanQuery { collection: collection.clone(), descending, ..all_records() };
        assert_eq!(txn.scan(&all).await?, model.scan(&all), "for {all:?}");
        for after in &keys {
            let query = ScanQuery { after: Some(after.clone()), rows_max: 3, ..all.clone() };
            assert_eq!(txn.scan(&query).await?, model.scan(&query), "for {query:?}");
        }
    }
    Ok(())
}

/// The newest op of a tree is one descending row.
pub async fn the_newest_op_is_the_first_from_the_end(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let ids = ["7@b", "12@a", "3@f", "12@0b"];
    let written = commit(&*store, &space, ids.map(|id| move_op("t", id, "v", None))).await?.records;
    commit(&*store, &space, [move_op("u", "99@a", "v", None), put("notes", "1", "1")]).await?;
    let collection = Some(key("$tree:t", "1").collection);
    let newest = ScanQuery { collection, descending: true, rows_max: 1, ..all_records() };
    let page = store.read(&space).await?.scan(&newest).await?;
    assert_eq!((page.records, page.more), (vec![written[1].clone()], true));
    Ok(())
}

/// More ops than one statement carries are written, read by key and purged at once.
pub async fn three_thousand_ops_are_written_at_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let change = |n: usize| match n % 3 {
        0 => move_op("t", &format!("{}@a", n + 1), &n.to_string(), None),
        1 => set_op("t", &format!("{}@a", n + 1), &n.to_string(), "n", Some(&n.to_string())),
        _ => put("notes", &n.to_string(), "1"),
    };
    let n_all = 3 * KEYS_MAX + 7;
    let mut model = Model::default();
    model.apply(&commit(&*store, &space, (0..n_all).map(change)).await?);
    is_as(&*store, &space, &model).await?;
    let mut txn = store.read(&space).await?;
    let keys: Vec<RecordKey> = model.keys();
    let found: Vec<Record> = txn.records(&keys).await?.into_iter().flatten().collect();
    assert_eq!(found, model.scan(&all_records()).records);
    assert_eq!(whole_scan(&mut *txn).await?, found);
    assert_eq!(everything_after(&mut *txn, Seq::ZERO).await?, model.feed(&whole_feed()).records);
    drop(txn);
    let purges: Vec<RecordKey> = keys.into_iter().skip(5).collect();
    let purge = CommitWrite { purges, ..CommitWrite::default() };
    commit_write(&*store, &space, &purge).await?;
    model.apply(&purge);
    is_as(&*store, &space, &model).await.map_err(Into::into)
}

/// Pages of ops and records together end before they exceed their bytes, in the feed and in scans.
pub async fn pages_with_ops_end_before_they_exceed_their_bytes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let large = |n: usize| format!("\"{}\"", "x".repeat(n * 37 % 400));
    let change = |n: usize| match n % 4 {
        0 => put("$conflicts", &n.to_string(), &large(n)),
        1 => put("notes", &n.to_string(), &large(n)),
        2 => set_op("t", &format!("{n}@a"), "\"v\"\\", "a\"\"", Some(&large(n))),
        _ => move_op("t", &format!("{n}@a"), &"\\\"".repeat(n), Some("p")),
    };
    let mut model = Model::default();
    model.apply(&commit(&*store, &space, (1..=60).map(change)).await?);
    let trees = [None, Some(vec!["$tree:t"]), Some(vec!["notes", "$tree:t", "$tree:u"]), Some(vec!["notes"])];
    let mut txn = store.read(&space).await?;
    for bytes_max in [0, 1, 50, 333, 1_000, 5_000, usize::MAX] {
        for names in &trees {
            let collections =
                names.as_ref().map(|names| names.iter().map(|name| key(name, "1").collection).collect());
            let query = FeedQuery { collections, bytes_max, rows_max: 20, ..whole_feed() };
            same_feed(&mut *txn, &model, query).await?;
        }
        for (name, descending) in trees.iter().flat_map(|names| [(names, false), (names, true)]) {
            let collection =
                name.as_ref().and_then(|names| names.first()).map(|name| key(name, "1").collection);
            let query = ScanQuery { collection, descending, bytes_max, rows_max: 20, ..all_records() };
            crate::conformance::scan::same_pages(&mut *txn, &model, query).await?;
        }
    }
    Ok(())
}

async fn same_feed(txn: &mut dyn StoreTxn, model: &Model, mut query: FeedQuery) -> Result<()> {
    loop {
        let page = txn.feed(&query).await?;
        assert_eq!(page, model.feed(&query), "for {query:?}");
        match page.records.last() {
            Some(last) if page.more => query.after = last.meta.version,
            _ => return Ok(()),
        }
    }
}

/// Trees of two spaces never meet, and a deleted space takes its trees along.
pub async fn a_tree_belongs_to_one_space(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let other = space_id("other");
    store.create_space(&other, epoch(2)).await?;
    let here = commit(&*store, &space, [move_op("t", "1@a", "v", None)]).await?.records;
    let there = commit(&*store, &other, [move_op("t", "1@a", "w", None)]).await?.records;
    assert_eq!(contents(&*store, &space).await?.feed, here);
    assert_eq!(contents(&*store, &other).await?.feed, there);
    store.delete_space(&space).await?;
    store.create_space(&space, epoch(3)).await?;
    let anew = contents(&*store, &space).await?;
    assert_eq!(
        (anew.feed, anew.records, anew.stats.collections),
        (vec![], vec![], Vec::<CollectionStats>::new())
    );
    assert_eq!(contents(&*store, &other).await?.records, there);
    Ok(())
}

/// Ops survive reopening as they were.
pub async fn ops_survive_reopening(subject: &mut dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, every_kind()).await?;
    let before = contents(&*store, &space).await?;
    drop(store);
    if subject.reopen().await? {
        assert_eq!(contents(&*subject.store(), &space).await?, before);
    }
    Ok(())
}

/// A damaged op is an error of kind `Corrupt` by every way of reading it, and never data.
pub async fn a_damaged_op_is_an_error_and_never_data(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = [put("notes", "1", "1"), set_op("t", "1@a", "v", "name", Some("\"to be damaged\""))];
    let written = commit(&*store, &space, changes).await?.records;
    if !subject.damage(&space, &written[1].key).await? {
        return Ok(());
    }
    let (store, corrupt) = (subject.store(), Some(ErrorKind::Corrupt));
    let mut txn = store.read(&space).await?;
    assert_eq!(everything_after(&mut *txn, Seq::ZERO).await.err().map(|e| e.kind()), corrupt);
    let mut txn = store.read(&space).await?;
    assert_eq!(whole_scan(&mut *txn).await.err().map(|e| e.kind()), corrupt);
    let mut txn = store.write(&space).await?;
    assert_eq!(txn.records(&[written[0].key.clone()]).await?, [Some(written[0].clone())]);
    let met = txn.records(&[written[1].key.clone()]).await;
    assert_eq!(met.err().map(|e| e.kind()), corrupt);
    assert!(txn.commit().await.is_err(), "a transaction that met damage was committed");
    Ok(())
}
