//! The statements about ops of trees, and their rows. To whoever is above, an op is a record; here it is a row of a table of
//! its own, with a column for each thing it says.

use sea_query::{Expr, ExprTrait, Query, SelectStatement};

use crate::error::Result;
use crate::sql::bulk::{Cell, Insert};
use crate::sql::driver::{Dialect, Statement};
use crate::sql::keys::Keyed;
use crate::sql::pack::{FIELD, damaged, split_exactly};
use crate::sql::pages::Part;
use crate::sql::tables::TreeOps;
use crate::sql::write::Op;
use crate::store::{FeedQuery, stored_meta};
use crate::types::{Collection, OpId, OpParts, RecordKey, SpaceId, TreeId};

/// Before the name of the tree in a packed row, so that it is told from the name of a collection.
const TREE_MARK: char = '@';
/// The name of the tree of a row, marked.
pub(super) const MARKED_TREE: &str = "'@' || \"tree_id\"";
/// Before a packed text that may be missing: then its field is empty.
const PRESENT: char = '=';

const TREE_OPS: Insert<TreeOps, 9> = Insert {
    table: TreeOps::Table,
    space: TreeOps::SpaceId,
    columns: [
        TreeOps::TreeId,
        TreeOps::Clock,
        TreeOps::PeerId,
        TreeOps::TargetId,
        TreeOps::ParentId,
        TreeOps::Key,
        TreeOps::Value,
        TreeOps::Seq,
        TreeOps::Meta,
    ],
    n_key: Some(3),
    n_fixed: 4,
};

const KEYED: Keyed<TreeOps, 3> = Keyed {
    table: TreeOps::Table,
    space: TreeOps::SpaceId,
    columns: [TreeOps::TreeId, TreeOps::Clock, TreeOps::PeerId],
};

/// Writes ops. Of one that is there only what is known of it is replaced, and only where it says the same.
pub(super) fn write(dialect: Dialect, space: &SpaceId, ops: &[Op<'_>]) -> Statement {
    TREE_OPS.rows(dialect, space, &ops.iter().map(cells).collect::<Vec<_>>())
}

fn cells<'a>(op: &'a Op<'_>) -> [Cell<'a>; 9] {
    let OpParts { target, parent, key, value } = op.op.parts();
    let [tree, clock, peer] = key_cells(&op.record.key, &op.op.id);
    [
        tree,
        clock,
        peer,
        target.into(),
        Cell::MaybeText(parent),
        Cell::AnyText(key),
        Cell::MaybeText(value),
        Cell::Int(op.record.meta.version.get()),
        stored_meta(op.record).into(),
    ]
}

fn key_cells<'a>(key: &'a RecordKey, id: &'a OpId) -> [Cell<'a>; 3] {
    let clock = i64::try_from(id.clock.get()).expect("clocks end below 2^53");
    [tree_of(&key.collection).into(), Cell::Int(clock), id.peer.as_str().into()]
}

/// The name of the tree in the name of its collection.
pub(super) fn tree_of(collection: &Collection) -> &str {
    collection.as_str().strip_prefix(Collection::TREE_PREFIX).unwrap_or_default()
}

/// Ids of ops among these keys; what is no id of an op is the key of nothing.
pub(super) fn ids_of(keys: &[RecordKey]) -> Vec<(&RecordKey, OpId)> {
    let is_tree = keys.iter().filter(|key| key.collection.is_tree());
    is_tree.filter_map(|key| Some((key, OpId::from_record_id(&key.id).ok()?))).collect()
}

/// The ops of these keys, in no order.
pub(super) fn by_keys(dialect: Dialect, space: &SpaceId, keys: &[(&RecordKey, OpId)]) -> Statement {
    KEYED.read(dialect, space, &keys.iter().map(|(key, id)| key_cells(key, id)).collect::<Vec<_>>(), row())
}

/// Removes the ops of these keys without a trace.
pub(super) fn delete(dialect: Dialect, space: &SpaceId, keys: &[(&RecordKey, OpId)]) -> Statement {
    KEYED.delete(dialect, space, &keys.iter().map(|(key, id)| key_cells(key, id)).collect::<Vec<_>>())
}

pub(super) fn of_space(space: &SpaceId) -> SelectStatement {
    Query::select().from(TreeOps::Table).and_where(Expr::col(TreeOps::SpaceId).eq(space.as_str())).take()
}

/// The ops in a part of the feed.
pub(super) fn feed(space: &SpaceId, query: &FeedQuery) -> Part {
    let mut select = of_space(space);
    select.and_where(Expr::col(TreeOps::Seq).gt(query.after.get()));
    select.and_where(Expr::col(TreeOps::Seq).lte(query.up_to.get()));
    if let Some(names) = &query.collections {
        let trees = names.iter().filter(|name| name.is_tree()).map(tree_of);
        select.and_where(Expr::col(TreeOps::TreeId).is_in(trees));
    }
    part(select, vec!["seq"])
}

/// These ops, in the order of these columns.
pub(super) fn part(select: SelectStatement, order: Vec<&'static str>) -> Part {
    Part { select, order, row, size }
}

/// The columns of one op: as many fields as a record has, the last one made of more.
fn row() -> Expr {
    let maybe = |column: &str| format!("coalesce('{PRESENT}' || \"{column}\", '')");
    Expr::cust(format!(
        "concat_ws('{FIELD}', \"seq\", {MARKED_TREE}, \"clock\" || '@' || \"peer_id\", \"meta\", \
         \"target_id\", {}, {}, {})",
        maybe("parent_id"),
        maybe("key"),
        maybe("value")
    ))
}

/// The length of the content of one op, but for what quotes and backslashes in names add: pages are cut again when they
/// are read.
fn size() -> Expr {
    Expr::cust(
        "CAST(octet_length(\"target_id\") + CASE WHEN \"key\" IS NULL \
         THEN 23 + coalesce(octet_length(\"parent_id\") + 2, 4) \
         ELSE 22 + octet_length(\"key\") + coalesce(octet_length(\"value\") + 9, 0) END AS text)",
    )
}

/// The collection that was packed with a count of its records or, marked, of its ops.
pub(super) fn counted_collection(name: &str) -> Result<Collection> {
    match name.strip_prefix(TREE_MARK) {
        Some(tree) => TreeId::new(tree).map(|tree| Collection::of_tree(&tree)),
        None => Collection::from_stored(name),
    }
    .map_err(|_| damaged())
}

/// Makes records of packed ops. One of these is for all rows of a page: a tree is named once.
#[derive(Debug, Default)]
pub(super) struct OpReader {
    collection: String,
    id: String,
}

impl OpReader {
    /// The collection, the id and the content of a packed op; `None` when it is a packed record. Nothing is compared yet.
    pub(super) fn read(&mut self, tree: &str, id: &str, rest: &str) -> Result<Option<(&str, &str, String)>> {
        let Some(tree) = tree.strip_prefix(TREE_MARK) else { return Ok(None) };
        if self.collection.strip_prefix(Collection::TREE_PREFIX) != Some(tree) {
            self.collection = format!("{}{tree}", Collection::TREE_PREFIX);
        }
        let (clock, peer) = id.split_once('@').ok_or_else(damaged)?;
        self.id = format!("{clock:0>16}@{peer}");
        Ok(Some((&self.collection, &self.id, content(rest)?)))
    }
}

fn content(fields: &str) -> Result<String> {
    let [target, parent, key, value] = split_exactly(fields, FIELD)?;
    let (parent, key, value) = (present(parent)?, present(key)?, present(value)?);
    // What has no place in the text would be lost on the way to the checksum.
    let is_odd = if key.is_none() { value.is_some() } else { parent.is_some() };
    if is_odd { Err(damaged()) } else { Ok(OpParts { target, parent, key, value }.content()) }
}

fn present(field: &str) -> Result<Option<&str>> {
    match field {
        "" => Ok(None),
        _ => field.strip_prefix(PRESENT).map(Some).ok_or_else(damaged),
    }
}
