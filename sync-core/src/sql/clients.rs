//! The statements about replicas.

use sea_query::{Expr, ExprTrait, Query, SelectStatement};

use crate::error::Result;
use crate::sql::bulk::{Cell, Insert, is_any_of};
use crate::sql::driver::{self, Dialect, Statement};
use crate::sql::pack::{Field, check_plain, row, rows};
use crate::sql::tables::Clients;
use crate::store::ClientState;
use crate::types::{ClientId, SpaceId, Tag};

const CLIENTS: Insert<Clients, 7> = Insert {
    table: Clients::Table,
    space: Clients::Space,
    columns: [
        Clients::Client,
        Clients::Actor,
        Clients::Last,
        Clients::BatchHash,
        Clients::Acked,
        Clients::SeenAt,
        Clients::Answer,
    ],
    n_key: Some(1),
    n_fixed: 0,
};

/// Replaces what is known of replicas.
pub(super) fn write(dialect: Dialect, space: &SpaceId, clients: &[ClientState]) -> Result<Statement> {
    for client in clients {
        check_plain("the answer to a batch", &client.answer)?;
    }
    Ok(CLIENTS.rows(dialect, space, &clients.iter().map(cells).collect::<Vec<_>>()))
}

fn cells(client: &ClientState) -> [Cell<'_>; 7] {
    [
        client.client.as_str().into(),
        client.actor.as_str().into(),
        Cell::Int(client.last.get()),
        Tag::from_bytes(client.batch_hash).to_string().into(),
        Cell::Int(client.acked.get()),
        Cell::Int(client.seen_at.as_micros()),
        client.answer.as_str().into(),
    ]
}

/// The states of these replicas, in no order.
pub(super) fn by_ids(dialect: Dialect, space: &SpaceId, ids: &[ClientId]) -> Statement {
    let (is_one_of_them, is_fixed) = is_any_of(dialect, Clients::Client, ids.iter().map(|id| id.as_str()));
    let mut select = client_rows(space);
    select.and_where(is_one_of_them);
    let statement = Statement::new(dialect, &rows(client_row(), select));
    if is_fixed { statement } else { statement.once() }
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
