//! Histories whose result another implementation computed: `tests/vectors/reptree`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use sync_core::json::Json;
use sync_core::tree::{Place, StateVector, TreeState};
use sync_core::{OpClock, OpId, PeerId, PropertyKey, TreeOp, VertexId};

use crate::oracle::{evaluate, look};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/reptree")
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

struct History {
    ops: Vec<TreeOp>,
    json: Value,
}

/// All of them, by name.
fn histories() -> Vec<(String, History)> {
    let names =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> =
        names.filter(|name| name.ends_with(".json") && name.starts_with('0')).collect();
    assert_eq!(names.len(), 21);
    let open = |name: String| {
        let json = read(&name);
        let ops = json["ops"].as_array().unwrap().iter().map(op).collect();
        (name, History { ops, json })
    };
    names.into_iter().map(open).collect()
}

fn op(json: &Value) -> TreeOp {
    let text = |member: &str| json[member].as_str().unwrap();
    let clock = OpClock::new(json["clock"].as_u64().unwrap()).unwrap();
    let id = OpId::new(clock, PeerId::new(text("peerId")).unwrap());
    let target = VertexId::new(text("targetId")).unwrap();
    match json.get("parentId") {
        Some(parent) => TreeOp::moving(id, target, parent.as_str().map(|name| VertexId::new(name).unwrap())),
        None => {
            let value = json.get("value").map(|value| Json::from_value(value).unwrap());
            TreeOp::setting(id, target, PropertyKey::new(text("key")).unwrap(), value)
        }
    }
}

fn ids(list: &Value) -> BTreeSet<OpId> {
    list.as_array().unwrap().iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect()
}

impl History {
    fn pick(&self, indices: &Value) -> Vec<TreeOp> {
        let indices = indices.as_array().unwrap().iter().map(|idx| idx.as_u64().unwrap() as usize);
        indices.map(|idx| self.ops[idx].clone()).collect()
    }

    /// Compares a tree with what the other implementation made of all ops.
    fn check(&self, tree: &TreeState, what: &str) {
        let expected = &self.json["expected"];
        let vertices = expected["vertices"].as_object().unwrap();
        assert_eq!(tree.n_vertices(), vertices.len(), "{what}");
        for (name, vertex) in vertices {
            let name = VertexId::new(name).unwrap();
            let parent = vertex["parent"].as_str().map(|parent| VertexId::new(parent).unwrap());
            assert_eq!(tree.place(&name), Some(parent.map_or(Place::Top, Place::Under)), "{what}: {name}");
            let set = tree.properties(&name).into_iter();
            let set: BTreeMap<_, _> = set.map(|(key, value)| (key.as_str(), value.clone())).collect();
            let wanted = vertex["props"].as_object().unwrap().iter();
            let wanted: BTreeMap<_, _> =
                wanted.map(|(key, value)| (key.as_str(), Json::from_value(value).unwrap())).collect();
            assert_eq!(set, wanted, "{what}: {name}");
        }
        let waiting: BTreeSet<OpId> = tree.waiting().into_iter().collect();
        assert_eq!(waiting, ids(&expected["pending"]), "{what}");
        assert_eq!(BTreeSet::from_iter(tree.ignored_moves()), ids(&expected["ignoredMoves"]), "{what}");
        let mut without_waiting = StateVector::new();
        waiting.iter().for_each(|id| assert!(without_waiting.insert(id)));
        let vector = tree.state_vector().missing(&without_waiting);
        assert_eq!(vector, StateVector::parse(&expected["stateVector"].to_string()).unwrap(), "{what}");
    }
}

#[test]
fn every_order_of_every_history_ends_in_the_golden_state() {
    for (name, history) in histories() {
        let mut hashes = Vec::new();
        for (order, indices) in history.json["orders"].as_object().unwrap() {
            let ops = history.pick(indices);
            for n_batch in [1, 7, 64, ops.len()] {
                let mut tree = TreeState::new();
                for batch in ops.chunks(n_batch) {
                    assert!(tree.apply(batch.to_vec()).conflicts().is_empty());
                }
                history.check(&tree, &format!("{name}, {order} by {n_batch}"));
                hashes.push(tree.hash());
            }
        }
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
    }
}

#[test]
fn the_definition_agrees_with_the_golden_states() {
    for (name, history) in histories().into_iter().filter(|(_, history)| history.ops.len() <= 300) {
        let mut tree = TreeState::new();
        tree.apply(history.ops.clone());
        assert_eq!(look(&tree, &history.ops), evaluate(&history.ops), "{name}");
    }
}

#[test]
fn who_was_away_is_sent_what_is_missing_and_nothing_else() {
    for (name, history) in histories() {
        let case = &history.json["catchUp"];
        let mut theirs = TreeState::new();
        theirs.apply(history.pick(&case["have"]));
        assert_eq!(
            theirs.state_vector(),
            StateVector::parse(&case["haveVector"].to_string()).unwrap(),
            "{name}"
        );
        for (vertex, parent) in case["parents"].as_object().unwrap() {
            let parent = parent.as_str().map(|parent| VertexId::new(parent).unwrap());
            let place = theirs.place(&VertexId::new(vertex).unwrap());
            assert_eq!(place, Some(parent.map_or(Place::Top, Place::Under)), "{name}: {vertex}");
        }
        let mut ours = TreeState::new();
        ours.apply(history.ops.clone());
        let waiting: BTreeSet<OpId> = ours.waiting().into_iter().collect();
        let missing = ours.state_vector().missing(&theirs.state_vector());
        let mut sent: Vec<TreeOp> =
            history.ops.iter().filter(|op| missing.contains(&op.id)).cloned().collect();
        sent.sort_by(|a, b| a.id.cmp(&b.id));
        let n_missing = missing.len() as usize;
        assert_eq!(sent.len(), n_missing);
        let listed: Vec<TreeOp> = sent.iter().filter(|op| !waiting.contains(&op.id)).cloned().collect();
        assert_eq!(listed, history.pick(&case["missing"]), "{name}");
        theirs.apply(sent);
        history.check(&theirs, &name);
        assert!(ours.state_vector().missing(&theirs.state_vector()).is_empty());
    }
}

#[test]
fn the_golden_differences_of_vectors_are_ours() {
    let cases = read("state-vectors.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 60);
    for case in cases {
        let [ours, theirs] = ["ours", "theirs"].map(|side| {
            let mut vector = StateVector::new();
            for id in case[side]["received"].as_array().unwrap() {
                let clock = OpClock::new(id[1].as_u64().unwrap()).unwrap();
                vector.insert(&OpId::new(clock, PeerId::new(id[0].as_str().unwrap()).unwrap()));
            }
            assert_eq!(vector, StateVector::parse(&case[side]["vector"].to_string()).unwrap());
            assert_eq!(StateVector::parse(vector.to_json().as_str()).unwrap(), vector);
            vector
        });
        let missing = ours.missing(&theirs);
        let found: Vec<_> =
            missing.ranges().map(|(peer, first, last)| (peer.as_str(), first.get(), last.get())).collect();
        let wanted = case["missing"].as_array().unwrap().iter();
        let number = |json: &Value| json.as_u64().unwrap();
        let wanted: Vec<_> = wanted
            .map(|range| (range["peerId"].as_str().unwrap(), number(&range["start"]), number(&range["end"])))
            .collect();
        assert_eq!(found, wanted);
    }
}
