//! Notices, numbered in the order of the lists of changes, and the lock by which those lists have an order.

use sea_query::{Expr, ExprTrait, Func, LockType, Order, Query};

use crate::accounts::{self, NOTICES_KEPT, Notice};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::driver::{Driver, Statement};
use crate::sql::pack::{self, FIELD, Field, damaged, fields, row, split_rows};
use crate::sql::rows::number;
use crate::sql::tables::{Noticed, Notices};

/// The same as a position.
const KEPT: i64 = NOTICES_KEPT as i64;

/// Locks accounts against other lists of changes, to the end of the transaction, and yields the position of the newest
/// notice.
pub(super) async fn lock<D: Driver>(driver: &mut D) -> Result<i64> {
    let mut select = Query::select();
    select.expr(row([Field::Of(Noticed::Position)])).from(Noticed::Table).lock(LockType::Update);
    let position = driver.text(Statement::new(driver.dialect(), &select)).await?;
    number(&position.ok_or_else(damaged)?)
}

/// Adds notices after `position`, which is that of the newest, and removes those that need not be kept any more.
pub(super) async fn add<D: Driver>(driver: &mut D, position: i64, notices: &[Notice]) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let dialect = driver.dialect();
    let mut insert =
        Query::insert().into_table(Notices::Table).columns([Notices::Position, Notices::Body]).take();
    let mut newest = position;
    for notice in notices {
        newest += 1;
        insert.values_panic([Expr::val(newest), Expr::val(body(notice)?)]);
    }
    let insert = Statement::new(dialect, &insert);
    let is_old = Expr::col(Notices::Position).lte(newest - KEPT);
    let statements = vec![
        if notices.len() == 1 { insert } else { insert.once() },
        Statement::new(dialect, Query::delete().from_table(Notices::Table).and_where(is_old)),
        Statement::new(dialect, Query::update().table(Noticed::Table).value(Noticed::Position, newest)),
    ];
    driver.execute_all(statements).await
}

/// The position, and the notices after `after`; with `None` none.
pub(super) async fn notices<D: Driver>(driver: &mut D, after: Option<u64>) -> Result<accounts::Notices> {
    // No position is as high, so that nothing comes after it.
    let from = after.map_or(i64::MAX, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let packed = driver.text(Statement::new(driver.dialect(), &position_and_bodies(from))).await?;
    let [position, bodies] = fields(packed.as_deref().ok_or_else(damaged)?)?;
    let bodies = Some(bodies).filter(|bodies| !bodies.is_empty());
    let notices = split_rows(bodies).map(|body| serde_json::from_str(body).map_err(|_| damaged()));
    let notices: Vec<Notice> = notices.collect::<Result<_>>()?;
    let position: u64 = number(position)?;
    let n_new = after.and_then(|after| position.checked_sub(after)).map(usize::try_from);
    let missed = after.is_some() && n_new != Some(Ok(notices.len()));
    Ok(accounts::Notices { position, missed, notices })
}

/// In one statement, so that both are of one moment and take one round trip: servers ask several times a second.
fn position_and_bodies(after: i64) -> sea_query::SelectStatement {
    let mut newer = Query::select();
    newer
        .from(Notices::Table)
        .and_where(Expr::col(Notices::Position).gt(after))
        .order_by(Notices::Position, Order::Asc);
    let bodies = pack::rows(row([Field::Of(Notices::Body)]), newer);
    let bodies = Func::coalesce([Expr::from(bodies), Expr::cust("''")]);
    let parts = [Expr::cust(format!("'{FIELD}'")), Expr::col(Noticed::Position), Expr::from(bodies)];
    Query::select().expr(Func::cust("concat_ws").args(parts)).from(Noticed::Table).take()
}

fn body(notice: &Notice) -> Result<String> {
    serde_json::to_string(notice)
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a notice as JSON").with_source(error))
}
