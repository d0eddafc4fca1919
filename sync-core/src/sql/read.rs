//! The statements that read records.

use sea_query::{Expr, ExprTrait, Query, SelectStatement};

use crate::sql::bulk::records_of;
use crate::sql::driver::{self, Dialect, Statement};
use crate::sql::pack::{Field, row, rows};
use crate::sql::tables::Records;
use crate::store::{FeedQuery, ScanQuery};
use crate::types::{RecordKey, SpaceId};

/// A page to read: which rows in which order, without columns and limit.
pub(super) struct Selection(SelectStatement);

impl Selection {
    /// The part of the feed that `query` asks for.
    pub(super) fn feed(space: &SpaceId, query: &FeedQuery) -> Self {
        let mut select = of_space(space);
        select.and_where(Expr::col(Records::Version).gt(query.after.get()));
        select.and_where(Expr::col(Records::Version).lte(query.up_to.get()));
        if let Some(names) = &query.collections {
            select.and_where(Expr::col(Records::Collection).is_in(names.iter().map(|name| name.as_str())));
        }
        select.order_by(Records::Version, sea_query::Order::Asc);
        Self(select)
    }

    /// The part of the space that `query` asks for; `None` when nothing can be there.
    pub(super) fn scan(space: &SpaceId, query: &ScanQuery) -> Option<Self> {
        let mut select = of_space(space);
        if let Some(collection) = &query.collection {
            select.and_where(Expr::col(Records::Collection).eq(collection.as_str()));
        }
        if let Some(after) = &query.after {
            select.and_where(after_key(query, after)?);
        }
        if !query.tombstones {
            select.and_where(Expr::col(Records::Data).is_not_null());
        }
        select
            .order_by(Records::Collection, sea_query::Order::Asc)
            .order_by(Records::Id, sea_query::Order::Asc);
        Some(Self(select))
    }

    /// The lengths of the contents of the first `limit` rows.
    pub(super) fn sizes(&self, dialect: Dialect, limit: usize) -> Statement {
        let mut select = self.0.clone();
        select.limit(driver::limit(limit));
        let size = Expr::cust("CAST(coalesce(octet_length(\"data\"), 0) AS text)");
        Statement::new(dialect, &rows(size, select))
    }

    /// The first `limit` rows.
    pub(super) fn records(&self, dialect: Dialect, limit: usize) -> Statement {
        let mut select = self.0.clone();
        select.limit(driver::limit(limit));
        Statement::new(dialect, &rows(record_row(), select))
    }
}

/// The records of these keys, in no order.
pub(super) fn by_keys(dialect: Dialect, space: &SpaceId, keys: &[RecordKey]) -> Statement {
    records_of(dialect, space, keys, record_row())
}

fn of_space(space: &SpaceId) -> SelectStatement {
    Query::select().from(Records::Table).and_where(Expr::col(Records::Space).eq(space.as_str())).take()
}

/// With the collection fixed, a condition on the id alone: it can be answered from the key's index.
fn after_key(query: &ScanQuery, after: &RecordKey) -> Option<Expr> {
    match &query.collection {
        None => Some(
            Expr::tuple([Expr::col(Records::Collection), Expr::col(Records::Id)])
                .gt(Expr::tuple([Expr::val(after.collection.as_str()), Expr::val(after.id.as_str())])),
        ),
        Some(collection) if *collection < after.collection => None,
        Some(collection) if *collection > after.collection => Some(Expr::val(1).eq(1)),
        Some(_) => Some(Expr::col(Records::Id).gt(after.id.as_str())),
    }
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
