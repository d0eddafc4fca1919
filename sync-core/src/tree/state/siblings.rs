//! Who is under whom, seen from above. Nobody needs it to apply ops; it is made when someone asks first.

use crate::tree::state::shape::{NOWHERE, Shape, TOP};

/// Stands for the end of a list.
const NONE: u32 = u32::MAX;

/// The children of every vertex as linked lists, so that one of a hundred thousand leaves as quickly as one of two.
#[derive(Clone, Debug)]
pub(super) struct Siblings {
    lists: Vec<Links>,
    /// The first of those at the top.
    top: u32,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    first_child: u32,
    next: u32,
    previous: u32,
    /// In whose list it is.
    parent: u32,
}

impl Siblings {
    pub(super) fn of(shape: &Shape, n_vertices: usize) -> Self {
        let mut siblings = Self { lists: Vec::new(), top: NONE };
        siblings.grow(n_vertices);
        for vertex in 0..n_vertices as u32 {
            siblings.relocate(vertex, shape.parent(vertex));
        }
        siblings
    }

    pub(super) fn grow(&mut self, n_vertices: usize) {
        let alone = Links { first_child: NONE, next: NONE, previous: NONE, parent: NOWHERE };
        self.lists.resize(n_vertices, alone);
    }

    /// The children of a vertex, or of the top.
    pub(super) fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let first = if parent == TOP { self.top } else { self.lists[parent as usize].first_child };
        let some = |vertex: u32| (vertex != NONE).then_some(vertex);
        std::iter::successors(some(first), move |vertex| some(self.lists[*vertex as usize].next))
    }

    /// Takes a vertex from one list to another.
    pub(super) fn relocate(&mut self, vertex: u32, parent: u32) {
        let Links { next, previous, parent: former, .. } = self.lists[vertex as usize];
        if former != NOWHERE {
            match previous {
                NONE => *self.first(former) = next,
                _ => self.lists[previous as usize].next = next,
            }
            if next != NONE {
                self.lists[next as usize].previous = previous;
            }
        }
        self.lists[vertex as usize].parent = parent;
        if parent != NOWHERE {
            self.put_first(vertex, parent);
        }
    }

    fn put_first(&mut self, vertex: u32, parent: u32) {
        let next = std::mem::replace(self.first(parent), vertex);
        if next != NONE {
            self.lists[next as usize].previous = vertex;
        }
        let links = &mut self.lists[vertex as usize];
        (links.next, links.previous) = (next, NONE);
    }

    fn first(&mut self, parent: u32) -> &mut u32 {
        if parent == TOP { &mut self.top } else { &mut self.lists[parent as usize].first_child }
    }
}
