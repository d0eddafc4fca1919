//! Scans: records in the order of their keys, for snapshots and plain reading.

use crate::conformance::look::all_records;
use crate::conformance::model::{COLLECTIONS, any_collection};
use crate::conformance::{
    Dice, Model, Subject, Verdict, commit, delete, fresh_space, key, put, sample, whole_scan,
};
use crate::error::Result;
use crate::store::{ScanQuery, StoreExt, StoreTxn};
use crate::types::RecordKey;

/// Keys in the order of their bytes: library collections first, upper case before lower, prefixes before what they
/// begin, and beyond the first 65,536 characters by bytes, not by UTF-16 units.
const SORTED: [(&str, &str); 19] = [
    ("$conflicts", "1"),
    ("$conflicts", "a"),
    ("0", "z"),
    ("A", "b"),
    ("B", "a"),
    ("a", " "),
    ("a", "1"),
    ("a", "10"),
    ("a", "2"),
    ("a", "Z"),
    ("a", "a"),
    ("a", "z"),
    ("a", "~"),
    ("a", "ä"),
    ("a", "\u{e000}"),
    ("a", "\u{fffd}"),
    ("a", "\u{1f600}"),
    ("a-b", "0"),
    ("ab", "!"),
];

/// Records are listed ascending by the bytes of collection, then id, whatever the order in which they were written.
pub async fn records_are_listed_ascending_by_bytes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut changes: Vec<_> = SORTED.iter().map(|(collection, id)| put(collection, id, "1")).collect();
    changes.rotate_left(7);
    changes.reverse();
    commit(&*store, &space, changes).await?;
    let found = whole_scan(&mut *store.read(&space).await?).await?;
    let found: Vec<_> =
        found.iter().map(|record| (record.key.collection.as_str(), record.key.id.as_str())).collect();
    assert_eq!(found, SORTED);
    Ok(())
}

/// A scan goes on after any key: one that is there, one that is not, the first and the last.
pub async fn a_scan_goes_on_after_any_key(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 80, 5).await?;
    let mut txn = store.read(&space).await?;
    let strangers = [("$a", "1"), ("a", "\u{10ffff}"), ("a.b", "1"), ("zz", "1"), ("0", "0"), ("Notes", "B")];
    let keys = model.keys().into_iter().chain(strangers.map(|(collection, id)| key(collection, id)));
    for after in keys {
        let query = ScanQuery { after: Some(after), rows_max: 3, ..all_records() };
        assert_eq!(txn.scan(&query).await?, model.scan(&query), "for {query:?}");
    }
    Ok(())
}

/// Random combinations of collections, keys, tombstones and limits yield what the sentences say, page by page.
pub async fn scans_obey_every_combination_of_limits(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 120, 6).await?;
    let (mut txn, dice, keys) = (store.read(&space).await?, Dice::new(7), model.keys());
    for _ in 0..200 {
        let query = ScanQuery {
            collection: dice.one_in(2).then(|| key(&any_collection(&dice), "1").collection),
            after: (dice.below(3) > 0).then(|| RecordKey::clone(dice.of(&keys))),
            descending: dice.below(3) == 0,
            tombstones: dice.below(2) == 0,
            rows_max: 1 + dice.below(30),
            bytes_max: dice.below(400),
        };
        same_pages(&mut *txn, &model, query).await?;
    }
    Ok(())
}

/// One collection alone, also when the key to go on after lies in another one.
pub async fn a_scan_stays_in_its_collection(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = ["a", "a-b", "ab", "A"].map(|collection| put(collection, "1", "1"));
    let written = commit(&*store, &space, changes).await?.records;
    let mut txn = store.read(&space).await?;
    let mut scan = async |after: Option<RecordKey>| {
        let collection = Some(key("a-b", "1").collection);
        txn.scan(&ScanQuery { collection, after, ..all_records() }).await
    };
    assert_eq!(scan(None).await?.records, written[1..2]);
    assert_eq!(scan(Some(key("a", "9"))).await?.records, written[1..2]);
    assert_eq!(scan(Some(key("a-b", "0"))).await?.records, written[1..2]);
    assert_eq!(scan(Some(key("a-b", "1"))).await?.records, []);
    assert_eq!(scan(Some(key("ab", "0"))).await?.records, []);
    Ok(())
}

/// Tombstones are listed when asked for, and otherwise neither listed nor counted as more.
pub async fn tombstones_are_listed_only_when_asked_for(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = [put("a", "1", "1"), delete("a", "2"), put("a", "3", "3"), delete("a", "4")];
    let written = commit(&*store, &space, changes).await?.records;
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.scan(&all_records()).await?.records, written);
    let page = txn.scan(&ScanQuery { tombstones: false, rows_max: 2, ..all_records() }).await?;
    assert_eq!(page.records, [written[0].clone(), written[2].clone()]);
    assert!(!page.more, "a tombstone that is not listed was counted as more");
    Ok(())
}

/// Page by page, a scan yields every record once for every size of page.
pub async fn pages_of_a_scan_are_gap_free(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 120, 8).await?;
    let mut txn = store.read(&space).await?;
    for rows_max in [1, 2, 3, 7, 50, usize::MAX] {
        same_pages(&mut *txn, &model, ScanQuery { rows_max, ..all_records() }).await?;
    }
    let page = txn.scan(&ScanQuery { rows_max: 0, ..all_records() }).await?;
    assert_eq!((page.records, page.more), (vec![], true));
    Ok(())
}

/// A descending scan yields the same records in the other order, goes on below its key, and stays in its collection.
pub async fn a_descending_scan_is_the_ascending_one_from_its_end(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 120, 9).await?;
    let mut txn = store.read(&space).await?;
    for tombstones in [true, false] {
        let query = ScanQuery { tombstones, ..all_records() };
        let mut wanted = txn.scan(&query).await?.records;
        wanted.reverse();
        let backwards = ScanQuery { descending: true, ..query };
        assert_eq!(txn.scan(&backwards).await?.records, wanted);
        for rows_max in [0, 1, 3, 50] {
            let one = ScanQuery { rows_max, ..backwards.clone() };
            assert_eq!(txn.scan(&one).await?, model.scan(&one));
        }
        same_pages(&mut *txn, &model, ScanQuery { rows_max: 7, ..backwards.clone() }).await?;
        for name in COLLECTIONS {
            let collection = Some(key(name, "1").collection);
            for after in [None, Some(key("a", "2")), Some(key("zz", "1")), Some(key("$a", "1"))] {
                let (collection, after) = (collection.clone(), after);
                let query = ScanQuery { collection, after, rows_max: 3, ..backwards.clone() };
                same_pages(&mut *txn, &model, query).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn same_pages(txn: &mut dyn StoreTxn, model: &Model, mut query: ScanQuery) -> Result<()> {
    loop {
        let page = txn.scan(&query).await?;
        assert_eq!(page, model.scan(&query), "for {query:?}");
        match page.records.last() {
            Some(last) if page.more => query.after = Some(last.key.clone()),
            _ => return Ok(()),
        }
    }
}
