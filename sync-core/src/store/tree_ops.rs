//! What every store has to know of the ops of trees: they are records that never change.

use crate::error::{Error, ErrorKind, Result};
use crate::store::CommitWrite;
use crate::types::{Record, TreeOp};

/// The op that a record is, or `None` when its collection is not a tree's.
///
/// # Errors
///
/// [`Invalid`](ErrorKind::Invalid) with code `not_an_op` when it is in the collection of a tree and is no op: its id or its
/// content is something else, is an op in other words than [`TreeOp::content`], or is missing.
///
/// ```
/// use sync_core::store::tree_op;
/// use sync_core::{ActorId, Record, RecordMeta, Seq, TreeId, TreeOp, VertexId};
/// let op = TreeOp::moving("3@a1".parse()?, VertexId::new("intro")?, None);
/// let meta = RecordMeta::first(Seq::new(7)?, ActorId::new("ada")?);
/// let record = Record { key: op.key(&TreeId::new("outline")?), data: Some(op.content()), meta };
/// assert_eq!(tree_op(&record)?, Some(op));
/// assert!(tree_op(&Record { data: None, ..record }).is_err(), "ops have no tombstones");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn tree_op(record: &Record) -> Result<Option<TreeOp>> {
    if !record.key.collection.is_tree() {
        return Ok(None);
    }
    let refused = |why: String| {
        let message = format!("record {} is not an op of a tree: {why}", record.key);
        Error::new(ErrorKind::Invalid, message).with_code("not_an_op")
    };
    let Some(content) = &record.data else { return Err(refused("it is deleted".to_owned())) };
    let op = TreeOp::from_record(&record.key.id, content.as_str()).map_err(|why| refused(why.to_string()))?;
    if op.content() != *content {
        return Err(refused("it is written in other words".to_owned()));
    }
    Ok(Some(op))
}

/// Makes sure that what is written to the trees of a space are ops: the first thing that `apply` of a store does, before it
/// writes anything.
///
/// # Errors
///
/// Those of [`tree_op`], for the first record that is none.
pub fn check_tree_ops(write: &CommitWrite) -> Result<()> {
    write.records.iter().try_for_each(|record| tree_op(record).map(drop))
}

/// Whether the state of a record gives way to a new one. An op gives way to itself only, so that what is known of it can
/// change and what it says cannot.
pub fn gives_way(old: &Record, new: &Record) -> bool {
    !old.key.collection.is_tree() || old.data == new.data
}

/// The op that a store has in one of its trees.
///
/// # Errors
///
/// [`Corrupt`](ErrorKind::Corrupt) when it is none: a store takes nothing else.
pub(crate) fn stored_op(record: &Record) -> Result<TreeOp> {
    let content = record.data.as_ref().map_or("", |data| data.as_str());
    TreeOp::from_record(&record.key.id, content)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "a record of a tree is not an op").with_source(error))
}
