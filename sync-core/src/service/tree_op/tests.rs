//! Every kind of op against every state of what is known, as a table.

use super::*;
use crate::types::{RecordMeta, Seq};

const LATEST: u64 = 100;

fn key(id: &str) -> RecordKey {
    RecordKey::new(Collection::of_tree(&TreeId::new("t").unwrap()), RecordId::new(id).unwrap())
}

fn put(id: &str, content: &str) -> Mutation {
    Mutation::put(key(id), Json::from_canonical(content))
}

fn record(content: &str) -> Record {
    let meta = RecordMeta::first(Seq::new(1).unwrap(), ActorId::new("ada").unwrap());
    Record { key: key(ID), data: Some(Json::from_canonical(content)), meta }
}

const ID: &str = "0000000000000007@a1";
const MOVE: &str = r#"{"parent":null,"target":"v"}"#;
const OTHER: &str = r#"{"parent":"p","target":"v"}"#;

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Write { .. } => "write",
        Decision::Unchanged => "unchanged",
        Decision::Reject { code, .. } => code,
        decision => panic!("not for an op: {decision:?}"),
    }
}

#[test]
fn an_op_is_written_once_and_never_changes() {
    let facts = |is_foreign| OpFacts { latest: LATEST, is_foreign, bytes_max: 1000 };
    for (what, mutation, known, is_foreign, expected) in [
        ("new", put(ID, MOVE), None, false, "write"),
        ("again", put(ID, MOVE), Some(record(MOVE)), false, "unchanged"),
        ("sent on by another", put(ID, MOVE), Some(record(MOVE)), true, "unchanged"),
        ("another content", put(ID, OTHER), Some(record(MOVE)), false, code::OP_CONFLICT),
        ("another content of another", put(ID, OTHER), Some(record(MOVE)), true, code::OP_CONFLICT),
        ("under the name of another", put(ID, MOVE), None, true, code::FORBIDDEN_CLIENT),
        ("deleted", Mutation::delete(key(ID)), Some(record(MOVE)), false, code::VALIDATION_FAILED),
        ("no op", put(ID, r#"{"target":"v"}"#), None, false, code::VALIDATION_FAILED),
        ("no id", put("x", MOVE), None, false, code::VALIDATION_FAILED),
    ] {
        assert_eq!(word(decide(&mutation, known.as_ref(), &facts(is_foreign))), expected, "{what}");
    }
}

#[test]
fn a_clock_is_believed_up_to_the_window() {
    let facts = OpFacts { latest: LATEST, is_foreign: false, bytes_max: 1000 };
    for (clock, expected) in [
        ("0000000000000000", code::VERSION_OUT_OF_RANGE),
        ("0000000000000001", "write"),
        ("0000000000000100", "write"),
        ("0000000000000101", code::CLOCK_DRIFT),
        ("9007199254740990", code::CLOCK_DRIFT),
        ("9007199254740991", code::VERSION_OUT_OF_RANGE),
        ("9007199254740992", code::VERSION_OUT_OF_RANGE),
    ] {
        let decision = decide(&put(&format!("{clock}@a1"), MOVE), None, &facts);
        assert_eq!(word(decision), expected, "{clock}");
    }
}

#[test]
fn an_op_is_as_large_as_the_limit() {
    for (bytes_max, expected) in [(MOVE.len(), "write"), (MOVE.len() - 1, code::VALIDATION_FAILED)] {
        let facts = OpFacts { latest: LATEST, is_foreign: false, bytes_max };
        assert_eq!(word(decide(&put(ID, MOVE), None, &facts)), expected);
    }
}
