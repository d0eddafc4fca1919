//! Why an edit of a tree is refused, and why a checkpoint is.

use crate::types::VertexId;

/// Why a [`Tree`](super::Tree) does not make an op. Nothing has changed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// There is no such vertex, or none yet.
    #[error("the tree has no vertex {0}")]
    UnknownVertex(VertexId),
    /// There is such a vertex already.
    #[error("the tree has a vertex {0} already")]
    VertexExists(VertexId),
    /// A vertex cannot be moved under itself, nor under what is below it.
    #[error("{vertex} cannot be put under {parent}, which is the same or below it")]
    BelowItself {
        /// What was to be moved.
        vertex: VertexId,
        /// Where to.
        parent: VertexId,
    },
    /// Vertices without a parent, and the one under which deleted ones are, stay where they are.
    #[error("{0} is at the top of the tree and stays there")]
    AtTheTop(VertexId),
    /// The vertex has no such property.
    #[error("{0} has no property of this name")]
    NoProperty(VertexId),
    /// The clock of the tree is at its end: someone made ops with the largest numbers there are.
    #[error("the clock of the tree is at its end")]
    ClockExhausted,
}

/// Why bytes are not a checkpoint of a tree. Build the tree from its ops then.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// They do not begin like one.
    #[error("these bytes are not a checkpoint of a tree")]
    NotOne,
    /// Another version of this library wrote them.
    #[error("the checkpoint has version {0}, which this library does not read")]
    Version(u16),
    /// They are not what was written.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(&'static str),
}
