//! Who is under whom now, and whether a move would close a circle.
//!
//! To find out whether a vertex is above another one has to walk up from the other. Trees in which everything moves get
//! hundreds of levels deep, but what is moved is mostly near the leaves. So every vertex carries a bound of its height, and
//! a walk ends after as many steps as whoever is searched for is high: a dozen instead of hundreds.

/// Stands for the parent of a vertex at the top.
pub(in crate::tree) const TOP: u32 = u32::MAX - 1;
/// Stands for the parent of a vertex that is nowhere: no move has placed it.
pub(in crate::tree) const NOWHERE: u32 = u32::MAX;

/// The largest height that is told apart; a vertex that high may be higher. Few are, and a new leaf at the end of a long
/// chain has to tell no more than this many above it.
const HEIGHT_MAX: u8 = 250;

/// Steps of walks for each vertex, after which heights are measured anew: that costs about as much as a few of them.
const STEPS_PER_VERTEX: usize = 6;

/// The parent of every vertex.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Shape {
    nodes: Vec<Node>,
    /// Steps walked since heights were measured.
    n_steps: usize,
    /// Room for measuring.
    n_children: Vec<u32>,
}

/// What a step looks at, side by side.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    /// At least the height of the vertex above its lowest descendant, or [`HEIGHT_MAX`].
    height: u8,
}

impl Shape {
    /// Makes room for vertices up to a number.
    pub(super) fn grow(&mut self, n_vertices: usize) {
        self.nodes.resize(n_vertices, Node { parent: NOWHERE, height: 0 });
    }

    /// Where a vertex is.
    pub(in crate::tree) fn parent(&self, vertex: u32) -> u32 {
        self.nodes[vertex as usize].parent
    }

    /// The parents of all vertices.
    pub(super) fn parents(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().map(|node| node.parent)
    }

    /// Puts a vertex under a parent, unless that is the same or below it. Yields where it was.
    #[inline]
    pub(super) fn place(&mut self, vertex: u32, parent: u32) -> Option<u32> {
        if vertex == parent || (parent != TOP && self.is_above(vertex, parent)) {
            return None;
        }
        let before = self.parent(vertex);
        self.put(vertex, parent);
        self.raise(vertex);
        Some(before)
    }

    /// Whether `upper` is somewhere above `lower`, which is another.
    #[inline]
    fn is_above(&mut self, upper: u32, lower: u32) -> bool {
        let height = self.nodes[upper as usize].height;
        let mut n_left = if height < HEIGHT_MAX { usize::from(height) } else { usize::MAX };
        let (mut vertex, all) = (lower, n_left);
        while n_left > 0 && vertex != upper && vertex < TOP {
            vertex = self.nodes[vertex as usize].parent;
            n_left -= 1;
        }
        self.n_steps += all - n_left;
        vertex == upper
    }

    /// Puts a vertex somewhere without looking. Heights have to be set right afterwards.
    #[inline]
    pub(super) fn put(&mut self, vertex: u32, parent: u32) {
        self.nodes[vertex as usize].parent = parent;
    }

    /// Puts every vertex nowhere.
    pub(super) fn clear(&mut self) {
        self.nodes.iter_mut().for_each(|node| *node = Node { parent: NOWHERE, height: 0 });
    }

    /// Sets right the heights above a vertex that was put somewhere.
    #[inline]
    pub(super) fn raise(&mut self, vertex: u32) {
        let Node { parent: mut above, mut height } = self.nodes[vertex as usize];
        while above < TOP {
            height = (height + 1).min(HEIGHT_MAX);
            let node = &mut self.nodes[above as usize];
            if node.height >= height {
                return;
            }
            node.height = height;
            above = node.parent;
        }
    }

    /// Measures heights when walks have become long since they were measured: they are bounds, and vertices that were high
    /// once are thought to be so until then.
    #[inline]
    pub(super) fn refresh(&mut self) {
        if self.n_steps > STEPS_PER_VERTEX * self.nodes.len() {
            self.measure();
        }
    }

    /// Measures the height of every vertex, from the leaves up.
    pub(super) fn measure(&mut self) {
        self.n_steps = 0;
        self.nodes.iter_mut().for_each(|node| node.height = 0);
        self.count_children();
        for leaf in 0..self.nodes.len() {
            if self.n_children[leaf] == 0 {
                self.measure_above(leaf);
            }
        }
    }

    /// Whether every vertex was reached from a leaf: none is below itself.
    pub(super) fn was_all_measured(&self) -> bool {
        self.n_children.iter().all(|n_left| *n_left == u32::MAX)
    }

    fn count_children(&mut self) {
        self.n_children.clear();
        self.n_children.resize(self.nodes.len(), 0);
        for Node { parent, .. } in &self.nodes {
            if *parent < TOP {
                self.n_children[*parent as usize] += 1;
            }
        }
    }

    /// Tells those above a leaf how high they are, up to the first who has children that have not told yet. Who has been
    /// told by all children counts as a leaf no more.
    fn measure_above(&mut self, leaf: usize) {
        let mut vertex = leaf;
        loop {
            // It has told; the sweep over all leaves must not begin with it again.
            self.n_children[vertex] = u32::MAX;
            let Node { parent, height } = self.nodes[vertex];
            if parent >= TOP {
                return;
            }
            let above = parent as usize;
            self.nodes[above].height = self.nodes[above].height.max((height + 1).min(HEIGHT_MAX));
            self.n_children[above] -= 1;
            if self.n_children[above] > 0 {
                return;
            }
            vertex = above;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks all the way.
    fn is_above(parents: &[u32], upper: u32, lower: u32) -> bool {
        let mut vertex = lower;
        while vertex < TOP && vertex != upper {
            vertex = parents[vertex as usize];
        }
        vertex == upper
    }

    #[test]
    fn a_walk_that_ends_early_finds_what_a_whole_walk_finds() {
        let n_vertices = 200;
        let (mut shape, mut parents, mut dice) = (Shape::default(), vec![NOWHERE; n_vertices], 7_u64);
        shape.grow(n_vertices);
        let mut roll = |n: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as u32 % n as u32
        };
        for round in 0..20_000 {
            let (vertex, parent) = (roll(n_vertices), roll(n_vertices));
            let closes = vertex == parent || is_above(&parents, vertex, parent);
            assert_eq!(shape.place(vertex, parent).is_none(), closes, "round {round}");
            if !closes {
                parents[vertex as usize] = parent;
            }
            match round % 1000 {
                0 => shape.measure(),
                500 => {
                    let top = roll(n_vertices);
                    shape.place(top, TOP);
                    parents[top as usize] = TOP;
                }
                _ => {}
            }
        }
        assert!(shape.nodes.iter().map(|node| node.parent).eq(parents));
    }
}
