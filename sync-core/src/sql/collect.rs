//! The statements that remove what lies below the floor.

use sea_query::{Expr, ExprTrait, Query};

use crate::sql::driver::{self, Dialect, Statement};
use crate::sql::tables::{Commits, Log, Records, Spaces};
use crate::sql::write::delete_of;
use crate::types::{Seq, SpaceId};

/// Raises the floor to `floor`, or leaves it where it is when it is higher.
pub(super) fn raise_floor(dialect: Dialect, space: &SpaceId, floor: Seq) -> Statement {
    let mut update = Query::update().table(Spaces::Table).value(Spaces::Floor, floor.get()).take();
    update
        .and_where(Expr::col(Spaces::Space).eq(space.as_str()))
        .and_where(Expr::col(Spaces::Floor).lt(floor.get()));
    Statement::new(dialect, &update)
}

/// What lies below the floor, oldest first: tombstones by version, log entries by number, commits by their last seq.
#[derive(Clone, Copy, Debug)]
pub(super) enum Collectable {
    Tombstones,
    LogEntries,
    Commits,
}

impl Collectable {
    /// How many of the oldest `n` may go, and the position of the last of them: one row of two numbers.
    ///
    /// Log entries are counted among the `n` oldest only: their heads never fall, so the scan need not go on.
    pub(super) fn count(self, dialect: Dialect, space: &SpaceId, floor: Seq, n: usize) -> Statement {
        let mut query = match self {
            Self::Tombstones => tombstones(space)
                .and_where(Expr::col(Records::Version).lte(floor.get()))
                .expr(Expr::cust("\"version\" AS \"position\""))
                .order_by(Records::Version, sea_query::Order::Asc)
                .take(),
            Self::LogEntries => Query::select()
                .from(Log::Table)
                .and_where(Expr::col(Log::Space).eq(space.as_str()))
                .expr(Expr::cust("\"entry\" AS \"position\", \"head\""))
                .order_by(Log::Entry, sea_query::Order::Asc)
                .take(),
            // The commit that ends at the floor stays.
            Self::Commits => Query::select()
                .from(Commits::Table)
                .and_where(Expr::col(Commits::Space).eq(space.as_str()))
                .and_where(Expr::col(Commits::Last).lt(floor.get()))
                .expr(Expr::cust("\"last\" AS \"position\""))
                .order_by(Commits::Last, sea_query::Order::Asc)
                .take(),
        };
        query.limit(driver::limit(n));
        let mut count = Query::select()
            .expr(Expr::cust("concat_ws('\u{1f}', count(*), coalesce(max(\"position\"), 0))"))
            .from_subquery(query, "oldest")
            .take();
        if matches!(self, Self::LogEntries) {
            count.and_where(Expr::col(Log::Head).lte(floor.get()));
        }
        Statement::new(dialect, &count)
    }

    /// Removes those at positions below `end`.
    pub(super) fn remove(self, dialect: Dialect, space: &SpaceId, end: i64) -> Statement {
        let delete = match self {
            Self::Tombstones => delete_of(Records::Table, Records::Space, space)
                .and_where(Expr::col(Records::Data).is_null())
                .and_where(Expr::col(Records::Version).lt(end))
                .take(),
            Self::LogEntries => {
                delete_of(Log::Table, Log::Space, space).and_where(Expr::col(Log::Entry).lt(end)).take()
            }
            Self::Commits => delete_of(Commits::Table, Commits::Space, space)
                .and_where(Expr::col(Commits::Last).lt(end))
                .take(),
        };
        Statement::new(dialect, &delete)
    }
}

fn tombstones(space: &SpaceId) -> sea_query::SelectStatement {
    Query::select()
        .from(Records::Table)
        .and_where(Expr::col(Records::Space).eq(space.as_str()))
        .and_where(Expr::col(Records::Data).is_null())
        .take()
}
