//! Ops that wait for a vertex.

use crate::json::Json;

/// Stands for the end of a list.
const NONE: u32 = u32::MAX;

/// An op that waits: a move for its parent, a write for its target.
#[derive(Clone, Debug)]
pub(in crate::tree) struct Held {
    pub(in crate::tree) clock: u64,
    pub(in crate::tree) peer: u32,
    pub(in crate::tree) target: u32,
    pub(in crate::tree) action: HeldAction,
    /// The next that waits for the same vertex, or the next free place.
    next: u32,
}

/// What an op that waits will do.
#[derive(Clone, Debug)]
pub(in crate::tree) enum HeldAction {
    Move {
        parent: u32,
    },
    Set {
        key: u32,
        value: Option<Json>,
    },
    /// There is none at this place any more.
    Gone,
}

/// Everything that waits, in one list for each vertex. The lists lie in one array, so that the last who wait and the first
/// cost the same, and nothing has to be looked up.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Waiting {
    all: Vec<Held>,
    free: u32,
    /// The first who waits for each vertex, one more than its place; 0 for none.
    first: Vec<u32>,
    n_held: usize,
}

impl Held {
    pub(in crate::tree) fn new(clock: u64, peer: u32, target: u32, action: HeldAction) -> Self {
        Self { clock, peer, target, action, next: NONE }
    }

    /// The vertex it waits for.
    pub(in crate::tree) fn waits_for(&self) -> u32 {
        match self.action {
            HeldAction::Move { parent } => parent,
            HeldAction::Set { .. } | HeldAction::Gone => self.target,
        }
    }
}

impl Waiting {
    pub(in crate::tree) fn grow(&mut self, n_vertices: usize) {
        self.first.resize(n_vertices, 0);
    }

    /// How many wait.
    pub(in crate::tree) fn len(&self) -> usize {
        self.n_held
    }

    /// Lets an op wait.
    pub(in crate::tree) fn hold(&mut self, mut held: Held) {
        let first = &mut self.first[held.waits_for() as usize];
        held.next = first.wrapping_sub(1);
        if self.n_held == self.all.len() {
            *first = self.all.len() as u32 + 1;
            self.all.push(held);
        } else {
            *first = self.free + 1;
            let place = &mut self.all[self.free as usize];
            self.free = place.next;
            *place = held;
        }
        self.n_held += 1;
    }

    /// Takes out one of those who wait for a vertex.
    pub(super) fn release(&mut self, vertex: u32) -> Option<Held> {
        let place = self.first[vertex as usize].checked_sub(1)?;
        let gone = Held { clock: 0, peer: 0, target: 0, action: HeldAction::Gone, next: self.free };
        let held = std::mem::replace(&mut self.all[place as usize], gone);
        self.first[vertex as usize] = held.next.wrapping_add(1);
        self.free = place;
        self.n_held -= 1;
        if self.n_held == 0 {
            self.all.clear();
        }
        Some(held)
    }

    /// Everything that waits.
    pub(in crate::tree) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.all.iter().filter(|held| !matches!(held.action, HeldAction::Gone))
    }
}
