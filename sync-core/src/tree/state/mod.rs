//! The state of a tree: what the ops that were received make of it, whatever the order in which they came.
//!
//! ```text
//!            ┌─ a vertex is missing ─▶ waiting ─┐ it comes
//!  ops ─▶ new? ──── a write ─────────▶ registers ◀┤
//!            └───── a move ──▶ fresh ◀──────────┘
//!                                │ all newer?       one pass forward                     replay
//!                                │ many are late?   back to the first, merged, forward   replay
//!                                │ few are late?    only what they can change            late
//!                                ▼
//!                     shape: who is under whom now
//! ```

pub(super) mod clocks;
pub(super) mod held;
pub(super) mod intern;
mod known;
mod late;
pub(super) mod moves;
mod read;
pub(super) mod registers;
mod replay;
mod restore;
pub(super) mod shape;
mod siblings;
mod sweep;
mod timeline;

use std::sync::OnceLock;

pub(super) use read::CREATED_KEY;

use crate::tree::report::Report;
use crate::tree::state::clocks::Clocks;
use crate::tree::state::held::{Held, HeldAction, Waiting};
use crate::tree::state::intern::{Names, Peers};
use crate::tree::state::known::Known;
use crate::tree::state::late::Late;
use crate::tree::state::moves::{Log, Move};
use crate::tree::state::registers::{Registers, Write};
use crate::tree::state::replay::Touched;
use crate::tree::state::shape::{Shape, TOP};
use crate::tree::state::siblings::Siblings;
use crate::types::{OpClock, PropertyKey, TreeAction, TreeOp, VertexId};

/// The state of a replicated tree: a function of the set of ops that were applied, and of nothing else.
///
/// - Moves take effect in the order of their ids. One that would put a vertex under itself, or under what is below it at that
///   moment, has no effect; an older move that arrives later is taken into account as if it had been there.
/// - Of the writes to a property the one with the greatest id is seen.
/// - A vertex exists once a move has put it at the top or under a vertex that exists. What refers to others waits, and has
///   no effect until then.
///
/// Applying costs no more for ops in any order than for ops in theirs, as long as they come in batches. It neither recurses
/// nor fails: any ops can be applied.
///
/// ```
/// use sync_core::tree::{Place, TreeState};
/// use sync_core::{TreeOp, VertexId};
///
/// let vertex = |name: &str| VertexId::new(name).unwrap();
/// let moving = |id: &str, target, parent: Option<&str>| TreeOp::moving(id.parse().unwrap(), vertex(target), parent.map(vertex));
/// let mut tree = TreeState::new();
/// tree.apply([moving("1@a", "root", None), moving("2@a", "book", Some("root")), moving("3@a", "shelf", Some("root"))]);
/// // Two people move concurrently, each under the other's: the second of these has no effect.
/// tree.apply([moving("4@b", "shelf", Some("book"))]);
/// tree.apply([moving("4@a", "book", Some("shelf"))]);
/// assert_eq!(tree.place(&vertex("book")), Some(Place::Under(vertex("shelf"))));
/// assert_eq!(tree.place(&vertex("shelf")), Some(Place::Under(vertex("root"))));
/// ```
#[derive(Clone, Debug, Default)]
pub struct TreeState {
    pub(super) vertices: Names<VertexId>,
    pub(super) keys: Names<PropertyKey>,
    pub(super) peers: Peers,
    /// The clocks that were received of each peer.
    pub(super) seen: Vec<Clocks>,
    pub(super) clock: Option<OpClock>,
    /// Which vertices exist.
    pub(super) exists: Vec<bool>,
    /// Which vertices were ever named as a parent. No other can be above anything, at any time.
    pub(super) was_parent: Vec<bool>,
    pub(super) n_existing: usize,
    pub(super) waiting: Waiting,
    pub(super) shape: Shape,
    pub(super) log: Log,
    pub(super) registers: Registers,
    late: Late,
    known: Option<Known>,
    siblings: OnceLock<Siblings>,
    touched: Touched,
}

impl TreeState {
    /// Of a tree without ops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in ops, as many as are at hand: a thousand at once are much cheaper than one after the other. Ops that were
    /// applied before change nothing. Of different ops with one id, which only a broken peer makes, the first is kept.
    pub fn apply(&mut self, ops: impl IntoIterator<Item = TreeOp>) -> Report {
        let mut batch = Batch::default();
        for op in ops {
            self.take_in(op, &mut batch);
        }
        batch.report.n_waiting = self.waiting.len();
        self.settle(std::mem::take(&mut batch.fresh));
        for op in std::mem::take(&mut batch.again) {
            if self.is_repeated(&op) {
                batch.report.n_repeated += 1;
            } else {
                batch.report.conflicts.push(op);
            }
        }
        self.tell(batch.written, &mut batch.report);
        batch.report
    }

    /// Notes an op, and what it will move or has written.
    fn take_in(&mut self, op: TreeOp, batch: &mut Batch) {
        self.clock = self.clock.max(Some(op.id.clock));
        let (peer, clock) = (self.peers.intern(&op.id.peer), op.id.clock.get());
        if self.seen.len() < self.peers.len() {
            self.seen.resize(self.peers.len(), Clocks::default());
        }
        if !self.seen[peer as usize].insert(clock) {
            batch.again.push(op);
            return;
        }
        batch.report.n_new += 1;
        let target = self.vertex(&op.target);
        let held = match &op.action {
            TreeAction::Move { parent: None } => HeldAction::Move { parent: TOP },
            TreeAction::Move { parent: Some(parent) } => HeldAction::Move { parent: self.vertex(parent) },
            TreeAction::Set { key, value } => {
                HeldAction::Set { key: self.keys.intern(key), value: value.clone() }
            }
        };
        self.know(&op, peer);
        self.admit(Held::new(clock, peer, target, held), batch);
    }

    /// The number of a vertex, and room for what is known of it.
    fn vertex(&mut self, name: &VertexId) -> u32 {
        let vertex = self.vertices.intern(name);
        if self.vertices.len() > self.exists.len() {
            self.grow(self.vertices.len());
        }
        vertex
    }

    /// Makes room for what is known of vertices.
    pub(super) fn grow(&mut self, n_vertices: usize) {
        self.exists.resize(n_vertices, false);
        self.was_parent.resize(n_vertices, false);
        self.waiting.grow(n_vertices);
        self.shape.grow(n_vertices);
        self.registers.grow(n_vertices);
        self.touched.grow(n_vertices);
        self.late.grow(n_vertices);
        if let Some(siblings) = self.siblings.get_mut() {
            siblings.grow(n_vertices);
        }
    }

    /// Lets an op take effect, and whatever waited for the vertices that exist because of it; or lets it wait.
    fn admit(&mut self, op: Held, batch: &mut Batch) {
        let awaited = op.waits_for();
        if awaited != TOP && !self.exists[awaited as usize] {
            return self.waiting.hold(op);
        }
        let Some(created) = self.enter(op, batch) else { return };
        let mut appeared = vec![created];
        while let Some(vertex) = appeared.last() {
            match self.waiting.release(*vertex) {
                Some(op) => appeared.extend(self.enter(op, batch)),
                None => drop(appeared.pop()),
            }
        }
    }

    /// Lets an op take effect whose vertices exist. Yields the vertex that exists because of it.
    fn enter(&mut self, op: Held, batch: &mut Batch) -> Option<u32> {
        let Held { clock, peer, target, .. } = op;
        match op.action {
            HeldAction::Move { parent } => {
                batch.fresh.push(Move::new(clock, peer, target, parent));
                if parent != TOP {
                    self.was_parent[parent as usize] = true;
                }
                let is_new = !std::mem::replace(&mut self.exists[target as usize], true);
                self.n_existing += usize::from(is_new);
                is_new.then_some(target)
            }
            HeldAction::Set { key, value } => {
                let write = Write { vertex: target, key, clock, peer, value };
                if self.registers.write(write, &self.peers) {
                    batch.written.push((target, key));
                }
                None
            }
            HeldAction::Gone => None,
        }
    }

    /// Puts down what has changed for those who watch, and in the lists of children.
    fn tell(&mut self, mut written: Vec<(u32, u32)>, report: &mut Report) {
        written.sort_unstable();
        written.dedup();
        for (vertex, before) in self.touched.drain(&self.shape) {
            let after = self.shape.parent(vertex);
            if before != after {
                if let Some(siblings) = self.siblings.get_mut() {
                    siblings.relocate(vertex, after);
                }
                report.moved(self.name(vertex), self.place_of(before), self.place_of(after));
            }
        }
        for (vertex, key) in written {
            report.written(self.name(vertex), self.keys.name(key).clone());
        }
    }
}

/// What a batch of ops comes to.
#[derive(Debug, Default)]
struct Batch {
    report: Report,
    /// Moves whose parents exist, in no order.
    fresh: Vec<Move>,
    /// Vertices and keys.
    written: Vec<(u32, u32)>,
    /// Ops whose ids are known.
    again: Vec<TreeOp>,
}
