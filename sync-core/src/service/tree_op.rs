//! The rules for ops of trees in a batch: they are added, and never change.
//!
//! An op has no base and never clashes; what two authors do at once is settled by the order of ops, the same on every copy.
//! What is left to decide is whether it is an op, whether it is known, and whether its author may number ops like that.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::mutation::{Mutation, Op};
use crate::protocol::code;
use crate::service::Limits;
use crate::service::decide::Decision;
use crate::service::stage::{Author, Stage};
use crate::types::{
    ActorId, Collection, OpId, PeerId, Record, RecordId, RecordKey, TreeId, TreeOp, TreeOpError,
};

/// Where it is kept to whom a peer belongs: the id of a record is the peer's.
const PEERS: &str = "$peers";
/// Where it is kept how far a tree is: the id of a record is the tree's.
const TREES: &str = "$trees";

/// What is known of a peer.
#[derive(Serialize, Deserialize)]
struct Peer {
    /// Whose ops it numbers.
    actor: ActorId,
}

/// How far a tree is, so that neither a push nor a report has to look through its ops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TreeBook {
    /// The latest clock of an op in it; zero when there is none.
    pub(super) clock: u64,
    /// How many ops it has.
    pub(super) n_ops: u64,
}

/// What a decision about an op depends on besides the op itself.
#[derive(Debug)]
pub(super) struct OpFacts {
    /// The latest clock that is believed.
    latest: u64,
    /// Whether its peer belongs to someone else than its author.
    is_foreign: bool,
    /// See [`Limits::op_bytes_max`].
    bytes_max: usize,
}

/// Decides about a mutation of a tree's collection. `current` is the op that is known by this id.
pub(super) fn decide(mutation: &Mutation, current: Option<&Record>, facts: &OpFacts) -> Decision {
    let op = match read(mutation, facts.bytes_max) {
        Ok(op) => op,
        Err(refused) => return refused,
    };
    let Op::Put(data) = &mutation.op else { unreachable!("it was read as an op") };
    match current.map(|record| record.data.as_ref()) {
        // Also when someone else sends it on: it is what everyone has.
        Some(Some(known)) if known == data => Decision::Unchanged,
        Some(_) => reject(
            code::OP_CONFLICT,
            "another op of this tree has the same clock and peer: peers must never share an id",
        ),
        None if facts.is_foreign => reject(
            code::FORBIDDEN_CLIENT,
            "this peer id belongs to someone else: number your ops as another peer",
        ),
        // How far the tree is, is nobody's to know who may not read it.
        None if op.id.clock.get() > facts.latest => {
            reject(code::CLOCK_DRIFT, "the clock of this op is too far ahead of its tree")
        }
        None => Decision::Write { data: Some(data.clone()), merged: false, lost: Vec::new() },
    }
}

fn read(mutation: &Mutation, bytes_max: usize) -> Result<TreeOp, Decision> {
    let Op::Put(data) = &mutation.op else {
        return Err(reject(code::VALIDATION_FAILED, "ops of a tree are put, and never change"));
    };
    if data.as_str().len() > bytes_max {
        return Err(reject(
            code::VALIDATION_FAILED,
            format!("an op of a tree has at most {bytes_max} bytes"),
        ));
    }
    let op = TreeOp::from_record(&mutation.key.id, data.as_str());
    op.and_then(|op| op.check().map(|()| op)).map_err(|error| match error {
        TreeOpError::Clock => reject(code::VERSION_OUT_OF_RANGE, error.to_string()),
        _ => reject(code::VALIDATION_FAILED, error.to_string()),
    })
}

fn reject(code: &'static str, detail: impl Into<String>) -> Decision {
    Decision::Reject { code, detail: detail.into() }
}

/// The keys under which it is kept to whom the peer of an op belongs, and how far its tree is.
pub(super) fn books_of(key: &RecordKey) -> impl Iterator<Item = RecordKey> + use<> {
    let tree = key.collection.tree();
    let peer = tree.as_ref().and_then(|_| OpId::from_record_id(&key.id).ok());
    peer.map(|id| peer_key(&id.peer)).into_iter().chain(tree.map(|tree| tree_key(&tree)))
}

fn peer_key(peer: &PeerId) -> RecordKey {
    book_key(PEERS, peer.as_str())
}

fn tree_key(tree: &TreeId) -> RecordKey {
    book_key(TREES, tree.as_str())
}

fn book_key(collection: &'static str, name: &str) -> RecordKey {
    let id = RecordId::new(name).expect("names of peers and trees are fit for record ids");
    RecordKey::new(Collection::system(collection), id)
}

/// What is known about the tree and the peer of a mutation, if it is about a tree.
pub(super) fn facts(stage: &Stage, mutation: &Mutation, author: &Author, limits: &Limits) -> Option<OpFacts> {
    let tree = mutation.key.collection.tree()?;
    let peer = OpId::from_record_id(&mutation.key.id).ok().map(|id| peer_key(&id.peer));
    let owner = peer.and_then(|peer| read_book::<Peer>(stage, &peer));
    // As the tree was before this batch, or a batch could lead far away step by step.
    let before = read_book::<TreeBook>(stage, &tree_key(&tree)).unwrap_or_default();
    Some(OpFacts {
        latest: before.clock.saturating_add(limits.op_clock_ahead_max),
        is_foreign: owner.is_some_and(|owner| owner.actor != author.actor),
        bytes_max: limits.op_bytes_max,
    })
}

/// How far a tree is, with the ops so far.
fn book(stage: &Stage, collection: &Collection, tree: &TreeId) -> TreeBook {
    stage.tree(collection).or_else(|| read_book(stage, &tree_key(tree))).unwrap_or_default()
}

fn read_book<T: DeserializeOwned>(stage: &Stage, key: &RecordKey) -> Option<T> {
    serde_json::from_str(stage.current(key)?.data.as_ref()?.as_str()).ok()
}

/// Notes what an op that was added says of its tree and its peer: whoever uses a peer id first owns it.
pub(super) fn remember(stage: &mut Stage, mutation: &Mutation, author: &Author) -> Result<()> {
    let collection = &mutation.key.collection;
    let (Some(tree), Ok(id)) = (collection.tree(), OpId::from_record_id(&mutation.key.id)) else {
        return Ok(());
    };
    let TreeBook { clock, n_ops } = book(stage, collection, &tree);
    stage.note_tree(collection, TreeBook { clock: clock.max(id.clock.get()), n_ops: n_ops + 1 });
    let peer = peer_key(&id.peer);
    if stage.current(&peer).is_some() {
        return Ok(());
    }
    write_book(stage, &peer, &Peer { actor: author.actor.clone() }, author)
}

/// Writes down how far the trees are that got ops: once for a batch, not for each op.
pub(super) fn write_books(stage: &mut Stage, now: Timestamp) -> Result<()> {
    let actor = ActorId::new("system").expect("a plain word is a valid actor");
    let author = Author { actor, client: None, now };
    for (collection, book) in stage.take_trees() {
        if let Some(tree) = collection.tree() {
            write_book(stage, &tree_key(&tree), &book, &author)?;
        }
    }
    Ok(())
}

fn write_book(stage: &mut Stage, key: &RecordKey, book: &impl Serialize, author: &Author) -> Result<()> {
    let data = Json::from_value(&serde_json::json!(book)).expect("an entry of a book is far below any limit");
    stage.write(key, Some(data), author.now, author).map(|_| ())
}

#[cfg(test)]
mod tests;
