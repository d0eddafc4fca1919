//! What a batch of ops has changed.

use std::collections::HashMap;

use crate::tree::state::TreeState;
use crate::types::{PropertyKey, TreeOp, VertexId};

/// Where a vertex is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// At the top of the tree.
    Top,
    /// Under another vertex.
    Under(VertexId),
}

/// A vertex that is elsewhere than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub vertex: VertexId,
    /// Where it was; `None` when it was not there.
    pub before: Option<Place>,
    /// Where it is; `None` when it is not there any more, which ops that no tree makes can do.
    pub after: Option<Place>,
}

/// What became of a batch of ops.
///
/// ```
/// use sync_core::tree::TreeState;
/// use sync_core::{TreeOp, VertexId};
///
/// let (root, note) = (VertexId::new("root")?, VertexId::new("note")?);
/// let mut tree = TreeState::new();
/// tree.apply([TreeOp::moving("1@a".parse()?, root.clone(), None)]);
/// let report = tree.apply([TreeOp::moving("2@a".parse()?, note.clone(), Some(root.clone()))]);
/// assert_eq!((report.n_new(), report.n_waiting()), (1, 0));
/// assert_eq!(report.moves()[0].vertex, note);
/// assert!(report.touches(&tree, &root));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Report {
    moves: Vec<Moved>,
    writes: Vec<(VertexId, PropertyKey)>,
    pub(super) n_new: usize,
    pub(super) n_repeated: usize,
    pub(super) n_waiting: usize,
    pub(super) conflicts: Vec<TreeOp>,
}

impl Report {
    /// Every vertex that is elsewhere than before, once.
    pub fn moves(&self) -> &[Moved] {
        &self.moves
    }

    /// Every property that has another write than before, once.
    pub fn writes(&self) -> &[(VertexId, PropertyKey)] {
        &self.writes
    }

    /// How many ops of the batch were new.
    pub fn n_new(&self) -> usize {
        self.n_new
    }

    /// How many ops of the batch were known.
    pub fn n_repeated(&self) -> usize {
        self.n_repeated
    }

    /// How many ops wait for a vertex now, of this batch and of those before.
    pub fn n_waiting(&self) -> usize {
        self.n_waiting
    }

    /// Ops of the batch whose ids belong to others that came before and say something else. They were not applied: whoever
    /// made them uses a peer id that is not theirs alone.
    pub fn conflicts(&self) -> &[TreeOp] {
        &self.conflicts
    }

    /// Whether nothing that can be seen has changed.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.writes.is_empty()
    }

    /// Whether something changed at a vertex or below it: something that was there before or is there now. `tree` is the state
    /// that made this report, with nothing applied since.
    pub fn touches(&self, tree: &TreeState, subtree: &VertexId) -> bool {
        let before: HashMap<&VertexId, Option<&Place>> =
            self.moves.iter().map(|moved| (&moved.vertex, moved.before.as_ref())).collect();
        let mut now = Insides::new(tree, subtree, HashMap::new());
        let mut then = Insides::new(tree, subtree, before);
        let moved = self.moves.iter().map(|moved| &moved.vertex);
        let mut changed = moved.chain(self.writes.iter().map(|(vertex, _)| vertex));
        changed.any(|vertex| now.contains(vertex) || then.contains(vertex))
    }

    pub(super) fn moved(&mut self, vertex: VertexId, before: Option<Place>, after: Option<Place>) {
        self.moves.push(Moved { vertex, before, after });
    }

    pub(super) fn written(&mut self, vertex: VertexId, key: PropertyKey) {
        self.writes.push((vertex, key));
    }
}

/// Which vertices are at a vertex or below it. What was found out on one way up is kept for the next.
struct Insides<'a> {
    tree: &'a TreeState,
    /// Vertices that are to be looked for elsewhere than where the tree has them.
    elsewhere: HashMap<&'a VertexId, Option<&'a Place>>,
    found: HashMap<VertexId, bool>,
}

impl<'a> Insides<'a> {
    fn new(
        tree: &'a TreeState,
        subtree: &VertexId,
        elsewhere: HashMap<&'a VertexId, Option<&'a Place>>,
    ) -> Self {
        Self { tree, elsewhere, found: HashMap::from([(subtree.clone(), true)]) }
    }

    fn contains(&mut self, vertex: &VertexId) -> bool {
        let (mut way, mut at) = (Vec::new(), vertex.clone());
        let is_inside = loop {
            if let Some(is_inside) = self.found.get(&at) {
                break *is_inside;
            }
            let place = match self.elsewhere.get(&at) {
                Some(place) => place.cloned(),
                None => self.tree.place(&at),
            };
            way.push(at);
            match place {
                Some(Place::Under(parent)) => at = parent,
                Some(Place::Top) | None => break false,
            }
        };
        self.found.extend(way.into_iter().map(|vertex| (vertex, is_inside)));
        is_inside
    }
}
