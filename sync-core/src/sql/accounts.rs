//! The statements of [`Accounts`](crate::Accounts), as functions over an open transaction.

use sea_query::{Expr, ExprTrait, OnConflict, Query};

use crate::accounts::{Role, User};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::driver::{self, Driver, Statement};
use crate::sql::pack::{self, Field, check_plain, damaged, fields, row, split_rows};
use crate::sql::rows::time;
use crate::sql::tables::{Members, Users};
use crate::sql::write::delete_of;
use crate::types::{ActorId, SpaceId};

/// A user, column by column.
const USER: [Users; 5] = [Users::Id, Users::Name, Users::NameKey, Users::PasswordHash, Users::CreatedAt];

/// Creates a user and these roles of theirs, in a write transaction that the caller commits.
///
/// # Errors
///
/// [`ErrorKind::AlreadyExists`] when the id or the normal form of the name is taken, [`ErrorKind::Invalid`] for a text
/// with control characters; those of the driver.
pub async fn create_user<D: Driver>(driver: &mut D, user: &User, roles: &[(SpaceId, Role)]) -> Result<()> {
    for text in [&user.name, &user.name_key, &user.password_hash] {
        check_plain("a user", text)?;
    }
    let mut insert = Query::insert()
        .into_table(Users::Table)
        .columns(USER)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .take();
    insert.values_panic([
        Expr::val(user.id.as_str()),
        Expr::val(user.name.as_str()),
        Expr::val(user.name_key.as_str()),
        Expr::val(user.password_hash.as_str()),
        Expr::val(user.created_at.as_micros()),
    ]);
    let statement = Statement::new(driver.dialect(), &insert);
    if driver.execute(statement).await? == 0 {
        return Err(Error::new(ErrorKind::AlreadyExists, "this user name is taken"));
    }
    for (space, role) in roles {
        set_role(driver, space, &user.id, Some(*role)).await?;
    }
    Ok(())
}

/// The users after `after`, or from the first, ascending by id, at most `limit`.
///
/// # Errors
///
/// Those of the driver.
pub async fn users<D: Driver>(driver: &mut D, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
    let mut select = Query::select();
    select
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).gt(after.map_or("", |after| after.as_str())))
        .order_by(Users::Id, sea_query::Order::Asc)
        .limit(driver::limit(limit));
    let users = pack::rows(row(USER.map(Field::Of)), select);
    let packed = driver.text(Statement::new(driver.dialect(), &users)).await?;
    split_rows(packed.as_deref()).map(parse_user).collect()
}

/// The user with this id.
///
/// # Errors
///
/// Those of the driver.
pub async fn user<D: Driver>(driver: &mut D, id: &ActorId) -> Result<Option<User>> {
    one_user(driver, Expr::col(Users::Id).eq(id.as_str())).await
}

/// The user whose name has this normal form.
///
/// # Errors
///
/// Those of the driver.
pub async fn user_by_name<D: Driver>(driver: &mut D, name_key: &str) -> Result<Option<User>> {
    one_user(driver, Expr::col(Users::NameKey).eq(name_key)).await
}

async fn one_user<D: Driver>(driver: &mut D, which: Expr) -> Result<Option<User>> {
    let mut select = Query::select();
    select.expr(row(USER.map(Field::Of))).from(Users::Table).and_where(which);
    let packed = driver.text(Statement::new(driver.dialect(), &select)).await?;
    packed.as_deref().map(parse_user).transpose()
}

fn parse_user(row: &str) -> Result<User> {
    let [id, name, name_key, password_hash, created_at] = fields(row)?;
    Ok(User {
        id: ActorId::new(id).map_err(|_| damaged())?,
        name: name.to_owned(),
        name_key: name_key.to_owned(),
        password_hash: password_hash.to_owned(),
        created_at: time(created_at)?,
    })
}

/// What `actor` may do in `space`.
///
/// # Errors
///
/// Those of the driver.
pub async fn role<D: Driver>(driver: &mut D, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>> {
    let mut select = Query::select();
    select
        .expr(row([Field::Of(Members::Role)]))
        .from(Members::Table)
        .and_where(Expr::col(Members::Space).eq(space.as_str()))
        .and_where(Expr::col(Members::Actor).eq(actor.as_str()));
    let word = driver.text(Statement::new(driver.dialect(), &select)).await?;
    word.map(|word| Role::from_word(&word).ok_or_else(damaged)).transpose()
}

/// Gives `actor` a role in `space`, or takes it away with `None`, in a write transaction that the caller commits.
///
/// # Errors
///
/// Those of the driver.
pub async fn set_role<D: Driver>(
    driver: &mut D,
    space: &SpaceId,
    actor: &ActorId,
    role: Option<Role>,
) -> Result<()> {
    let dialect = driver.dialect();
    let statement = match role {
        Some(role) => {
            let mut insert = Query::insert()
                .into_table(Members::Table)
                .columns([Members::Space, Members::Actor, Members::Role])
                .on_conflict(
                    OnConflict::columns([Members::Space, Members::Actor])
                        .update_column(Members::Role)
                        .to_owned(),
                )
                .take();
            insert.values_panic([space.as_str(), actor.as_str(), role.as_str()].map(Expr::val));
            Statement::new(dialect, &insert)
        }
        None => {
            let mut delete = delete_of(Members::Table, Members::Space, space);
            Statement::new(dialect, delete.and_where(Expr::col(Members::Actor).eq(actor.as_str())))
        }
    };
    driver.execute(statement).await.map(drop)
}

/// The spaces in which `actor` has a role, ascending by name, at most `limit`.
///
/// # Errors
///
/// Those of the driver.
pub async fn spaces_of<D: Driver>(
    driver: &mut D,
    actor: &ActorId,
    limit: usize,
) -> Result<Vec<(SpaceId, Role)>> {
    let mut select = Query::select();
    select
        .from(Members::Table)
        .and_where(Expr::col(Members::Actor).eq(actor.as_str()))
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
///
/// # Errors
///
/// Those of the driver.
pub async fn members<D: Driver>(
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

/// Removes every membership of a space, in a write transaction that the caller commits.
///
/// # Errors
///
/// Those of the driver.
pub async fn forget_space<D: Driver>(driver: &mut D, space: &SpaceId) -> Result<()> {
    let statement = Statement::new(driver.dialect(), &delete_of(Members::Table, Members::Space, space));
    driver.execute(statement).await.map(drop)
}
