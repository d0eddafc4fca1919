//! Creating, deleting, listing and counting spaces.

use sea_query::{Alias, Expr, ExprTrait, LockType, OnConflict, Query, SelectStatement, UnionType};

use crate::error::Result;
use crate::sql::bulk::is_any_of;
use crate::sql::driver::{self, Driver, Statement};
use crate::sql::pack::{self, FIELD, Field, PACKED, damaged, row, split_rows};
use crate::sql::rows;
use crate::sql::tables::{Clients, Commits, Log, Records, Spaces, TreeCheckpoints, TreeOps};
use crate::sql::tree_ops;
use crate::sql::write::delete_of;
use crate::store::{CollectionStats, Mode, SpaceHead};
use crate::types::{Epoch, Seq, SpaceId, Tag};

/// Creates an empty space, in a write transaction. Says whether it did: `false` when there is one of this name.
///
/// # Errors
///
/// Those of the driver.
pub async fn create<D: Driver>(driver: &mut D, space: &SpaceId, epoch: Epoch) -> Result<bool> {
    let mut insert = Query::insert()
        .into_table(Spaces::Table)
        .columns([
            Spaces::Space,
            Spaces::Epoch,
            Spaces::Head,
            Spaces::Floor,
            Spaces::Tag,
            Spaces::LogHead,
            Spaces::Largest,
        ])
        .on_conflict(OnConflict::column(Spaces::Space).do_nothing().to_owned())
        .take();
    insert.values_panic([
        Expr::val(space.as_str()),
        Expr::val(epoch.to_string()),
        Expr::val(Seq::ZERO.get()),
        Expr::val(Seq::ZERO.get()),
        Expr::val(Tag::ZERO.to_string()),
        Expr::val(0_i64),
        Expr::val(0_i64),
    ]);
    let statement = Statement::new(driver.dialect(), &insert);
    Ok(driver.execute(statement).await? > 0)
}

/// Removes a space and all that is in it, in a write transaction. Says whether there was one.
///
/// # Errors
///
/// Those of the driver.
pub async fn delete<D: Driver>(driver: &mut D, space: &SpaceId) -> Result<bool> {
    let dialect = driver.dialect();
    let of_space = Statement::new(dialect, &delete_of(Spaces::Table, Spaces::Space, space));
    if driver.execute(of_space).await? == 0 {
        return Ok(false);
    }
    let content = [
        delete_of(Records::Table, Records::Space, space),
        delete_of(TreeOps::Table, TreeOps::SpaceId, space),
        delete_of(TreeCheckpoints::Table, TreeCheckpoints::SpaceId, space),
        delete_of(Commits::Table, Commits::Space, space),
        delete_of(Clients::Table, Clients::Space, space),
        delete_of(Log::Table, Log::Space, space),
    ];
    driver.execute_all(content.iter().map(|delete| Statement::new(dialect, delete)).collect()).await?;
    Ok(true)
}

/// Names of the spaces after `after`, ascending, at most `limit`.
///
/// # Errors
///
/// Those of the driver; [`Corrupt`](crate::ErrorKind::Corrupt) when a name is none.
pub async fn list<D: Driver>(driver: &mut D, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
    let mut select = Query::select();
    select.from(Spaces::Table).order_by(Spaces::Space, sea_query::Order::Asc).limit(driver::limit(limit));
    if let Some(after) = after {
        select.and_where(Expr::col(Spaces::Space).gt(after.as_str()));
    }
    let names = pack::rows(row([Field::Of(Spaces::Space)]), select);
    let packed = driver.text(Statement::new(driver.dialect(), &names)).await?;
    split_rows(packed.as_deref()).map(|name| SpaceId::new(name).map_err(|_| damaged())).collect()
}

/// Where a space stands; `None` when there is no such space. A write transaction locks the space with it.
///
/// # Errors
///
/// Those of the driver; [`Corrupt`](crate::ErrorKind::Corrupt) when the row is damaged.
pub async fn head<D: Driver>(driver: &mut D, space: &SpaceId, mode: Mode) -> Result<Option<SpaceHead>> {
    Ok(stand(driver, space, mode).await?.map(|(head, _)| head))
}

/// Where a space stands, and the length of its longest content.
pub(super) async fn stand<D: Driver>(
    driver: &mut D,
    space: &SpaceId,
    mode: Mode,
) -> Result<Option<(SpaceHead, usize)>> {
    let fields = [Spaces::Epoch, Spaces::Head, Spaces::Floor, Spaces::Tag, Spaces::LogHead, Spaces::Largest];
    let mut select = Query::select();
    select
        .expr(row(fields.map(Field::Of)))
        .from(Spaces::Table)
        .and_where(Expr::col(Spaces::Space).eq(space.as_str()));
    if mode == Mode::Write {
        select.lock(LockType::Update);
    }
    let packed = driver.text(Statement::new(driver.dialect(), &select)).await?;
    packed.as_deref().map(rows::head).transpose()
}

/// Counts per collection. Records and tombstones are counted apart, each from an index, so that no content is read.
pub(super) async fn collections<D: Driver>(driver: &mut D, space: &SpaceId) -> Result<Vec<CollectionStats>> {
    let dialect = driver.dialect();
    let all =
        counted(of_space(space), "collection", "\"collection\"").union(UnionType::All, trees(space)).take();
    let all = driver.text(Statement::new(dialect, &pack::joined(all))).await?;
    let dead = of_space(space).and_where(Expr::col(Records::Data).is_null()).take();
    let dead = Statement::new(dialect, &pack::joined(counted(dead, "collection", "\"collection\"")));
    let dead = driver.text(dead).await?;
    let dead: Vec<_> = split_rows(dead.as_deref()).map(rows::collection_count).collect::<Result<_>>()?;
    let with_dead = |(collection, n): (crate::types::Collection, u64)| {
        let n_tombstones = dead.iter().find(|(name, _)| *name == collection).map_or(0, |(_, n)| *n);
        CollectionStats { collection, n_records: n.saturating_sub(n_tombstones), n_tombstones }
    };
    let all = split_rows(all.as_deref()).map(|row| rows::collection_count(row).map(with_dead));
    let mut all: Vec<CollectionStats> = all.collect::<Result<_>>()?;
    all.sort_by(|a, b| a.collection.cmp(&b.collection));
    Ok(all)
}

/// How many ops each tree has, under the name of its collection.
fn trees(space: &SpaceId) -> SelectStatement {
    counted(tree_ops::of_space(space), "tree_id", tree_ops::MARKED_TREE)
}

/// The heads of these spaces, as far as there are such.
///
/// # Errors
///
/// Those of the driver.
pub async fn heads<D: Driver>(driver: &mut D, spaces: &[SpaceId]) -> Result<Vec<(SpaceId, Seq)>> {
    let dialect = driver.dialect();
    let (is_one_of_them, is_fixed) = is_any_of(dialect, Spaces::Space, spaces.iter().map(SpaceId::as_str));
    let mut select = Query::select();
    select.from(Spaces::Table).and_where(is_one_of_them);
    let heads = pack::rows(row([Field::Of(Spaces::Space), Field::Of(Spaces::Head)]), select);
    let statement = Statement::new(dialect, &heads);
    let packed = driver.text(if is_fixed { statement } else { statement.once() }).await?;
    let parse = |row| {
        let [space, head] = pack::fields(row)?;
        Ok((SpaceId::new(space).map_err(|_| damaged())?, rows::seq(head)?))
    };
    split_rows(packed.as_deref()).map(parse).collect()
}

fn of_space(space: &SpaceId) -> SelectStatement {
    Query::select().from(Records::Table).and_where(Expr::col(Records::Space).eq(space.as_str())).take()
}

/// The number of rows for each value of a column, which is packed as `name`.
fn counted(mut select: SelectStatement, column: &'static str, name: &str) -> SelectStatement {
    let row = Expr::cust(format!("concat_ws('{FIELD}', {name}, count(*))"));
    select.expr_as(row, PACKED).group_by_col(Alias::new(column)).take()
}
