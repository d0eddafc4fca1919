//! The state by its definition, slowly.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::json::Json;
use sync_core::tree::{Place, Report, TreeState};
use sync_core::{OpId, PropertyKey, TreeAction, TreeOp, VertexId};

/// All that can be seen of a tree.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) places: BTreeMap<VertexId, Place>,
    pub(crate) properties: BTreeMap<VertexId, BTreeMap<PropertyKey, Json>>,
    pub(crate) waiting: Vec<OpId>,
    pub(crate) ignored: Vec<OpId>,
    pub(crate) received: BTreeSet<OpId>,
}

/// Evaluates ops, of which the first with each id counts.
pub(crate) fn evaluate(received: &[TreeOp]) -> Seen {
    let mut ops: BTreeMap<OpId, &TreeOp> = BTreeMap::new();
    for op in received {
        ops.entry(op.id.clone()).or_insert(op);
    }
    let exists = existing(&ops);
    let mut seen = Seen { received: ops.keys().cloned().collect(), ..Seen::default() };
    for (id, op) in ops {
        match &op.action {
            TreeAction::Move { parent } if parent.as_ref().is_none_or(|parent| exists.contains(parent)) => {
                if closes_circle(&seen.places, &op.target, parent.as_ref()) {
                    seen.ignored.push(id);
                } else {
                    let place = parent.clone().map_or(Place::Top, Place::Under);
                    seen.places.insert(op.target.clone(), place);
                }
            }
            TreeAction::Set { key, value } if exists.contains(&op.target) => {
                let properties = seen.properties.entry(op.target.clone()).or_default();
                match value {
                    Some(value) => drop(properties.insert(key.clone(), value.clone())),
                    None => drop(properties.remove(key)),
                }
            }
            _ => seen.waiting.push(id),
        }
    }
    seen.properties.retain(|_, properties| !properties.is_empty());
    seen
}

/// Holds what a report says has moved against how it was before, and is now.
pub(crate) fn check_moves(report: &Report, before: &Seen, now: &Seen) {
    let vertices: BTreeSet<&VertexId> = before.places.keys().chain(now.places.keys()).collect();
    let differs = vertices.into_iter().filter(|vertex| before.places.get(*vertex) != now.places.get(*vertex));
    let moved: BTreeMap<_, _> = report.moves().iter().map(|moved| (&moved.vertex, moved)).collect();
    assert_eq!(moved.len(), report.moves().len(), "a vertex is reported twice");
    assert_eq!(moved.keys().copied().collect::<Vec<_>>(), differs.collect::<Vec<_>>());
    for (vertex, moved) in moved {
        assert_eq!(
            (&moved.before, &moved.after),
            (&before.places.get(vertex).cloned(), &now.places.get(vertex).cloned())
        );
    }
}

fn existing(ops: &BTreeMap<OpId, &TreeOp>) -> BTreeSet<VertexId> {
    let mut exists = BTreeSet::new();
    loop {
        let n_before = exists.len();
        for op in ops.values() {
            if let TreeAction::Move { parent } = &op.action
                && parent.as_ref().is_none_or(|parent| exists.contains(parent))
            {
                exists.insert(op.target.clone());
            }
        }
        if exists.len() == n_before {
            return exists;
        }
    }
}

fn closes_circle(places: &BTreeMap<VertexId, Place>, target: &VertexId, parent: Option<&VertexId>) -> bool {
    let mut at = parent;
    while let Some(vertex) = at {
        if vertex == target {
            return true;
        }
        at = match places.get(vertex) {
            Some(Place::Under(parent)) => Some(parent),
            Some(Place::Top) | None => None,
        };
    }
    false
}

/// The same of a tree, with everything it says in more than one way compared.
pub(crate) fn look(tree: &TreeState, ops: &[TreeOp]) -> Seen {
    let places: BTreeMap<_, _> = tree.vertices().map(|(vertex, place)| (vertex.clone(), place)).collect();
    let targets: BTreeSet<&VertexId> = ops.iter().map(|op| &op.target).collect();
    let mut seen = Seen { waiting: tree.waiting(), ignored: tree.ignored_moves(), ..Seen::default() };
    for vertex in targets {
        assert_eq!(tree.place(vertex).as_ref(), places.get(vertex));
        let owned = |(key, value): (&PropertyKey, &Json)| (key.clone(), value.clone());
        let properties: BTreeMap<_, _> = tree.properties(vertex).into_iter().map(owned).collect();
        assert!(properties.iter().all(|(key, value)| tree.property(vertex, key) == Some(value)));
        if !properties.is_empty() {
            seen.properties.insert(vertex.clone(), properties);
        }
        for child in tree.children(vertex) {
            assert_eq!(places.get(&child), Some(&Place::Under(vertex.clone())));
        }
    }
    let n_children: usize = places.keys().map(|vertex| tree.children(vertex).len()).sum();
    let ghosts =
        places.values().filter(|place| matches!(place, Place::Under(parent) if !places.contains_key(parent)));
    assert_eq!(n_children + tree.tops().len() + ghosts.count(), places.len());
    let ids: BTreeSet<OpId> = ops.iter().map(|op| op.id.clone()).collect();
    seen.received = ids.into_iter().filter(|id| tree.state_vector().contains(id)).collect();
    assert_eq!(tree.n_ops(), seen.received.len() as u64);
    assert_eq!(tree.state_vector().len(), seen.received.len() as u64);
    seen.places = places;
    seen
}
