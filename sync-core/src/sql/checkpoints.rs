//! The statements about checkpoints of trees.

use sea_query::{Expr, ExprTrait, Query};

use crate::sql::bulk::{Cell, Insert};
use crate::sql::driver::{Dialect, Statement};
use crate::sql::tables::TreeCheckpoints;
use crate::store::TreeCheckpoint;
use crate::types::{SpaceId, TreeId};

const CHECKPOINTS: Insert<TreeCheckpoints, 2> = Insert {
    table: TreeCheckpoints::Table,
    space: TreeCheckpoints::SpaceId,
    columns: [TreeCheckpoints::TreeId, TreeCheckpoints::Body],
    n_key: Some(1),
    n_fixed: 0,
};

/// Replaces the checkpoint of a tree. One at a time: each may be as large as a statement should be.
pub(super) fn write(dialect: Dialect, space: &SpaceId, checkpoint: &TreeCheckpoint) -> Statement {
    let row: [Cell<'_>; 2] = [checkpoint.tree.as_str().into(), checkpoint.body.as_str().into()];
    CHECKPOINTS.rows(dialect, space, &[row])
}

/// The checkpoint of a tree.
pub(super) fn read(dialect: Dialect, space: &SpaceId, tree: &TreeId) -> Statement {
    let mut select = Query::select();
    select.column(TreeCheckpoints::Body).from(TreeCheckpoints::Table);
    select.and_where(Expr::col(TreeCheckpoints::SpaceId).eq(space.as_str()));
    select.and_where(Expr::col(TreeCheckpoints::TreeId).eq(tree.as_str()));
    Statement::new(dialect, &select)
}
