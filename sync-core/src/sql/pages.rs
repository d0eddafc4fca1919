//! Pages whose rows come from one table or from two: always one statement, and never more rows than the page has.

use sea_query::{Alias, Expr, Order, Query, SelectStatement, UnionType};

use crate::sql::driver::{self, Dialect, Statement};
use crate::sql::pack::{self, PACKED};

const POSITION: &str = "position";
const PART: &str = "part";

/// Rows of one table, in an order that one of its indexes has.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Which rows, without columns, order and limit.
    pub(super) select: SelectStatement,
    /// The columns they are ordered by.
    pub(super) order: Vec<&'static str>,
    /// The expression that packs a row.
    pub(super) row: fn() -> Expr,
    /// The expression for the length of its content, as text.
    pub(super) size: fn() -> Expr,
}

/// How the rows of several parts become one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// Each part begins where the one before it ends.
    InTurn,
    /// By the first column of their order, which is a number.
    ByPosition,
}

/// A page to read: which rows in which order, without columns and limit.
#[derive(Debug)]
pub(super) struct Selection {
    /// One part at least.
    pub(super) parts: Vec<Part>,
    pub(super) joined: Joined,
    pub(super) direction: Order,
}

impl Selection {
    /// The lengths of the contents of the first `limit` rows.
    pub(super) fn sizes(&self, dialect: Dialect, limit: usize) -> Statement {
        self.list(dialect, limit, |part| (part.size)())
    }

    /// The first `limit` rows.
    pub(super) fn records(&self, dialect: Dialect, limit: usize) -> Statement {
        self.list(dialect, limit, |part| (part.row)())
    }

    fn list(&self, dialect: Dialect, limit: usize, packed: impl Fn(&Part) -> Expr) -> Statement {
        if let [part] = self.parts.as_slice() {
            return Statement::new(dialect, &pack::rows(packed(part), self.first(part, limit)));
        }
        let mut parts = self.parts.iter().map(|part| match (self.joined, dialect) {
            // SQLite merges what is ordered by an index, row by row, when it is asked for as a whole.
            (Joined::ByPosition, Dialect::Sqlite) => with_position(part, part.select.clone(), packed(part)),
            // Postgres does so only with what is known to be ordered and short.
            (Joined::ByPosition, Dialect::Postgres) => {
                let first = with_position(part, self.first(part, limit), packed(part));
                Query::select().columns([PACKED, POSITION].map(Alias::new)).from_subquery(first, PART).take()
            }
            (Joined::InTurn, _) => {
                let first = self.first(part, limit).expr_as(packed(part), PACKED).take();
                Query::select().column(Alias::new(PACKED)).from_subquery(first, PART).take()
            }
        });
        let mut list = parts.next().expect("a selection has a part");
        list.unions(parts.map(|part| (UnionType::All, part)));
        if self.joined == Joined::ByPosition {
            list.order_by(Alias::new(POSITION), self.direction.clone());
        }
        // Without an order, both databases read part after part, and stop at the limit. That they did is verified with the
        // order of what was read.
        list.limit(driver::limit(limit));
        Statement::new(dialect, &pack::joined(list))
    }

    /// The first rows of one part.
    fn first(&self, part: &Part, limit: usize) -> SelectStatement {
        let mut select = part.select.clone();
        for column in &part.order {
            select.order_by(Alias::new(*column), self.direction.clone());
        }
        select.limit(driver::limit(limit)).take()
    }
}

fn with_position(part: &Part, mut select: SelectStatement, packed: Expr) -> SelectStatement {
    let position = Alias::new(part.order.first().copied().unwrap_or(POSITION));
    select.expr_as(packed, PACKED).expr_as(Expr::col(position), POSITION).take()
}
