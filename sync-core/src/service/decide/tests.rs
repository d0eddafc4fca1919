//! Every operation against every state of a record, as tables.

use serde_json::json;

use super::*;
use crate::merge::{DeletePolicy, Side, diff};
use crate::types::{ActorId, ClientId, Collection, RecordId, RecordKey, RecordMeta};

/// Versions in the life of the record: it was created at OLD and is now as it was left at NOW. Up to FLOOR, tombstones
/// may be gone.
const OLD: i64 = 20;
const NOW: i64 = 30;
const FLOOR: i64 = 10;
const FUTURE: i64 = 40;

fn seq(n: i64) -> Seq {
    Seq::new(n).unwrap()
}

fn key() -> RecordKey {
    RecordKey::new(Collection::new("notes").unwrap(), RecordId::new("r").unwrap())
}

fn json(value: serde_json::Value) -> Json {
    Json::from_value(&value).unwrap()
}

fn record(data: Option<Json>) -> Record {
    let meta = RecordMeta {
        revision: 2,
        edited_at: Timestamp::from_micros(NOW).unwrap(),
        client: Some(ClientId::new("replica-b").unwrap()),
        ..RecordMeta::first(seq(NOW), ActorId::new("bob").unwrap())
    };
    Record { key: key(), data, meta }
}

/// What is stored, in the order of the columns.
fn states() -> [Option<Record>; 3] {
    [None, Some(record(Some(json(json!({"a": 2, "b": 2}))))), Some(record(None))]
}

/// What is asked: `a` becomes 3 where it was 1 (so it clashes), or `c` becomes 3 where there was none (so it does not).
fn operations() -> [(&'static str, Op); 5] {
    let patch = |member: &str, was: Option<i64>| {
        let base = was.map_or(json!({}), |was| json!({ member: was }));
        Op::Patch(diff(Some(&base), &json!({ member: 3 })))
    };
    [
        ("put", Op::Put(json(json!({"a": 3, "b": 2})))),
        ("same", Op::Put(json(json!({"a": 2, "b": 2})))),
        ("clash", patch("a", Some(1))),
        ("apart", patch("c", None)),
        ("delete", Op::Delete),
    ]
}

const BASES: [(&str, Option<i64>); 6] = [
    ("blind", None),
    ("zero", Some(0)),
    ("floor", Some(FLOOR)),
    ("old", Some(OLD)),
    ("now", Some(NOW)),
    ("future", Some(FUTURE)),
];

fn asked(op: &Op, base: Option<i64>) -> Mutation {
    Mutation { base_version: base.map(seq), ..Mutation::new(key(), op.clone()) }
}

fn with<T>(policy: &CollectionPolicy, at: i64, work: impl FnOnce(&Facts<'_>) -> T) -> T {
    let stamp = Stamp { at, by: "replica-a".to_owned() };
    work(&Facts {
        policy,
        stamp,
        floor: seq(FLOOR),
        latest: Timestamp::from_micros(1_000).unwrap(),
        op: None,
    })
}

/// A decision in one word: `+` if others' work is in what is written, `!` for each side that lost.
fn word(decision: &Decision) -> String {
    let losers = |lost: &[Loss]| {
        let name = |loss: &Loss| if loss.side == Side::Mine { "!mine" } else { "!theirs" };
        lost.iter().map(name).collect::<String>()
    };
    match decision {
        Decision::Unchanged => "unchanged".into(),
        Decision::Write { data, merged, lost } => {
            let what = if data.is_some() { "write" } else { "delete" };
            format!("{what}{}{}", if *merged { "+" } else { "" }, losers(lost))
        }
        Decision::Keep { lost } => format!("keep{}", losers(lost)),
        Decision::Conflict { .. } => "conflict".into(),
        Decision::Reject { code: "version_out_of_range", .. } => "range".into(),
        Decision::Reject { code: "precondition_required", .. } => "precondition".into(),
        Decision::Reject { code: "content_needed", .. } => "content".into(),
        Decision::Reject { code, .. } => (*code).into(),
    }
}

type Column = (&'static str, CollectionPolicy, i64, Option<Record>);

/// One row for each operation and base, one column for each state under a policy, for an edit made at a time.
fn table(title: &str, columns: &[Column]) -> String {
    let line = |name: &str, base: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:<15}")).collect();
        format!("{name:<7}{base:<7}{cells}").trim_end().to_owned() + "\n"
    };
    let mut out = line("", title, vec![]) + &line("", "", columns.iter().map(|it| it.0.to_owned()).collect());
    for (name, op) in operations() {
        for (base_name, base) in BASES {
            let mutation = asked(&op, base);
            let decided = |(_, policy, at, current): &Column| {
                word(&with(policy, *at, |facts| decide(&mutation, current.as_ref(), facts)))
            };
            out += &line(name, base_name, columns.iter().map(decided).collect());
        }
    }
    out
}

#[test]
fn every_case_is_decided_as_the_table_says() {
    let [absent, live, tombstone] = states();
    let policy = CollectionPolicy::default;
    let (earlier, later) = (NOW - 1, NOW + 1);
    let by_state = [("absent", absent), ("live", live.clone()), ("tombstone", tombstone.clone())]
        .map(|(name, state)| (name, policy(), later, state));
    let update = |(name, update, at): (&'static str, UpdatePolicy, i64)| {
        (name, policy().with_update(update), at, live.clone())
    };
    let whole = [
        ("manual", UpdatePolicy::Whole(Clash::Manual), later),
        ("server_wins", UpdatePolicy::Whole(Clash::ServerWins), later),
        ("client_wins", UpdatePolicy::Whole(Clash::ClientWins), later),
        ("last, later", UpdatePolicy::Whole(Clash::LastWriteWins), later),
        ("last, earlier", UpdatePolicy::Whole(Clash::LastWriteWins), earlier),
    ];
    let fields = [
        ("manual", UpdatePolicy::Fields(Clash::Manual), later),
        ("server_wins", UpdatePolicy::Fields(Clash::ServerWins), later),
        ("client_wins", UpdatePolicy::Fields(Clash::ClientWins), later),
        ("last, later", UpdatePolicy::Fields(Clash::LastWriteWins), later),
        ("last, earlier", UpdatePolicy::Fields(Clash::LastWriteWins), earlier),
    ];
    let delete = [
        ("update, live", DeletePolicy::UpdateWins, &live),
        ("update, gone", DeletePolicy::UpdateWins, &tombstone),
        ("delete, live", DeletePolicy::DeleteWins, &live),
        ("delete, gone", DeletePolicy::DeleteWins, &tombstone),
        ("manual, live", DeletePolicy::Manual, &live),
        ("manual, gone", DeletePolicy::Manual, &tombstone),
    ]
    .map(|(name, delete, state)| (name, policy().with_delete(delete), later, state.clone()));
    let tables = [
        table("default policy, by state", &by_state),
        table("whole records, live", &whole.map(update)),
        table("field by field, live", &fields.map(update)),
        table("deletes against updates", &delete),
    ];
    let found = tables.join("\n");
    for (found, expected) in found.lines().zip(include_str!("table.txt").lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, include_str!("table.txt"));
}

#[test]
fn a_date_too_far_ahead_is_refused_whatever_is_asked() {
    for (_, op) in operations() {
        for current in states() {
            let at = |at: i64| Mutation { at: Timestamp::from_micros(at), ..asked(&op, Some(NOW)) };
            let decided = |mutation: &Mutation| {
                with(&CollectionPolicy::default(), NOW, |facts| {
                    word(&decide(mutation, current.as_ref(), facts))
                })
            };
            assert_eq!(decided(&at(1_001)), "clock_drift");
            assert_ne!(decided(&at(1_000)), "clock_drift");
        }
    }
}

#[test]
fn conflicts_are_deleted_and_nothing_else() {
    let key = RecordKey::new(Collection::system(Collection::CONFLICTS), RecordId::new("x").unwrap());
    for (name, op) in operations() {
        for (_, base) in BASES {
            for current in states() {
                let mutation = Mutation { key: key.clone(), ..asked(&op, base) };
                let decision = with(&CollectionPolicy::default(), NOW, |facts| {
                    decide(&mutation, current.as_ref(), facts)
                });
                let expected = match (name, current.is_some_and(|record| !record.is_deleted())) {
                    ("delete", true) => "delete",
                    ("delete", false) => "unchanged",
                    _ => "validation_failed",
                };
                assert_eq!(word(&decision), expected);
            }
        }
    }
}

#[test]
fn of_equal_dates_the_greater_name_wins() {
    let policy = CollectionPolicy::default().with_update(UpdatePolicy::Whole(Clash::LastWriteWins));
    let [_, live, _] = states();
    let mutation = asked(&Op::Put(json(json!(1))), Some(OLD));
    for (by, expected) in [("replica-a", "keep!mine"), ("replica-c", "write+!theirs")] {
        let stamp = Stamp { at: NOW, by: by.to_owned() };
        let facts = Facts { policy: &policy, stamp, floor: Seq::ZERO, latest: Timestamp::MAX, op: None };
        assert_eq!(word(&decide(&mutation, live.as_ref(), &facts)), expected);
    }
}
