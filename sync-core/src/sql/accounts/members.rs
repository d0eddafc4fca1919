//! Memberships: who may do what in which space.

use sea_query::{Expr, ExprTrait, OnConflict, Query};

use crate::accounts::Role;
use crate::error::Result;
use crate::sql::driver::{self, Dialect, Driver, Statement};
use crate::sql::pack::{self, Field, damaged, fields, row, split_rows};
use crate::sql::tables::Members;
use crate::sql::write::delete_of;
use crate::types::{ActorId, SpaceId};

/// What `actor` may do in `space`.
pub(super) async fn role<D: Driver>(
    driver: &mut D,
    space: &SpaceId,
    actor: &ActorId,
) -> Result<Option<Role>> {
    let mut select = Query::select();
    select
        .expr(row([Field::Of(Members::Role)]))
        .from(Members::Table)
        .and_where(Expr::col(Members::Space).eq(space.as_str()))
        .and_where(Expr::col(Members::Actor).eq(actor.as_str()));
    let word = driver.text(Statement::new(driver.dialect(), &select)).await?;
    word.map(|word| Role::from_word(&word).ok_or_else(damaged)).transpose()
}

/// Whether someone is an owner of `space`.
pub(super) async fn has_owner<D: Driver>(driver: &mut D, space: &SpaceId) -> Result<bool> {
    let mut select = Query::select();
    select
        .expr(row([Field::Of(Members::Actor)]))
        .from(Members::Table)
        .and_where(Expr::col(Members::Space).eq(space.as_str()))
        .and_where(Expr::col(Members::Role).eq(Role::Owner.as_str()))
        .order_by(Members::Actor, sea_query::Order::Asc)
        .limit(1);
    Ok(driver.text(Statement::new(driver.dialect(), &select)).await?.is_some())
}

/// The statement that gives `actor` a role in `space`, or takes it away with `None`.
pub(super) fn set_role(dialect: Dialect, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Statement {
    let Some(role) = role else {
        let mut delete = delete_of(Members::Table, Members::Space, space);
        return Statement::new(dialect, delete.and_where(Expr::col(Members::Actor).eq(actor.as_str())));
    };
    let mut insert = Query::insert()
        .into_table(Members::Table)
        .columns([Members::Space, Members::Actor, Members::Role])
        .on_conflict(
            OnConflict::columns([Members::Space, Members::Actor]).update_column(Members::Role).to_owned(),
        )
        .take();
    insert.values_panic([space.as_str(), actor.as_str(), role.as_str()].map(Expr::val));
    Statement::new(dialect, &insert)
}

/// The statement that takes every role of an actor away.
pub(super) fn forget_actor(dialect: Dialect, actor: &ActorId) -> Statement {
    let of_actor = Expr::col(Members::Actor).eq(actor.as_str());
    Statement::new(dialect, &Query::delete().from_table(Members::Table).and_where(of_actor).take())
}

/// The statement that takes every role in a space away.
pub(super) fn forget_space(dialect: Dialect, space: &SpaceId) -> Statement {
    Statement::new(dialect, &delete_of(Members::Table, Members::Space, space))
}

/// The spaces in which `actor` has a role, after `after` or from the first, ascending by name, at most `limit`.
pub(super) async fn spaces_of<D: Driver>(
    driver: &mut D,
    actor: &ActorId,
    after: Option<&SpaceId>,
    limit: usize,
) -> Result<Vec<(SpaceId, Role)>> {
    let mut select = Query::select();
    select
        .from(Members::Table)
        .and_where(Expr::col(Members::Actor).eq(actor.as_str()))
        .and_where(Expr::col(Members::Space).gt(after.map_or("", |after| after.as_str())))
        .order_by(Members::Space, sea_query::Order::Asc)
        .limit(driver::limit(limit));
    let memberships = pack::rows(row([Field::Of(Members::Space), Field::Of(Members::Role)]), select);
    let packed = driver.text(Statement::new(driver.dialect(), &memberships)).await?;
    split_rows(packed.as_deref()).map(parse_membership).collect()
}

fn parse_membership(row: &str) -> Result<(SpaceId, Role)> {
    let [space, role] = fields(row)?;
    Ok((SpaceId::new(space).map_err(|_| damaged())?, Role::from_word(role).ok_or_else(damaged)?))
}

/// Who has a role in `space`, after `after` or from the first, ascending by id, at most `limit`.
pub(super) async fn members<D: Driver>(
    driver: &mut D,
    space: &SpaceId,
    after: Option<&ActorId>,
    limit: usize,
) -> Result<Vec<(ActorId, Role)>> {
    let mut select = Query::select();
    select
        .from(Members::Table)
        .and_where(Expr::col(Members::Space).eq(space.as_str()))
        .and_where(Expr::col(Members::Actor).gt(after.map_or("", |after| after.as_str())))
        .order_by(Members::Actor, sea_query::Order::Asc)
        .limit(driver::limit(limit));
    let members = pack::rows(row([Field::Of(Members::Actor), Field::Of(Members::Role)]), select);
    let packed = driver.text(Statement::new(driver.dialect(), &members)).await?;
    split_rows(packed.as_deref()).map(parse_member).collect()
}

fn parse_member(row: &str) -> Result<(ActorId, Role)> {
    let [actor, role] = fields(row)?;
    Ok((ActorId::new(actor).map_err(|_| damaged())?, Role::from_word(role).ok_or_else(damaged)?))
}
