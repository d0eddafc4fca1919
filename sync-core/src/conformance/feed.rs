//! The feed: every change after a position, in order, once.

use crate::conformance::look::whole_feed;
use crate::conformance::model::any_collection;
use crate::conformance::{
    Dice, Model, Subject, Verdict, commit, delete, everything_after, fresh_space, key, put, sample, seq,
};
use crate::error::Result;
use crate::store::{FeedQuery, StoreExt, StoreTxn};
use crate::types::{Collection, Record, Seq};

/// Pages of every size, chained by position, yield every record once, ascending by version, without a gap.
pub async fn pages_are_ordered_and_gap_free(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 120, 1).await?;
    let mut txn = store.read(&space).await?;
    for rows_max in [1, 2, 3, 7, 50, 1_000] {
        same_pages(&mut *txn, &model, FeedQuery { rows_max, ..whole_feed() }).await?;
    }
    Ok(())
}

/// Random combinations of positions, filters and limits yield what the sentences say, page by page.
pub async fn pages_obey_every_combination_of_limits(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 120, 2).await?;
    let mut txn = store.read(&space).await?;
    let (dice, head) = (Dice::new(3), usize::try_from(txn.head().head.get())?);
    let any_seq = || Seq::new(i64::try_from(dice.below(head + 3)).unwrap_or(0));
    for _ in 0..200 {
        let n_names = dice.below(4);
        let names = (0..n_names).map(|_| key(&any_collection(&dice), "1").collection).collect();
        let query = FeedQuery {
            after: any_seq()?,
            up_to: any_seq()?,
            collections: (n_names > 0).then_some(names),
            rows_max: 1 + dice.below(40),
            bytes_max: dice.below(400),
        };
        same_pages(&mut *txn, &model, query).await?;
    }
    Ok(())
}

/// A record that changed many times appears once, in its latest state, at the place of that.
pub async fn a_record_appears_once_in_its_latest_state(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "0"), put("notes", "2", "0"), put("notes", "3", "0")]).await?;
    for n in 1..=5 {
        commit(&*store, &space, [put("notes", "1", &n.to_string()), put("notes", "3", &n.to_string())])
            .await?;
    }
    let mut txn = store.read(&space).await?;
    let found = everything_after(&mut *txn, Seq::ZERO).await?;
    let states: Vec<_> = found.iter().map(|record| (record.key.id.as_str(), record.meta.version)).collect();
    assert_eq!(states, [("2", seq(2)), ("1", seq(12)), ("3", seq(13))]);
    assert!(found.iter().skip(1).all(|record| record.meta.revision == 6));
    Ok(())
}

/// Tombstones are in the feed, at the place of the deletion.
pub async fn tombstones_are_in_the_feed(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), put("notes", "2", "2")]).await?;
    commit(&*store, &space, [delete("notes", "1")]).await?;
    let found = everything_after(&mut *store.read(&space).await?, Seq::ZERO).await?;
    let states: Vec<_> = found.iter().map(|record| (record.key.id.as_str(), record.is_deleted())).collect();
    assert_eq!(states, [("2", false), ("1", true)]);
    Ok(())
}

/// The feed starts after `after` and ends with `up_to`; a record whose latest state lies beyond is not in it.
pub async fn the_feed_ends_with_up_to(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, ["1", "2", "3", "4", "5"].map(|id| put("notes", id, "1"))).await?;
    commit(&*store, &space, [put("notes", "3", "2")]).await?;
    let mut txn = store.read(&space).await?;
    assert_eq!(ids(&mut *txn, 1, 4).await?, ["2", "4"]);
    assert_eq!(ids(&mut *txn, 0, 1).await?, ["1"]);
    assert_eq!(ids(&mut *txn, 4, 6).await?, ["5", "3"]);
    assert_eq!(ids(&mut *txn, 2, 3).await?, [""; 0]);
    Ok(())
}

/// Where `after` and `up_to` meet or cross there is nothing, and no more; so it is at both ends of the range of seqs.
pub async fn a_range_that_is_empty_yields_nothing(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), put("notes", "2", "2")]).await?;
    let mut txn = store.read(&space).await?;
    for (after, up_to) in [(1, 1), (2, 1), (2, Seq::MAX.get()), (Seq::MAX.get(), Seq::MAX.get()), (0, 0)] {
        let page = txn.feed(&FeedQuery { after: seq(after), up_to: seq(up_to), ..whole_feed() }).await?;
        assert_eq!((page.records, page.more), (vec![], false), "after {after} up to {up_to}");
    }
    Ok(())
}

/// Only the collections that were named; all when none was named, those of the library included; for an empty list of
/// names nothing; and a name given twice changes nothing.
pub async fn the_feed_yields_only_the_named_collections(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 60, 4).await?;
    let mut txn = store.read(&space).await?;
    let named = |names: &[&str]| -> Option<Vec<Collection>> {
        Some(names.iter().map(|name| key(name, "1").collection).collect())
    };
    let many: Vec<String> = (0..300).map(|n| format!("c{n}")).chain(["ab".into()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for names in [&["notes"][..], &["Notes"], &["$conflicts", "a"], &["a", "a"], &["missing"], &[], &many] {
        let query = FeedQuery { collections: named(names), ..whole_feed() };
        let page = txn.feed(&query).await?;
        assert_eq!(page, model.feed(&query), "of {names:?}");
        assert!(page.records.iter().all(|record| names.contains(&record.key.collection.as_str())));
    }
    let all = txn.feed(&whole_feed()).await?;
    assert!(all.records.iter().any(|record| record.key.collection.is_system()));
    assert_eq!(all, model.feed(&whole_feed()));
    Ok(())
}

/// A page ends before the record with which its contents would exceed `bytes_max`, but yields at least one.
pub async fn a_page_ends_before_it_exceeds_its_bytes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes =
        [("1", "1234567890"), ("2", "12345"), ("3", "12345"), ("4", "1")].map(|(id, n)| put("a", id, n));
    let written = commit(&*store, &space, changes.into_iter().chain([delete("a", "5")])).await?;
    let mut txn = store.read(&space).await?;
    for (bytes_max, n) in [(0, 1), (9, 1), (10, 1), (14, 1), (15, 2), (20, 3), (21, 5), (usize::MAX, 5)] {
        let page = txn.feed(&FeedQuery { bytes_max, ..whole_feed() }).await?;
        assert_eq!((page.records.len(), page.more), (n, n < 5), "of at most {bytes_max} bytes");
        assert_eq!(page.records, written.records[..n]);
    }
    Ok(())
}

/// A page of no rows is empty and still says whether there is anything.
pub async fn a_page_of_no_rows_says_whether_there_are_any(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    let mut txn = store.read(&space).await?;
    let page = txn.feed(&FeedQuery { rows_max: 0, ..whole_feed() }).await?;
    assert_eq!((page.records, page.more), (vec![], true));
    let page = txn.feed(&FeedQuery { rows_max: 0, after: seq(1), ..whole_feed() }).await?;
    assert_eq!((page.records, page.more), (vec![], false));
    Ok(())
}

async fn same_pages(txn: &mut dyn StoreTxn, model: &Model, mut query: FeedQuery) -> Result<()> {
    loop {
        let page = txn.feed(&query).await?;
        assert_eq!(page, model.feed(&query), "for {query:?}");
        match page.records.last() {
            Some(last) if page.more => query.after = last.meta.version,
            _ => return Ok(()),
        }
    }
}

async fn ids(txn: &mut dyn StoreTxn, after: i64, up_to: i64) -> Result<Vec<String>> {
    let page = txn.feed(&FeedQuery { after: seq(after), up_to: seq(up_to), ..whole_feed() }).await?;
    let id = |record: Record| record.key.id.as_str().to_owned();
    Ok(page.records.into_iter().map(id).collect())
}
