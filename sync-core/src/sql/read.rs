//! Which records and ops a page consists of.

use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

use crate::sql::bulk::Cell;
use crate::sql::driver::{Dialect, Statement};
use crate::sql::keys::Keyed;
use crate::sql::op_bound::OpBound;
use crate::sql::pack::{Field, row};
use crate::sql::pages::{Joined, Part, Selection};
use crate::sql::tables::{Records, TreeOps};
use crate::sql::tree_ops;
use crate::store::{FeedQuery, ScanQuery};
use crate::types::{Collection, RecordKey, SpaceId};

const KEYED: Keyed<Records, 2> =
    Keyed { table: Records::Table, space: Records::Space, columns: [Records::Collection, Records::Id] };

/// How many records by key one statement reads: 500 of 1 MiB stay below the 10^9 bytes that SQLite takes for a text.
const READ_KEYS_MAX: usize = 500;

/// The first text that is greater than the names of all collections of trees: one more than the last character of what they
/// begin with.
const AFTER_TREES: &str = "$tree;";

/// The part of the feed that `query` asks for.
pub(super) fn feed(space: &SpaceId, query: &FeedQuery) -> Selection {
    let names = query.collections.as_deref();
    let has_trees = names.is_none_or(|names| names.iter().any(Collection::is_tree));
    // No name at all is a question about records, of which none is found.
    let has_others = names.is_none_or(|names| names.is_empty() || names.iter().any(|name| !name.is_tree()));
    let mut parts = Vec::with_capacity(2);
    if has_others {
        parts.push(feed_of_records(space, query));
    }
    if has_trees {
        parts.push(tree_ops::feed(space, query));
    }
    Selection { parts, joined: Joined::ByPosition, direction: Order::Asc }
}

fn feed_of_records(space: &SpaceId, query: &FeedQuery) -> Part {
    let mut select = of_space(space);
    select.and_where(Expr::col(Records::Version).gt(query.after.get()));
    select.and_where(Expr::col(Records::Version).lte(query.up_to.get()));
    if let Some(names) = &query.collections {
        let names = names.iter().filter(|name| !name.is_tree()).map(|name| name.as_str());
        select.and_where(Expr::col(Records::Collection).is_in(names));
    }
    part(select, vec!["version"])
}

/// The part of the space that `query` asks for; `None` when nothing can be there.
pub(super) fn scan(space: &SpaceId, query: &ScanQuery) -> Option<Selection> {
    let direction = if query.descending { Order::Desc } else { Order::Asc };
    let parts = match &query.collection {
        None => scan_of_all(space, query),
        Some(collection) => vec![scan_of_one(space, query, collection)?],
    };
    Some(Selection { parts, joined: Joined::InTurn, direction })
}

/// One collection. With it fixed, a condition on the id alone can be answered from the key's index.
fn scan_of_one(space: &SpaceId, query: &ScanQuery, collection: &Collection) -> Option<Part> {
    let is_passed =
        |after: &Collection| if query.descending { after < collection } else { after > collection };
    if query.after.as_ref().is_some_and(|after| is_passed(&after.collection)) {
        return None;
    }
    let after = query.after.as_ref().filter(|after| after.collection == *collection);
    let after = after.map(|after| after.id.as_str());
    if collection.is_tree() {
        let mut select = tree_ops::of_space(space);
        select.and_where(Expr::col(TreeOps::TreeId).eq(tree_ops::tree_of(collection)));
        select.and_where_option(after.map(|after| OpBound::of(after).is_passed(query.descending)));
        return Some(tree_ops::part(select, vec!["clock", "peer_id"]));
    }
    let mut select = of_space(space);
    select.and_where(Expr::col(Records::Collection).eq(collection.as_str()));
    let id = || Expr::col(Records::Id);
    select
        .and_where_option(after.map(|after| if query.descending { id().lt(after) } else { id().gt(after) }));
    Some(part(living(select, query), vec!["id"]))
}

/// All collections: those before the trees, the trees, and those behind them.
fn scan_of_all(space: &SpaceId, query: &ScanQuery) -> Vec<Part> {
    let name = || Expr::col(Records::Collection);
    let of_trees = Collection::TREE_PREFIX;
    let (before, behind) = (name().lt(of_trees), name().gte(AFTER_TREES));
    let after = query.after.as_ref();
    // Where the key to go on after lies: what is between it and the beginning of the scan is passed.
    let place = after.map(|after| match after.collection.as_str() {
        name if name < of_trees => 0,
        name if name < AFTER_TREES => 1,
        _ => 2,
    });
    let is_left = |n: usize| place.is_none_or(|place| if query.descending { n <= place } else { n >= place });
    let within = |n: usize| after.filter(|_| place == Some(n));
    let mut parts = Vec::with_capacity(3);
    if is_left(0) {
        parts.push(all_records(space, query, before, within(0)));
    }
    if is_left(1) {
        parts.push(all_ops(space, query, within(1)));
    }
    if is_left(2) {
        parts.push(all_records(space, query, behind, within(2)));
    }
    if query.descending {
        parts.reverse();
    }
    parts
}

fn all_records(space: &SpaceId, query: &ScanQuery, which: Expr, after: Option<&RecordKey>) -> Part {
    let mut select = of_space(space);
    select.and_where(which);
    if let Some(after) = after {
        let key = Expr::tuple([Expr::col(Records::Collection), Expr::col(Records::Id)]);
        let place = Expr::tuple([Expr::val(after.collection.as_str()), Expr::val(after.id.as_str())]);
        select.and_where(if query.descending { key.lt(place) } else { key.gt(place) });
    }
    part(living(select, query), vec!["collection", "id"])
}

fn all_ops(space: &SpaceId, query: &ScanQuery, after: Option<&RecordKey>) -> Part {
    let mut select = tree_ops::of_space(space);
    select.and_where_option(after.map(|after| {
        let (tree, bound) = (tree_ops::tree_of(&after.collection), OpBound::of(after.id.as_str()));
        bound.is_passed_among_trees(tree, query.descending)
    }));
    tree_ops::part(select, vec!["tree_id", "clock", "peer_id"])
}

fn living(mut select: SelectStatement, query: &ScanQuery) -> SelectStatement {
    if !query.tombstones {
        select.and_where(Expr::col(Records::Data).is_not_null());
    }
    select
}

/// The statements that read the records and ops of these keys, in no order: as a rule one for each kind that is asked for.
pub(super) fn by_keys(dialect: Dialect, space: &SpaceId, keys: &[RecordKey]) -> Vec<Statement> {
    let (others, ops) = (keys_of_records(keys), tree_ops::ids_of(keys));
    let others = others.chunks(READ_KEYS_MAX).map(|chunk| {
        let keys: Vec<_> = chunk.iter().map(|key| key_cells(key)).collect();
        KEYED.read(dialect, space, &keys, record_row())
    });
    others.chain(ops.chunks(READ_KEYS_MAX).map(|chunk| tree_ops::by_keys(dialect, space, chunk))).collect()
}

/// Those of the keys that are not of trees.
pub(super) fn keys_of_records(keys: &[RecordKey]) -> Vec<&RecordKey> {
    keys.iter().filter(|key| !key.collection.is_tree()).collect()
}

/// Removes the records of these keys without a trace.
pub(super) fn delete(dialect: Dialect, space: &SpaceId, keys: &[&RecordKey]) -> Statement {
    KEYED.delete(dialect, space, &keys.iter().map(|key| key_cells(key)).collect::<Vec<_>>())
}

fn key_cells(key: &RecordKey) -> [Cell<'_>; 2] {
    [key.collection.as_str().into(), key.id.as_str().into()]
}

fn of_space(space: &SpaceId) -> SelectStatement {
    Query::select().from(Records::Table).and_where(Expr::col(Records::Space).eq(space.as_str())).take()
}

fn part(select: SelectStatement, order: Vec<&'static str>) -> Part {
    Part { select, order, row: record_row, size: record_size }
}

fn record_row() -> Expr {
    row([
        Field::Of(Records::Version),
        Field::Of(Records::Collection),
        Field::Of(Records::Id),
        Field::Of(Records::Meta),
        Field::OrEmpty(Records::Data),
    ])
}

fn record_size() -> Expr {
    Expr::cust("CAST(coalesce(octet_length(\"data\"), 0) AS text)")
}
