//! The statements about replicas.

use sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};

use crate::error::Result;
use crate::sql::driver::{self, Dialect, Statement};
use crate::sql::pack::{Field, check_plain, row, rows};
use crate::sql::tables::Clients;
use crate::store::ClientState;
use crate::types::{ClientId, SpaceId, Tag};

/// Replaces what is known of replicas.
pub(super) fn write(dialect: Dialect, space: &SpaceId, clients: &[ClientState]) -> Result<Statement> {
    let columns = [
        Clients::Space,
        Clients::Client,
        Clients::Actor,
        Clients::Last,
        Clients::BatchHash,
        Clients::Acked,
        Clients::SeenAt,
        Clients::Answer,
    ];
    let mut insert = Query::insert().into_table(Clients::Table).columns(columns).take();
    for client in clients {
        check_plain("the answer to a batch", &client.answer)?;
        insert.values_panic([
            Expr::val(space.as_str()),
            Expr::val(client.client.as_str()),
            Expr::val(client.actor.as_str()),
            Expr::val(client.last.get()),
            Expr::val(Tag::from_bytes(client.batch_hash).to_string()),
            Expr::val(client.acked.get()),
            Expr::val(client.seen_at.as_micros()),
            Expr::val(client.answer.as_str()),
        ]);
    }
    let key = [Clients::Space, Clients::Client];
    insert
        .on_conflict(OnConflict::columns(key).update_columns(columns.into_iter().skip(key.len())).to_owned());
    Ok(Statement::new(dialect, &insert))
}

/// The states of these replicas, in no order.
pub(super) fn by_ids(dialect: Dialect, space: &SpaceId, ids: &[ClientId]) -> Statement {
    let mut select = client_rows(space);
    select.and_where(Expr::col(Clients::Client).is_in(ids.iter().map(|id| id.as_str())));
    let statement = Statement::new(dialect, &rows(client_row(), select));
    if ids.len() == 1 { statement } else { statement.once() }
}

/// The states of at most `limit` replicas after the one named `after`, or from the first, by name.
pub(super) fn after(dialect: Dialect, space: &SpaceId, after: Option<&ClientId>, limit: usize) -> Statement {
    let mut select = client_rows(space);
    let first = after.map_or("", |after| after.as_str());
    select.and_where(Expr::col(Clients::Client).gt(first));
    select.order_by(Clients::Client, sea_query::Order::Asc).limit(driver::limit(limit));
    Statement::new(dialect, &rows(client_row(), select))
}

fn client_rows(space: &SpaceId) -> SelectStatement {
    Query::select().from(Clients::Table).and_where(Expr::col(Clients::Space).eq(space.as_str())).take()
}

fn client_row() -> Expr {
    row([
        Field::Of(Clients::Client),
        Field::Of(Clients::Actor),
        Field::Of(Clients::Last),
        Field::Of(Clients::BatchHash),
        Field::Of(Clients::Acked),
        Field::Of(Clients::SeenAt),
        Field::Of(Clients::Answer),
    ])
}
