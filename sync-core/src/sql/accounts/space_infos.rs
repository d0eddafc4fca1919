//! What is known about spaces.

use sea_query::{Expr, OnConflict, Order, Query};

use crate::accounts::{SpaceInfo, SpaceName};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::sql::bulk::is_any_of;
use crate::sql::driver::{Dialect, Driver, Statement};
use crate::sql::pack::{self, Field, damaged, fields, row, split_rows};
use crate::sql::rows::time;
use crate::sql::tables::SpaceInfos;
use crate::sql::write::delete_of;
use crate::types::SpaceId;

/// What may change of it.
const KNOWN: [SpaceInfos; 3] = [SpaceInfos::Name, SpaceInfos::CreatedAt, SpaceInfos::UpdatedAt];

/// The statement that replaces what is known about a space.
pub(super) fn describe(dialect: Dialect, info: &SpaceInfo) -> Statement {
    let SpaceInfo { space, name, created_at, updated_at } = info;
    let mut insert = Query::insert()
        .into_table(SpaceInfos::Table)
        .columns([SpaceInfos::Space].into_iter().chain(KNOWN))
        .on_conflict(OnConflict::column(SpaceInfos::Space).update_columns(KNOWN).to_owned())
        .take();
    insert.values_panic([
        Expr::val(space.as_str()),
        Expr::val(name.as_ref().map(SpaceName::as_str)),
        Expr::val(created_at.map(Timestamp::as_micros)),
        Expr::val(updated_at.as_micros()),
    ]);
    Statement::new(dialect, &insert)
}

/// The statement that forgets what is known about a space.
pub(super) fn forget_space(dialect: Dialect, space: &SpaceId) -> Statement {
    Statement::new(dialect, &delete_of(SpaceInfos::Table, SpaceInfos::Space, space))
}

/// What is known about these spaces, each once, ascending.
pub(super) async fn space_infos<D: Driver>(driver: &mut D, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
    SpaceInfo::check_asked(spaces)?;
    if spaces.is_empty() {
        return Ok(Vec::new());
    }
    let packed = driver.text(of(driver.dialect(), spaces)).await?;
    split_rows(packed.as_deref()).map(parse).collect()
}

fn of(dialect: Dialect, spaces: &[SpaceId]) -> Statement {
    let (is_one_of_them, is_fixed) =
        is_any_of(dialect, SpaceInfos::Space, spaces.iter().map(SpaceId::as_str));
    let mut select = Query::select();
    select.from(SpaceInfos::Table).and_where(is_one_of_them).order_by(SpaceInfos::Space, Order::Asc);
    let columns = [
        Field::Of(SpaceInfos::Space),
        Field::OrEmpty(SpaceInfos::Name),
        Field::NumberOrEmpty(SpaceInfos::CreatedAt),
        Field::Of(SpaceInfos::UpdatedAt),
    ];
    let statement = Statement::new(dialect, &pack::rows(row(columns), select));
    if is_fixed { statement } else { statement.once() }
}

fn parse(row: &str) -> Result<SpaceInfo> {
    let [space, name, created_at, updated_at] = fields(row)?;
    Ok(SpaceInfo {
        space: SpaceId::new(space).map_err(|_| damaged())?,
        name: maybe(name).map(SpaceName::new).transpose().map_err(|_| damaged())?,
        created_at: maybe(created_at).map(time).transpose()?,
        updated_at: time(updated_at)?,
    })
}

/// A text, of which an empty one stands for none.
fn maybe(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
