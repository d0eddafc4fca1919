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
const HEIGHT_MAX: u8 = 64;

/// Steps of walks for each vertex, after which heights are measured anew: that costs about as much as a few of them.
const STEPS_PER_VERTEX: usize = 8;

/// The parent of every vertex.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Shape {
    parents: Vec<u32>,
    /// At least the height of each vertex above its lowest descendant, or [`HEIGHT_MAX`].
    heights: Vec<u8>,
    /// Steps walked since heights were measured.
    n_steps: usize,
    /// Room for measuring.
    n_children: Vec<u32>,
}

impl Shape {
    /// Makes room for vertices up to a number.
    pub(super) fn grow(&mut self, n_vertices: usize) {
        self.parents.resize(n_vertices, NOWHERE);
        self.heights.resize(n_vertices, 0);
    }

    /// Where a vertex is.
    pub(in crate::tree) fn parent(&self, vertex: u32) -> u32 {
        self.parents[vertex as usize]
    }

    /// Puts a vertex under a parent, unless that is the same or below it. Yields where it was.
    #[inline]
    pub(super) fn place(&mut self, vertex: u32, parent: u32) -> Option<u32> {
        if vertex == parent || (parent != TOP && self.is_above(vertex, parent)) {
            return None;
        }
        let before = self.parents[vertex as usize];
        self.put(vertex, parent);
        self.raise(vertex);
        Some(before)
    }

    /// Whether `upper` is somewhere above `lower`, which is another.
    #[inline]
    fn is_above(&mut self, upper: u32, lower: u32) -> bool {
        let height = self.heights[upper as usize];
        let mut n_left = if height < HEIGHT_MAX { usize::from(height) } else { usize::MAX };
        let (mut vertex, all) = (lower, n_left);
        while n_left > 0 && vertex != upper && vertex < TOP {
            vertex = self.parents[vertex as usize];
            n_left -= 1;
        }
        self.n_steps += all - n_left;
        vertex == upper
    }

    /// Puts a vertex somewhere without looking. Heights have to be set right afterwards.
    #[inline]
    pub(super) fn put(&mut self, vertex: u32, parent: u32) {
        self.parents[vertex as usize] = parent;
    }

    /// Sets right the heights above a vertex that was put somewhere.
    #[inline]
    pub(super) fn raise(&mut self, vertex: u32) {
        let mut height = self.heights[vertex as usize];
        let mut above = self.parents[vertex as usize];
        while above < TOP {
            height = (height + 1).min(HEIGHT_MAX);
            if self.heights[above as usize] >= height {
                return;
            }
            self.heights[above as usize] = height;
            above = self.parents[above as usize];
        }
    }

    /// Measures heights when walks have become long since they were measured: they are bounds, and vertices that were high
    /// once are thought to be so until then.
    #[inline]
    pub(super) fn refresh(&mut self) {
        if self.n_steps > STEPS_PER_VERTEX * self.parents.len() {
            self.measure();
        }
    }

    /// Measures the height of every vertex, from the leaves up.
    pub(super) fn measure(&mut self) {
        self.n_steps = 0;
        self.heights.fill(0);
        self.count_children();
        for leaf in 0..self.parents.len() {
            if self.n_children[leaf] == 0 {
                self.measure_above(leaf);
            }
        }
    }

    fn count_children(&mut self) {
        self.n_children.clear();
        self.n_children.resize(self.parents.len(), 0);
        for parent in &self.parents {
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
            let parent = self.parents[vertex];
            if parent >= TOP {
                return;
            }
            let above = parent as usize;
            let height = (self.heights[vertex] + 1).min(HEIGHT_MAX);
            self.heights[above] = self.heights[above].max(height);
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
        assert_eq!(shape.parents, parents);
    }
}
