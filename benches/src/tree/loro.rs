//! Loro's movable tree under the same mix of edits.

use loro::{ExportMode, LoroDoc, LoroTree, TreeID, VersionVector};

use super::streams::{BASE, Dice, SEED, Shape};
use crate::report::{rate, start};

/// A document and what its author needs to edit it.
struct Author {
    doc: LoroDoc,
    tree: LoroTree,
    nodes: Vec<TreeID>,
    folders: Vec<TreeID>,
    leaves: Vec<TreeID>,
}

impl Author {
    fn new() -> Self {
        let doc = LoroDoc::new();
        doc.set_peer_id(1).expect("nothing was edited yet");
        let tree = doc.get_tree("tree");
        tree.disable_fractional_index();
        let root = tree.create(None).expect("an empty tree takes a root");
        Self { doc, tree, nodes: vec![root], folders: vec![root], leaves: Vec::new() }
    }

    /// Someone else who has what this one has.
    fn fork(&self, peer: u64) -> Self {
        let doc = self.doc.fork();
        doc.set_peer_id(peer).expect("nothing waits to be committed");
        let tree = doc.get_tree("tree");
        tree.disable_fractional_index();
        let (nodes, folders, leaves) = (self.nodes.clone(), self.folders.clone(), self.leaves.clone());
        Self { doc, tree, nodes, folders, leaves }
    }

    fn any_parent(&self, dice: &mut Dice) -> TreeID {
        self.folders[dice.roll(self.folders.len())]
    }

    fn create(&mut self, shape: Shape, dice: &mut Dice) {
        let parent = self.any_parent(dice);
        let node = self.tree.create(parent).expect("the parent is there");
        let is_folder = shape == Shape::Random || self.nodes.len().is_multiple_of(20);
        if is_folder { &mut self.folders } else { &mut self.leaves }.push(node);
        self.nodes.push(node);
    }

    /// Moves something. Loro refuses what would close a circle; then something else is moved.
    fn relocate(&mut self, shape: Shape, dice: &mut Dice) {
        if self.nodes.len() < 3 {
            return self.create(shape, dice);
        }
        loop {
            let moves_leaf = shape == Shape::Doc && !self.leaves.is_empty() && dice.roll(20) > 0;
            let movable = if moves_leaf { &self.leaves } else { &self.folders };
            let node = movable[dice.roll(movable.len())];
            if node != self.nodes[0] && self.tree.mov(node, self.any_parent(dice)).is_ok() {
                return;
            }
        }
    }

    fn write(&self, dice: &mut Dice) {
        let key = ["name", "text", "done"][dice.roll(3)];
        let value = format!("value {}", dice.roll(1_000_000));
        let meta = self.tree.get_meta(self.nodes[dice.roll(self.nodes.len())]).expect("the node is there");
        meta.insert(key, value).expect("the map takes texts");
    }

    fn edit(&mut self, n_ops: usize, shape: Shape, dice: &mut Dice) {
        for _ in 0..n_ops {
            match dice.roll(3) {
                0 => self.create(shape, dice),
                1 => self.relocate(shape, dice),
                _ => self.write(dice),
            }
        }
        self.doc.commit();
    }

    fn updates_since(&self, since: &VersionVector) -> Vec<u8> {
        self.doc.export(ExportMode::updates(since)).expect("everything is committed")
    }
}

/// The edits of one author, as updates of some ops each.
pub(super) fn updates(shape: Shape, n_ops: usize, n_batch: usize) -> Vec<Vec<u8>> {
    let (mut author, mut dice) = (Author::new(), Dice(SEED));
    // The root is made before the first batch, and comes with it.
    let mut since = VersionVector::default();
    let batches = (0..n_ops).step_by(n_batch).map(|first| {
        author.edit(n_batch.min(n_ops - first), shape, &mut dice);
        let update = author.updates_since(&since);
        since = author.doc.oplog_vv();
        update
    });
    batches.collect()
}

/// What two have in common, what one did, and what the other did meanwhile, in an update each.
pub(super) fn branches(shape: Shape, n_ops: usize) -> Vec<Vec<u8>> {
    let (mut author, mut dice) = (Author::new(), Dice(SEED));
    author.edit(BASE, shape, &mut dice);
    let common = author.doc.oplog_vv();
    let base = author.updates_since(&VersionVector::default());
    let mut other = author.fork(2);
    author.edit((n_ops - BASE) / 2, shape, &mut dice);
    other.edit((n_ops - BASE) / 2, shape, &mut dice);
    vec![base, author.updates_since(&common), other.updates_since(&common)]
}

/// Imports updates into an empty document; yields how many of the ops in them a second.
pub(super) fn import(updates: &[Vec<u8>], n_ops: usize) -> f64 {
    let started = start();
    let doc = LoroDoc::new();
    for update in updates {
        std::hint::black_box(doc.import(update).expect("it was just written"));
    }
    let rate = rate(n_ops, started.elapsed());
    let tree = doc.get_tree("tree");
    assert!(tree.nodes().len() > n_ops / 5, "the updates were only put aside");
    rate
}
