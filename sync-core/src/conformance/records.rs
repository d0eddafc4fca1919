//! Writing records and reading them by key.

use crate::conformance::look::{all_records, whole_feed};
use crate::conformance::{
    Change, Model, Subject, Verdict, commit, commit_write, contents, delete, everything_after, fresh_space,
    key, put, whole_scan,
};
use crate::store::{CollectionStats, CommitWrite, KEYS_MAX, StoreExt};
use crate::types::{Record, RecordKey, Seq};

/// Records come in the order of the keys that were asked for: unknown ones as `None`, tombstones included, a key that
/// is asked for twice twice, and for no keys nothing.
pub async fn records_come_in_the_order_of_the_keys(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = [put("b", "1", "1"), put("a", "2", "2"), put("a", "1", "3"), delete("c", "1")];
    let written = commit(&*store, &space, changes).await?.records;
    let [b1, a2, a1, c1] = &written[..] else { panic!("four records were written") };
    let mut txn = store.read(&space).await?;
    let keys =
        [&c1.key, &b1.key, &key("a", "3"), &a1.key, &a2.key, &b1.key, &key("z", "1")].map(Clone::clone);
    let wanted =
        [Some(c1), Some(b1), None, Some(a1), Some(a2), Some(b1), None].map(Option::<&Record>::cloned);
    assert_eq!(txn.records(&keys).await?, wanted);
    assert_eq!(txn.records(&[]).await?, []);
    Ok(())
}

/// More keys than one statement carries are read at once.
pub async fn many_keys_are_read_at_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let n = KEYS_MAX + KEYS_MAX / 2;
    let written = commit(&*store, &space, (0..n).step_by(2).map(numbered)).await?;
    let keys: Vec<RecordKey> = (0..n).rev().map(|n| numbered(n).key).collect();
    let found = store.read(&space).await?.records(&keys).await?;
    assert_eq!(found.len(), n);
    for (key, found) in keys.iter().zip(&found) {
        let wanted = written.records.iter().find(|record| record.key == *key);
        assert_eq!(found.as_ref(), wanted);
    }
    Ok(())
}

/// Three thousand records are written at once, and then deleted at once.
pub async fn three_thousand_records_are_written_at_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut model = Model::default();
    model.apply(&commit(&*store, &space, (0..3_000).map(numbered)).await?);
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.feed(&whole_feed()).await?, model.feed(&whole_feed()));
    assert_eq!(txn.scan(&all_records()).await?, model.scan(&all_records()));
    drop(txn);
    let deletions = (0..3_000).map(|n| Change { data: None, ..numbered(n) });
    model.apply(&commit(&*store, &space, deletions).await?);
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.feed(&whole_feed()).await?, model.feed(&whole_feed()));
    Ok(())
}

/// A later write of a record replaces its state whole; deleting it leaves a tombstone, from which it may come back.
pub async fn a_write_replaces_the_state_of_its_record(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    for change in [put("a", "1", "1"), put("a", "1", "\"x\""), delete("a", "1"), put("a", "1", "{}")] {
        let written = commit(&*store, &space, [change]).await?;
        let found = contents(&*store, &space).await?;
        assert_eq!(found.records, written.records);
        assert_eq!(found.feed, written.records);
    }
    Ok(())
}

/// Deleting a record that never was leaves a tombstone.
pub async fn a_tombstone_needs_no_record_before_it(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let written = commit(&*store, &space, [delete("a", "1")]).await?;
    let found = store.read(&space).await?.records(&[key("a", "1")]).await?;
    assert_eq!(found, [written.records.first().cloned()]);
    assert!(found[0].as_ref().is_some_and(Record::is_deleted));
    Ok(())
}

/// A purge removes records and tombstones without a trace in records, feed, scan or counts; unknown keys are ignored.
pub async fn a_purge_leaves_no_tombstone(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = [put("a", "1", "1"), put("a", "2", "2"), delete("a", "3"), put("b", "1", "1")];
    let written = commit(&*store, &space, changes).await?;
    let purges = vec![key("a", "1"), key("a", "3"), key("b", "1"), key("a", "4"), key("z", "1")];
    commit_write(&*store, &space, &CommitWrite { purges: purges.clone(), ..CommitWrite::default() }).await?;
    let found = contents(&*store, &space).await?;
    assert_eq!(found.records, written.records[1..2]);
    assert_eq!(found.feed, written.records[1..2]);
    let collection = key("a", "2").collection;
    assert_eq!(found.stats.collections, [CollectionStats { collection, n_records: 1, n_tombstones: 0 }]);
    assert_eq!(store.read(&space).await?.records(&purges).await?, vec![None; purges.len()]);
    Ok(())
}

/// More records than one statement carries are purged at once.
pub async fn many_records_are_purged_at_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let n = KEYS_MAX + KEYS_MAX / 2;
    let written = commit(&*store, &space, (0..=n).map(numbered)).await?;
    let purges = (1..=n).map(|n| numbered(n).key).collect();
    commit_write(&*store, &space, &CommitWrite { purges, ..CommitWrite::default() }).await?;
    assert_eq!(contents(&*store, &space).await?.records, written.records[..1]);
    Ok(())
}

/// A purged record may be written again.
pub async fn a_purged_record_may_be_written_again(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("a", "1", "1")]).await?;
    let purges = vec![key("a", "1")];
    commit_write(&*store, &space, &CommitWrite { purges, ..CommitWrite::default() }).await?;
    let written = commit(&*store, &space, [put("a", "1", "2")]).await?;
    assert_eq!(contents(&*store, &space).await?.feed, written.records);
    Ok(())
}

/// Keys that differ in case, accents, form, spaces or as numbers written differently are different records.
pub async fn keys_are_compared_by_bytes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let ids = [
        "a", "A", "á", "a\u{301}", "a ", " a", "1", "01", "1.0", "1e0", "ß", "ss", "null", "ﬀ", "ff", "%",
        "_",
    ];
    let changes = ids.iter().flat_map(|id| [put("notes", id, "1"), put("Notes", id, "2")]);
    let written = commit(&*store, &space, changes).await?;
    let mut txn = store.read(&space).await?;
    let found = everything_after(&mut *txn, Seq::ZERO).await?;
    assert_eq!(found.len(), 2 * ids.len());
    assert_eq!(found, written.records);
    for record in &written.records {
        assert_eq!(txn.records(std::slice::from_ref(&record.key)).await?, [Some(record.clone())]);
    }
    Ok(())
}

/// Counts say how many records and tombstones each collection has, by name.
pub async fn stats_count_records_and_tombstones_by_collection(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = [
        put("b", "1", "1"),
        delete("b", "2"),
        put("B", "1", "1"),
        put("$conflicts", "1", "1"),
        put("$conflicts", "2", "1"),
        delete("a-b", "1"),
        put("ab", "1", "1"),
    ];
    commit(&*store, &space, changes).await?;
    commit(&*store, &space, [put("b", "1", "2"), put("b", "3", "3")]).await?;
    let counts = [("$conflicts", 2, 0), ("B", 1, 0), ("a-b", 0, 1), ("ab", 1, 0), ("b", 2, 1)];
    let wanted = counts.map(|(name, n_records, n_tombstones)| CollectionStats {
        collection: key(name, "1").collection,
        n_records,
        n_tombstones,
    });
    assert_eq!(store.stats(&space).await?.collections, wanted);
    assert_eq!(whole_scan(&mut *store.read(&space).await?).await?.len(), 8);
    Ok(())
}

fn numbered(n: usize) -> Change {
    put("notes", &n.to_string(), &format!(r#"{{"n":{n}}}"#))
}
