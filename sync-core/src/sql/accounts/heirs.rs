//! Spaces of which somebody is the only owner: whether anyone would be left in them, and how all of them get another
//! owner. Each is one statement for any number of spaces.

use sea_query::{Alias, BinOper, DynIden, Expr, ExprTrait, IntoIden, Query, SelectStatement};

use crate::accounts::Role;
use crate::error::Result;
use crate::sql::driver::{Driver, Statement};
use crate::sql::pack::{Field, row};
use crate::sql::tables::{Credentials, Members, SpaceInfos, Synced};
use crate::types::ActorId;

/// Whether somebody owns, beside `actor`, every space of theirs that others are in.
pub(super) async fn has_successors<D: Driver>(driver: &mut D, actor: &ActorId) -> Result<bool> {
    let mut select = owned_alone(actor);
    select
        .clear_selects()
        .expr(row([Field::Of(Members::Space)]))
        .and_where(Expr::exists(another_member(actor)))
        .limit(1);
    Ok(driver.text(Statement::new(driver.dialect(), &select)).await?.is_none())
}

/// Makes `to` the owner, and the only member, of every space of which `from` is the only owner.
pub(super) async fn pass_on<D: Driver>(driver: &mut D, from: &ActorId, to: &ActorId) -> Result<()> {
    let dialect = driver.dialect();
    let is_theirs = |column: Expr| column.in_subquery(owned_alone(from));
    let its = Expr::val("space:").binary(BinOper::Custom("||"), Expr::col(Members::Space));
    let holders = owned_alone(from).clear_selects().expr(its).take();
    let held = Query::delete()
        .from_table(Credentials::Table)
        .and_where(Expr::col(Credentials::Holder).in_subquery(holders))
        .take();
    let synced =
        Query::delete().from_table(Synced::Table).and_where(is_theirs(Expr::col(Synced::Space))).take();
    let infos = Query::delete()
        .from_table(SpaceInfos::Table)
        .and_where(is_theirs(Expr::col(SpaceInfos::Space)))
        .take();
    let others = Query::delete()
        .from_table(Members::Table)
        .and_where(is_theirs(Expr::col(Members::Space)))
        .and_where(Expr::col(Members::Actor).ne(from.as_str()))
        .take();
    let owner = Query::update()
        .table(Members::Table)
        .value(Members::Actor, to.as_str())
        .and_where(is_theirs(Expr::col(Members::Space)))
        .and_where(Expr::col(Members::Actor).eq(from.as_str()))
        .take();
    let ends = [held, synced, infos, others].map(|delete| Statement::new(dialect, &delete));
    driver.execute_all(ends.into_iter().chain([Statement::new(dialect, &owner)]).collect()).await
}

/// The spaces of which `actor` is the only owner.
fn owned_alone(actor: &ActorId) -> SelectStatement {
    let is_owner = Expr::col((other(), Members::Role)).eq(Role::Owner.as_str());
    let another_owner = another_member(actor).and_where(is_owner).take();
    Query::select()
        .column((Members::Table, Members::Space))
        .from(Members::Table)
        .and_where(Expr::col((Members::Table, Members::Actor)).eq(actor.as_str()))
        .and_where(Expr::col((Members::Table, Members::Role)).eq(Role::Owner.as_str()))
        .and_where(Expr::not_exists(another_owner))
        .take()
}

/// Who is in the space of a row of members beside `actor`.
fn another_member(actor: &ActorId) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from_as(Members::Table, other())
        .and_where(Expr::col((other(), Members::Space)).eq(Expr::col((Members::Table, Members::Space))))
        .and_where(Expr::col((other(), Members::Actor)).ne(actor.as_str()))
        .take()
}

fn other() -> DynIden {
    Alias::new("other").into_iden()
}
