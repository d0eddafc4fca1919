//! Random names and random JSON: everything a database, a driver or a careless comparison is tempted to change.

use crate::conformance::fidelity::TEXTS;
use crate::conformance::model::{COLLECTIONS, IDS, any_op};
use crate::conformance::{Dice, client_id, key};
use crate::json::{Json, Limits};
use crate::types::{ClientId, Collection, RecordKey};

/// Numbers and texts in forms that are not canonical, and the ends of what a number can be.
const MORE_TEXTS: [&str; 16] = [
    "-0.0",
    "1.7976931348623157e308",
    "-1.7976931348623157E+308",
    "2.2250738585072014e-308",
    "9223372036854775807",
    "-9007199254740993",
    "4611686018427387905",
    "0.30000000000000004",
    "1e21",
    "1.0e-7",
    "100.0",
    r#""\u0041\u000a\u00e9""#,
    r#""a\u001eb\u001fc\u0001""#,
    r#""\ud83d\ude00 \/""#,
    r#"[ ]"#,
    r#"{ "b" : 1 , "a" : { } }"#,
];

/// Names of members, as they stand between quotes.
const NAMES: [&str; 14] = [
    "",
    "a",
    "A",
    "aa",
    "a b",
    "ä",
    r"a\u0308",
    "\u{e000}",
    "\u{fffd}",
    "\u{10000}",
    r"\n",
    r"\u001f",
    r#"\"\\"#,
    "__proto__",
];

/// How deep a random tree goes.
const TREE_DEPTH: usize = 3;
/// One content in so many is as large as a record may be: few, because each is read many times.
const ONE_HUGE_IN: usize = 400;
/// One content in so many is nested as deeply as a record may be.
const ONE_DEEP_IN: usize = 150;

/// The content of a record.
pub(super) fn content(dice: &Dice) -> Json {
    let limits = Limits::RECORD;
    let text = if dice.one_in(ONE_HUGE_IN) {
        format!(
            "\"{}\"",
            dice.word(&["x", "é"]).repeat(limits.bytes_max).get(..limits.bytes_max - 2).unwrap_or("")
        )
    } else if dice.one_in(ONE_DEEP_IN) {
        format!("{}{}", "[".repeat(limits.depth_max), "]".repeat(limits.depth_max))
    } else {
        return tree(dice);
    };
    Json::parse(text.as_bytes(), &limits).expect("what is written here is JSON within the limits")
}

/// The same, of ordinary size.
pub(super) fn tree(dice: &Dice) -> Json {
    let mut text = String::new();
    write_tree(dice, TREE_DEPTH, &mut text);
    Json::parse(text.as_bytes(), &Limits::RECORD).expect("what is written here is JSON within the limits")
}

fn write_tree(dice: &Dice, depth: usize, out: &mut String) {
    match dice.below(if depth == 0 { 4 } else { 8 }) {
        0..3 => out.push_str(dice.word(&TEXTS)),
        3 => out.push_str(dice.word(&MORE_TEXTS)),
        4 => {
            out.push('[');
            for idx in 0..dice.below(4) {
                out.push_str(if idx == 0 { "" } else { "," });
                write_tree(dice, depth - 1, out);
            }
            out.push(']');
        }
        _ => write_object(dice, depth - 1, out),
    }
}

/// An object whose members come in any order: they are sorted when it is read.
fn write_object(dice: &Dice, depth: usize, out: &mut String) {
    let mut names: Vec<&str> = Vec::new();
    out.push('{');
    for _ in 0..dice.below(5) {
        let name = dice.word(&NAMES);
        if names.contains(&name) {
            continue;
        }
        out.push_str(if names.is_empty() { "\"" } else { ",\"" });
        names.push(name);
        out.push_str(name);
        out.push_str("\":");
        write_tree(dice, depth, out);
    }
    out.push('}');
}

/// The key of a record, which may or may not be there, and may be an op of a tree or just look like one.
pub(super) fn any_key(dice: &Dice) -> RecordKey {
    if dice.one_in(6) {
        return any_op(dice).key;
    }
    if dice.one_in(30) {
        return key("$tree:t", dice.word(&IDS));
    }
    key(dice.word(&COLLECTIONS), dice.word(&IDS))
}

/// Names of collections for a filter: sometimes none at all, sometimes one twice.
pub(super) fn any_collections(dice: &Dice) -> Option<Vec<Collection>> {
    let names = (0..dice.below(4)).map(|_| any_key(dice).collection).collect();
    (!dice.one_in(2)).then_some(names)
}

/// The name of a replica; some differ in their case only.
pub(super) fn any_client(dice: &Dice) -> ClientId {
    client_id(dice.word(&["replica-a", "Replica-a", "replica_a", "replica-b", "REPLICA-B", "replica0a"]))
}
