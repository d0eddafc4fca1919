//! Queries against a plain reading of everything.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::*;
use crate::error::ErrorKind;
use crate::json::Json;
use crate::replica::{Cmp, Query, Replica, compare};
use crate::types::{Collection, Record, RecordId, RecordKey};

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.key.id.as_str()).collect()
}

async fn filled(n: usize) -> Replica {
    let one = World::new().await.fresh().await;
    let notes = Collection::new("notes").unwrap();
    let records = (0..n).map(|n| {
        let data = match n % 7 {
            0 => json!({"n": n % 5}),
            1 => json!({"n": (n % 5) as f64 + 0.5, "text": format!("t{}", n % 3)}),
            2 => json!({"n": "text"}),
            3 => json!({"n": null}),
            4 => json!({"text": "t1"}),
            5 => json!([n]),
            _ => json!({"n": n % 5, "deep": {"n": n % 2 == 0}}),
        };
        let key = RecordKey::new(notes.clone(), RecordId::new(format!("{n:05}")).unwrap());
        (key, Json::from_value(&data).unwrap())
    });
    one.import(records).await.unwrap();
    one.put("other", "00001", &1).await.unwrap();
    one
}

#[tokio::test]
async fn pages_in_the_order_of_ids_follow_each_other_both_ways() {
    let one = filled(2500).await;
    let all = one.list("notes", &Query::all()).await.unwrap();
    assert_eq!(all.len(), 2500);
    for backwards in [false, true] {
        let mut expected = ids(&all);
        let (mut seen, mut last): (Vec<Record>, Option<String>) = (Vec::new(), None);
        loop {
            let mut query = Query::all().limit(999);
            if backwards {
                query = query.descending();
            }
            if let Some(last) = last.take() {
                query = query.after(last);
            }
            let page = one.list("notes", &query).await.unwrap();
            let Some(end) = page.last() else { break };
            last = Some(end.key.id.as_str().to_owned());
            seen.extend(page);
        }
        if backwards {
            expected.reverse();
        }
        assert_eq!(ids(&seen), expected);
    }
    assert_eq!(ids(&one.list("notes", &Query::all().after("00003x").limit(1)).await.unwrap()), ["00004"]);
    assert!(one.list("notes", &Query::all().limit(0)).await.unwrap().is_empty());
    assert!(one.list("nothing", &Query::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn deleted_records_are_not_listed() {
    let one = filled(10).await;
    one.delete("notes", "00003").await.unwrap();
    assert_eq!(one.list("notes", &Query::all()).await.unwrap().len(), 9);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let one = filled(1).await;
    for query in [
        Query::all().order_by("/n").after("00001"),
        Query::all().where_eq("n", 1),
        Query::all().order_by("n"),
        Query::all().after("\0"),
    ] {
        let error = one.list("notes", &query).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{query:?}");
    }
    assert_eq!(one.list("$base", &Query::all()).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error_and_never_cut() {
    let one = World::new().await.fresh().await;
    let large = "x".repeat(1_000_000);
    for n in 0..68 {
        one.put("notes", &format!("{n:02}"), &json!({"n": -n, "x": large})).await.unwrap();
    }
    for query in [Query::all(), Query::all().limit(68), Query::all().order_by("/n")] {
        let error = one.list("notes", &query).await.unwrap_err();
        assert_eq!((error.kind(), error.limit()), (ErrorKind::Invalid, Some(64 << 20)));
    }
    assert_eq!(one.list("notes", &Query::all().limit(64)).await.unwrap().len(), 64);
    let smallest = one.list("notes", &Query::all().order_by("/n").limit(2)).await.unwrap();
    assert_eq!(ids(&smallest), ["67", "66"]);
}

fn query() -> impl Strategy<Value = (Query, Option<&'static str>, bool, Option<usize>)> {
    let place = prop::sample::select(vec!["/n", "/text", "/deep/n", ""]);
    let value = prop::sample::select(vec![json!(2), json!(2.5), json!("t1"), json!(null), json!(true)]);
    let cmp = prop::sample::select(vec![
        Cmp::Equal,
        Cmp::NotEqual,
        Cmp::Less,
        Cmp::AtMost,
        Cmp::Greater,
        Cmp::AtLeast,
    ]);
    let filter = (place.clone(), cmp, value);
    let limit = prop::option::of(prop::sample::select(vec![1usize, 2, 7, 40, 1500]));
    (prop::collection::vec(filter, 0..2), prop::option::of(place), any::<bool>(), limit).prop_map(
        |(filters, order, is_descending, limit)| {
            let mut query = filters
                .into_iter()
                .fold(Query::all(), |query, (place, cmp, value)| query.where_cmp(place, cmp, value));
            if let Some(order) = order {
                query = query.order_by(order);
            }
            if is_descending {
                query = query.descending();
            }
            if let Some(limit) = limit {
                query = query.limit(limit);
            }
            (query, order, is_descending, limit)
        },
    )
}

#[test]
fn a_query_finds_what_sorting_everything_finds() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let one = runtime.block_on(filled(1300));
    let all = runtime.block_on(one.list("notes", &Query::all())).unwrap();
    let config = ProptestConfig { cases: 60, ..ProptestConfig::default() };
    proptest!(config, |((query, order, is_descending, limit) in query())| {
        let mut expected: Vec<(Option<Value>, &Record)> = all
            .iter()
            .filter(|record| query.matches(record.data.as_ref().unwrap()))
            .map(|record| {
                let value = record.data.as_ref().unwrap().to_value();
                (order.and_then(|order| value.pointer(order).cloned()), record)
            })
            .collect();
        expected.sort_by(|a, b| {
            compare(a.0.as_ref(), b.0.as_ref()).then_with(|| a.1.key.id.cmp(&b.1.key.id))
        });
        if is_descending {
            expected.reverse();
        }
        expected.truncate(limit.unwrap_or(usize::MAX));
        let expected: Vec<&str> = expected.iter().map(|(_, record)| record.key.id.as_str()).collect();
        let found = runtime.block_on(one.list("notes", &query)).unwrap();
        prop_assert_eq!(ids(&found), expected);
    });
}
