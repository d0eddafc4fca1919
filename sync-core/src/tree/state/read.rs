//! Looking at a tree.

use std::cmp::Ordering;

use crate::json::Json;
use crate::tree::hash::{TreeHash, hash};
use crate::tree::report::Place;
use crate::tree::state::TreeState;
use crate::tree::state::clocks::Clocks;
use crate::tree::state::held::Held;
use crate::tree::state::shape::{NOWHERE, TOP};
use crate::tree::state::siblings::Siblings;
use crate::tree::vector::StateVector;
use crate::types::{OpClock, OpId, PropertyKey, VertexId};

/// The property by which children are ordered: when a vertex was created. RepTree writes it as an ISO 8601 text.
pub(in crate::tree) const CREATED_KEY: &str = "_c";

impl TreeState {
    /// Where a vertex is. `None` when there is no such vertex, or when none of its moves has an effect, which ops that no
    /// tree makes can bring about.
    pub fn place(&self, vertex: &VertexId) -> Option<Place> {
        self.place_of(self.shape.parent(self.vertices.find(vertex)?))
    }

    /// Whether there is such a vertex. Deleted ones are there, under [`VertexId::trash`].
    pub fn contains(&self, vertex: &VertexId) -> bool {
        self.find(vertex).is_some()
    }

    /// Every vertex that has a place, in no particular order.
    pub fn vertices(&self) -> impl Iterator<Item = (&VertexId, Place)> {
        let places = self.vertices.iter().enumerate();
        places.filter_map(|(vertex, name)| Some((name, self.place_of(self.shape.parent(vertex as u32))?)))
    }

    /// How many vertices there are.
    pub fn n_vertices(&self) -> usize {
        self.n_existing
    }

    /// What a property says. `None` when it was never set, or was removed.
    pub fn property(&self, vertex: &VertexId, key: &PropertyKey) -> Option<&Json> {
        self.registers.get(self.find(vertex)?, self.keys.find(key)?)?.value.as_ref()
    }

    /// The properties of a vertex, by the bytes of their keys.
    pub fn properties(&self, vertex: &VertexId) -> Vec<(&PropertyKey, &Json)> {
        self.find(vertex).map_or_else(Vec::new, |vertex| self.properties_of(vertex))
    }

    pub(in crate::tree) fn properties_of(&self, vertex: u32) -> Vec<(&PropertyKey, &Json)> {
        let registers = self.registers.of(vertex);
        let mut set: Vec<_> = registers
            .filter_map(|register| Some((self.keys.name(register.key), register.value.as_ref()?)))
            .collect();
        set.sort_unstable();
        set
    }

    /// The children of a vertex in the order in which they are shown: by their property `_c`, which says when each was
    /// created (numbers before texts, those without one last), then by their ids. All copies have the same order, but it is
    /// not kept anywhere: it follows from the properties.
    ///
    /// The first call after a start costs a pass over all vertices.
    pub fn children(&self, parent: &VertexId) -> Vec<VertexId> {
        self.find(parent).map_or_else(Vec::new, |parent| self.sorted_children(parent))
    }

    /// The vertices at the top, ordered as [`children`](Self::children) are.
    pub fn tops(&self) -> Vec<VertexId> {
        self.sorted_children(TOP)
    }

    fn sorted_children(&self, parent: u32) -> Vec<VertexId> {
        let children = self.siblings().children(parent).map(|child| self.vertices.name(child));
        let Some(created) = PropertyKey::new(CREATED_KEY).ok().and_then(|key| self.keys.find(&key)) else {
            let mut children: Vec<VertexId> = children.cloned().collect();
            children.sort_unstable();
            return children;
        };
        let time = |child: u32| self.registers.get(child, created)?.value.as_ref().map(Created::of);
        let children = self.siblings().children(parent);
        let mut keyed: Vec<_> = children.map(|child| (time(child), self.vertices.name(child))).collect();
        keyed.sort_by(|(a, a_name), (b, b_name)| order_created(a, b).then_with(|| a_name.cmp(b_name)));
        keyed.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn siblings(&self) -> &Siblings {
        self.siblings.get_or_init(|| Siblings::of(&self.shape, self.exists.len()))
    }

    /// A vertex and all below it, each with its depth below the first: parents before children, children in their order.
    ///
    /// ```
    /// # use sync_core::tree::TreeState;
    /// # use sync_core::{TreeOp, VertexId};
    /// # let vertex = |name: &str| VertexId::new(name).unwrap();
    /// let mut tree = TreeState::new();
    /// tree.apply([
    ///     TreeOp::moving("1@a".parse()?, vertex("root"), None),
    ///     TreeOp::moving("2@a".parse()?, vertex("b"), Some(vertex("root"))),
    ///     TreeOp::moving("3@a".parse()?, vertex("c"), Some(vertex("b"))),
    ///     TreeOp::moving("4@a".parse()?, vertex("a"), Some(vertex("root"))),
    /// ]);
    /// let names: Vec<_> = tree.subtree(&vertex("root")).map(|(name, depth)| format!("{depth}{name}")).collect();
    /// assert_eq!(names, ["0root", "1a", "1b", "2c"]);
    /// # Ok::<_, sync_core::TreeOpError>(())
    /// ```
    pub fn subtree(&self, vertex: &VertexId) -> impl Iterator<Item = (VertexId, usize)> {
        let mut left: Vec<(VertexId, usize)> = Vec::new();
        left.extend(self.contains(vertex).then(|| (vertex.clone(), 0)));
        std::iter::from_fn(move || {
            let (vertex, depth) = left.pop()?;
            let children = self.children(&vertex).into_iter().rev();
            left.extend(children.map(|child| (child, depth + 1)));
            Some((vertex, depth))
        })
    }

    /// Whether a vertex is the same as another, or below it.
    pub fn is_within(&self, vertex: &VertexId, upper: &VertexId) -> bool {
        let (Some(mut at), Some(upper)) = (self.find(vertex), self.find(upper)) else { return false };
        while at < TOP && at != upper {
            at = self.shape.parent(at);
        }
        at == upper
    }

    /// Whether a vertex is deleted: it is below [`VertexId::trash`], by itself or with one above it.
    pub fn is_deleted(&self, vertex: &VertexId) -> bool {
        vertex.as_str() != VertexId::TRASH && self.is_within(vertex, &VertexId::trash())
    }

    /// Which ops were received, with those that have no effect and those that wait.
    pub fn state_vector(&self) -> StateVector {
        StateVector::from_sets(self.peers.iter().zip(self.seen.iter().map(Clocks::ranges)))
    }

    /// The greatest clock of all ops that were received.
    pub fn clock(&self) -> Option<OpClock> {
        self.clock
    }

    /// How many ops wait for a vertex.
    pub fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Ops that wait for a vertex, in their order.
    pub fn waiting(&self) -> Vec<OpId> {
        self.in_order(self.waiting.iter().map(|Held { clock, peer, .. }| (*clock, *peer)))
    }

    /// Moves that have no effect, since they would close a circle, in their order.
    pub fn ignored_moves(&self) -> Vec<OpId> {
        let log = self.log_up_to_date();
        log.iter().filter(|it| !it.is_effective()).map(|it| self.id(it.time())).collect()
    }

    fn in_order(&self, times: impl Iterator<Item = (u64, u32)>) -> Vec<OpId> {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable_by(|a, b| self.peers.order(*a, *b));
        times.into_iter().map(|time| self.id(time)).collect()
    }

    /// How many ops were received.
    pub fn n_ops(&self) -> u64 {
        self.seen.iter().map(|clocks| clocks.len()).sum()
    }

    /// A hash of everything that can be seen: vertices, places and properties. Copies that received the same ops have the
    /// same.
    pub fn hash(&self) -> TreeHash {
        hash(self)
    }

    /// The number of a vertex that exists.
    pub(super) fn find(&self, vertex: &VertexId) -> Option<u32> {
        self.vertices.find(vertex).filter(|vertex| self.exists[*vertex as usize])
    }

    pub(super) fn number_of(&self, parent: Option<&VertexId>) -> Option<u32> {
        parent.map_or(Some(TOP), |parent| self.vertices.find(parent))
    }

    pub(super) fn name(&self, vertex: u32) -> VertexId {
        self.vertices.name(vertex).clone()
    }

    pub(in crate::tree) fn place_of(&self, parent: u32) -> Option<Place> {
        match parent {
            TOP => Some(Place::Top),
            NOWHERE => None,
            parent => Some(Place::Under(self.name(parent))),
        }
    }

    fn id(&self, (clock, peer): (u64, u32)) -> OpId {
        let clock = OpClock::new(clock).expect("it was the clock of an op");
        OpId::new(clock, self.peers.name(peer).clone())
    }
}

/// When a vertex was created, as its property says it.
enum Created {
    Number(f64),
    Other(Json),
}

impl Created {
    fn of(value: &Json) -> Self {
        value.as_str().parse().map_or_else(|_| Self::Other(value.clone()), Self::Number)
    }
}

/// Numbers, then everything else by its text, then those of whom nothing is known.
fn order_created(a: &Option<Created>, b: &Option<Created>) -> Ordering {
    match (a, b) {
        (Some(Created::Number(a)), Some(Created::Number(b))) => a.total_cmp(b),
        (Some(Created::Other(a)), Some(Created::Other(b))) => a.as_str().cmp(b.as_str()),
        (Some(Created::Number(_)), Some(Created::Other(_))) | (Some(_), None) => Ordering::Less,
        (Some(Created::Other(_)), Some(Created::Number(_))) | (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
