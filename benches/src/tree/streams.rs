//! The ops of trees that are measured: the same for everyone, from a seed.

use std::fmt;

use sync_core::json::Json;
use sync_core::{OpClock, OpId, PeerId, PropertyKey, TreeAction, TreeOp, VertexId};

/// Ops that both branches of a history have.
pub(super) const BASE: usize = 1_000;

/// What everything follows from.
pub(super) const SEED: u64 = 0x5eed_1234_5678_9abc;

/// What people do with a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Anything may be moved, and anywhere: the tree gets hundreds of levels deep.
    Random,
    /// One vertex in twenty is a folder, and of twenty moves nineteen move what has nothing below it.
    Doc,
}

/// In which order ops come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// As they were made, by one.
    Straight,
    /// The same, in any order.
    Shuffled,
    /// What two have in common, what one did offline, then what the other did meanwhile.
    Branches,
}

impl Shape {
    /// The shape of this name.
    pub(super) fn of(name: &str) -> Self {
        if name == "doc" { Self::Doc } else { Self::Random }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Doc { "doc" } else { "random" })
    }
}

impl Order {
    /// The order of this name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "shuffled" => Self::Shuffled,
            "branches" => Self::Branches,
            _ => Self::Straight,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Straight => "in order",
            Self::Shuffled => "shuffled",
            Self::Branches => "branches",
        })
    }
}

/// Numbers that follow from a seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn name(&mut self) -> String {
        let mut half = || (self.roll(1 << 32) as u64) << 32 | self.roll(1 << 32) as u64;
        format!("{:016x}{:016x}", half(), half())
    }
}

/// The tree as one author sees it.
#[derive(Clone)]
struct Author {
    peer: PeerId,
    clock: u64,
    names: Vec<VertexId>,
    parents: Vec<usize>,
    folders: Vec<usize>,
    leaves: Vec<usize>,
}

impl Author {
    fn id(&mut self) -> OpId {
        self.clock += 1;
        OpId::new(OpClock::new(self.clock).expect("it is far below the end"), self.peer.clone())
    }

    fn create(&mut self, shape: Shape, dice: &mut Dice) -> TreeOp {
        let parent = self.any_parent(shape, dice);
        let vertex = self.names.len();
        let is_folder = shape == Shape::Random || vertex.is_multiple_of(20);
        if is_folder { &mut self.folders } else { &mut self.leaves }.push(vertex);
        self.names.push(VertexId::new(dice.name()).expect("digits are a name"));
        self.parents.push(parent);
        TreeOp::moving(self.id(), self.names[vertex].clone(), Some(self.names[parent].clone()))
    }

    fn any_parent(&self, shape: Shape, dice: &mut Dice) -> usize {
        match shape {
            Shape::Random => dice.roll(self.names.len()),
            Shape::Doc => self.folders[dice.roll(self.folders.len())],
        }
    }

    /// A move that has an effect where it is made.
    fn relocate(&mut self, shape: Shape, dice: &mut Dice) -> TreeOp {
        loop {
            let moves_leaf = shape == Shape::Doc && !self.leaves.is_empty() && dice.roll(20) > 0;
            let movable = if moves_leaf { &self.leaves } else { &self.folders };
            let vertex = movable[dice.roll(movable.len())];
            let parent = self.any_parent(shape, dice);
            if vertex != 0 && !self.is_within(parent, vertex) {
                self.parents[vertex] = parent;
                return TreeOp::moving(
                    self.id(),
                    self.names[vertex].clone(),
                    Some(self.names[parent].clone()),
                );
            }
            if self.names.len() < 3 {
                return self.create(shape, dice);
            }
        }
    }

    fn is_within(&self, vertex: usize, upper: usize) -> bool {
        let mut at = vertex;
        while at != 0 && at != upper {
            at = self.parents[at];
        }
        at == upper
    }

    fn write(&mut self, dice: &mut Dice) -> TreeOp {
        let key = PropertyKey::new(["name", "text", "done"][dice.roll(3)]).expect("it is a word");
        let value = Json::from_canonical(format!("\"value {}\"", dice.roll(1_000_000)));
        let vertex = self.names[dice.roll(self.names.len())].clone();
        TreeOp::setting(self.id(), vertex, key, Some(value))
    }

    fn edit(&mut self, n_ops: usize, shape: Shape, dice: &mut Dice) -> Vec<TreeOp> {
        let each = (0..n_ops).map(|_| match dice.roll(3) {
            0 => self.create(shape, dice),
            1 => self.relocate(shape, dice),
            _ => self.write(dice),
        });
        each.collect()
    }
}

/// The ops of a history in the order in which they come.
pub(super) fn ops(shape: Shape, order: Order, n_ops: usize) -> Vec<TreeOp> {
    let mut dice = Dice(SEED);
    let peer = |dice: &mut Dice| PeerId::new(dice.name()).expect("digits are a peer");
    let root = VertexId::new(dice.name()).expect("digits are a name");
    let mut author = Author {
        peer: peer(&mut dice),
        clock: 0,
        names: vec![root.clone()],
        parents: vec![0],
        folders: vec![0],
        leaves: Vec::new(),
    };
    let mut ops = vec![TreeOp::moving(author.id(), root, None)];
    if order == Order::Branches {
        ops.extend(author.edit(BASE, shape, &mut dice));
        let mut other = Author { peer: peer(&mut dice), ..author.clone() };
        ops.extend(author.edit((n_ops - BASE) / 2, shape, &mut dice));
        ops.extend(other.edit((n_ops - BASE) / 2, shape, &mut dice));
        return ops;
    }
    ops.extend(author.edit(n_ops - 1, shape, &mut dice));
    if order == Order::Shuffled {
        for last in (1..ops.len()).rev() {
            ops.swap(last, dice.roll(last + 1));
        }
    }
    ops
}

/// An op as clients of RepTree write it.
pub(super) fn line(op: &TreeOp) -> String {
    let id = serde_json::json!({"counter": op.id.clock.get(), "peerId": op.id.peer.as_str()});
    let target = op.target.as_str();
    let json = match &op.action {
        TreeAction::Move { parent } => {
            serde_json::json!({"id": id, "targetId": target, "parentId": parent.as_ref().map(VertexId::as_str)})
        }
        TreeAction::Set { key, value } => {
            let value = value.as_ref().map(Json::to_value);
            serde_json::json!({"id": id, "targetId": target, "key": key.as_str(), "value": value, "transient": false})
        }
    };
    json.to_string()
}
