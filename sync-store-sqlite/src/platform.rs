//! The list of spaces of a folder, in its platform file.

use std::sync::Arc;

use sea_query::{Expr, ExprTrait, Iden, OnConflict, Query};
use sync_core::sql::pack::{Field, row, rows, split_rows};
use sync_core::sql::{Driver, Statement};
use sync_core::store::Mode;
use sync_core::{Error, ErrorKind, Result, SpaceId};

use crate::database::Database;

#[derive(Clone, Copy, Iden)]
enum SpaceFiles {
    Table,
    Space,
    Deleting,
}

/// What the list says of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Its file is there.
    Present,
    /// It was deleted, but its file may still be there.
    Deleting,
}

/// What the list says of one space; `None` when it is not in it.
pub(crate) async fn look_up(platform: &Arc<Database>, space: &SpaceId) -> Result<Option<Listed>> {
    let mut driver = platform.pin().begin(Mode::Read).await?;
    let mut select = Query::select();
    select
        .expr(row([Field::Of(SpaceFiles::Deleting)]))
        .from(SpaceFiles::Table)
        .and_where(Expr::col(SpaceFiles::Space).eq(space.as_str()));
    let found = driver.text(Statement::new(driver.dialect(), &select)).await?;
    Ok(found.map(|deleting| if deleting == "0" { Listed::Present } else { Listed::Deleting }))
}

/// Names of the spaces that are listed so, after `after`, ascending, at most `limit`.
pub(crate) async fn list(
    platform: &Arc<Database>,
    listed: Listed,
    after: Option<&SpaceId>,
    limit: usize,
) -> Result<Vec<SpaceId>> {
    let mut driver = platform.pin().begin(Mode::Read).await?;
    let mut select = Query::select();
    select
        .from(SpaceFiles::Table)
        .and_where(Expr::col(SpaceFiles::Deleting).eq(number(listed)))
        .and_where(Expr::col(SpaceFiles::Space).gt(after.map_or("", |after| after.as_str())))
        .order_by(SpaceFiles::Space, sea_query::Order::Asc)
        .limit(sync_core::sql::limit(limit));
    let names = Statement::new(driver.dialect(), &rows(row([Field::Of(SpaceFiles::Space)]), select));
    let packed = driver.text(names).await?;
    let name = |name| {
        SpaceId::new(name).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "read a space that has no name").with_source(error)
        })
    };
    split_rows(packed.as_deref()).map(name).collect()
}

/// Adds a space whose file is there. Says whether it was not listed before.
pub(crate) async fn add(platform: &Arc<Database>, space: &SpaceId) -> Result<bool> {
    let mut insert = Query::insert();
    insert
        .into_table(SpaceFiles::Table)
        .columns([SpaceFiles::Space, SpaceFiles::Deleting])
        .values_panic([Expr::val(space.as_str()), Expr::val(number(Listed::Present))])
        .on_conflict(OnConflict::column(SpaceFiles::Space).do_nothing().to_owned());
    write(platform, &insert).await
}

/// Notes that a space is deleted. Says whether it was present.
pub(crate) async fn mark_deleting(platform: &Arc<Database>, space: &SpaceId) -> Result<bool> {
    let mut update = Query::update();
    update
        .table(SpaceFiles::Table)
        .value(SpaceFiles::Deleting, number(Listed::Deleting))
        .and_where(Expr::col(SpaceFiles::Space).eq(space.as_str()))
        .and_where(Expr::col(SpaceFiles::Deleting).eq(number(Listed::Present)));
    write(platform, &update).await
}

/// Takes a deleted space, whose file is gone, off the list.
pub(crate) async fn remove(platform: &Arc<Database>, space: &SpaceId) -> Result<bool> {
    let mut delete = Query::delete();
    delete.from_table(SpaceFiles::Table).and_where(Expr::col(SpaceFiles::Space).eq(space.as_str()));
    write(platform, &delete).await
}

async fn write(
    platform: &Arc<Database>,
    query: &(impl sea_query::QueryStatementWriter + Sync),
) -> Result<bool> {
    let mut driver = platform.pin().begin(Mode::Write).await?;
    let statement = Statement::new(driver.dialect(), query);
    let n_rows = driver.execute(statement).await?;
    driver.commit().await?;
    Ok(n_rows > 0)
}

fn number(listed: Listed) -> i64 {
    i64::from(listed == Listed::Deleting)
}
