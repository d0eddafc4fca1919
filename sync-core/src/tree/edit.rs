//! What an edit comes to, and how it is taken back.

use crate::json::Json;
use crate::tree::report::Report;
use crate::types::{PropertyKey, TreeAction, TreeOp, VertexId};

/// What an edit of a [`Tree`](super::Tree) has made.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// The ops, to be stored and sent in one piece. Empty when everything was so already.
    pub ops: Vec<TreeOp>,
    /// What they have changed here.
    pub report: Report,
    /// How it is taken back.
    pub undo: Undo,
}

/// How an edit is taken back, for [`Tree::undo`](super::Tree::undo).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo(Option<(VertexId, TreeAction)>);

impl Undo {
    pub(super) fn delete(vertex: &VertexId) -> Self {
        Self::move_back(vertex, VertexId::trash())
    }

    pub(super) fn move_back(vertex: &VertexId, parent: VertexId) -> Self {
        Self(Some((vertex.clone(), TreeAction::Move { parent: Some(parent) })))
    }

    pub(super) fn write_back(vertex: &VertexId, key: PropertyKey, value: Option<Json>) -> Self {
        Self(Some((vertex.clone(), TreeAction::Set { key, value })))
    }

    /// What will be done; nothing for an edit that has done nothing.
    pub fn action(&self) -> Option<(&VertexId, &TreeAction)> {
        self.0.as_ref().map(|(vertex, action)| (vertex, action))
    }
}
