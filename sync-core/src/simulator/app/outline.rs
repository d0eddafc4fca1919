//! Edits of a tree: branches are made, moved below each other, deleted and brought back where others do the same.

use std::collections::BTreeSet;

use super::App;
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::replica::TreeEdit;
use crate::simulator::scenario::OUTLINE;
use crate::tree::{Place, TreeError, TreeState};
use crate::types::{PropertyKey, VertexId};

/// Vertices below the first one. Few, so that devices meet.
const N_VERTICES: usize = 7;
/// Properties of a vertex. Few, so that devices meet.
const N_KEYS: usize = 2;

/// What an edit does to its vertex, besides writing a property.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Move,
    MoveAndUndo,
    Delete,
    Nothing,
}

impl App {
    /// One edit of the tree of a space. It always writes a token: an op is never replaced, so each is owed for ever.
    pub(super) async fn edit_outline(&self) -> Result<()> {
        let change = match self.dice.below(8) {
            0..=3 => Change::Move,
            4 => Change::MoveAndUndo,
            5 => Change::Delete,
            _ => Change::Nothing,
        };
        let [vertex, other] = [1, 0].map(|least| named("v", least + self.dice.below(N_VERTICES)));
        let (vertex, other) = (self.known(vertex)?, self.known(other)?);
        let key = PropertyKey::new(named("k", self.dice.below(N_KEYS))).map_err(cannot_be)?;
        let token = self.token();
        let value = Json::from_canonical(format!("\"{token}\""));
        let outline = self.replica().tree(OUTLINE)?;
        let edited = outline
            .edit(|edit| {
                make(edit, &vertex, &other)?;
                edit.set(&vertex, key, value)?;
                alter(edit, &vertex, &other, change)
            })
            .await;
        match edited {
            Ok(()) => self.facts.tokens.are_written(std::slice::from_ref(&token)),
            // It took a new name in that moment; whoever edits there does it again.
            Err(error) if error.kind() == ErrorKind::Contended => return Ok(()),
            Err(error) => return Err(error),
        }
        self.journal.note(&self.device, format_args!("{vertex} of the outline, {change:?} {other}: {token}"));
        Ok(())
    }

    fn known(&self, name: String) -> Result<VertexId> {
        VertexId::new(name).map_err(cannot_be)
    }
}

fn named(kind: &str, number: usize) -> String {
    format!("{kind}{number}")
}

fn cannot_be(error: crate::types::NameError) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}

/// Makes a vertex under another, or under the first one, where it is not there yet.
fn make(edit: &mut TreeEdit<'_>, vertex: &VertexId, other: &VertexId) -> Result<(), TreeError> {
    let first = VertexId::new("v0").expect("a letter and a digit are an id");
    if !edit.tree().state().contains(&first) {
        edit.create(first.clone(), None, None)?;
    }
    if !edit.tree().state().contains(vertex) {
        let parent = if edit.tree().state().contains(other) { other } else { &first };
        edit.create(vertex.clone(), Some(parent), None)?;
    }
    Ok(())
}

/// Changes where a vertex is, unless that cannot be.
fn alter(
    edit: &mut TreeEdit<'_>,
    vertex: &VertexId,
    other: &VertexId,
    change: Change,
) -> Result<(), TreeError> {
    let done = match change {
        Change::Nothing => return Ok(()),
        Change::Delete => edit.delete(vertex),
        Change::Move | Change::MoveAndUndo => edit.move_to(vertex, other),
    };
    let undone = match (done, change) {
        (Ok(undo), Change::MoveAndUndo) => edit.undo(&undo).map(drop),
        (done, _) => done.map(drop),
    };
    match undone {
        Err(TreeError::BelowItself { .. } | TreeError::AtTheTop(_) | TreeError::UnknownVertex(_)) => Ok(()),
        undone => undone,
    }
}

/// Why this is no tree, if it is none.
pub(crate) fn fault_of(tree: &TreeState) -> Option<String> {
    let n_vertices = tree.vertices().count();
    let places: BTreeSet<Place> = tree.vertices().map(|(_, place)| place).collect();
    let mut n_children = 0;
    for place in places {
        // Of ops that were refused or lost others may be left that name a vertex which has no place itself.
        let children = match &place {
            Place::Top => tree.tops(),
            Place::Under(parent) => tree.children(parent),
        };
        if let Some(child) = children.iter().find(|child| tree.place(child).as_ref() != Some(&place)) {
            return Some(format!("{child} is shown at {place:?} and is at {:?}", tree.place(child)));
        }
        n_children += children.len();
    }
    for (vertex, place) in tree.vertices() {
        let (mut at, mut n_steps) = (Some(place), 0);
        while let Some(Place::Under(parent)) = at {
            n_steps += 1;
            if n_steps > n_vertices {
                return Some(format!("{vertex} is below itself"));
            }
            at = tree.place(&parent);
        }
    }
    (n_children != n_vertices).then(|| format!("{n_vertices} vertices are children {n_children} times"))
}
