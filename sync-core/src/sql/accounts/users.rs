//! Users: who can sign in.

use sea_query::{Expr, ExprTrait, OnConflict, Query};

use crate::accounts::User;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::driver::{self, Driver, Statement};
use crate::sql::pack::{self, Field, check_plain, damaged, fields, row, split_rows};
use crate::sql::rows::time;
use crate::sql::tables::Users;
use crate::types::{ActorId, SpaceId};

/// A user, column by column.
const USER: [Users; 7] = [
    Users::Id,
    Users::Name,
    Users::NameKey,
    Users::Address,
    Users::PasswordHash,
    Users::Home,
    Users::CreatedAt,
];

/// Creates a user. Says whether it did: not when the id, the name or the address is taken.
pub(super) async fn create<D: Driver>(driver: &mut D, user: &User) -> Result<bool> {
    let mut insert = Query::insert()
        .into_table(Users::Table)
        .columns(USER)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .take();
    insert.values_panic(values(user)?);
    Ok(driver.execute(Statement::new(driver.dialect(), &insert)).await? > 0)
}

/// Replaces what is known of a user. Says whether it did: not when there is none, or the name or the address is someone
/// else's.
pub(super) async fn update<D: Driver>(driver: &mut D, user: &User) -> Result<bool> {
    let mut update = Query::update().table(Users::Table).values(USER.into_iter().zip(values(user)?)).take();
    update.and_where(Expr::col(Users::Id).eq(user.id.as_str()));
    for (column, text) in [(Users::NameKey, &user.name_key), (Users::Address, &user.address)] {
        if let Some(text) = text {
            let of_another = Query::select()
                .column(Users::Id)
                .from(Users::Table)
                .and_where(Expr::col(column).eq(text.as_str()))
                .and_where(Expr::col(Users::Id).ne(user.id.as_str()))
                .take();
            update.and_where(Expr::not_exists(of_another));
        }
    }
    Ok(driver.execute(Statement::new(driver.dialect(), &update)).await? > 0)
}

/// Removes the row of a user. Says whether there was one.
pub(super) async fn delete<D: Driver>(driver: &mut D, id: &ActorId) -> Result<bool> {
    let delete =
        Query::delete().from_table(Users::Table).and_where(Expr::col(Users::Id).eq(id.as_str())).take();
    Ok(driver.execute(Statement::new(driver.dialect(), &delete)).await? > 0)
}

fn values(user: &User) -> Result<[Expr; 7]> {
    check_plain("a user", &user.name)?;
    let User { id, name, name_key, address, password_hash, home, created_at } = user;
    Ok([
        Expr::val(id.as_str()),
        Expr::val(name.as_str()),
        Expr::val(maybe(name_key)?),
        Expr::val(maybe(address)?),
        Expr::val(maybe(password_hash)?),
        Expr::val(home.as_ref().map(SpaceId::as_str)),
        Expr::val(created_at.as_micros()),
    ])
}

/// A text that is not empty: rows are read with an empty one for none.
fn maybe(text: &Option<String>) -> Result<Option<&str>> {
    let Some(text) = text.as_deref() else { return Ok(None) };
    check_plain("a user", text)?;
    if text.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "cannot store a user with an empty name, address or password",
        ));
    }
    Ok(Some(text))
}

/// The users after `after`, or from the first, ascending by id, at most `limit`.
pub(super) async fn users<D: Driver>(
    driver: &mut D,
    after: Option<&ActorId>,
    limit: usize,
) -> Result<Vec<User>> {
    let mut select = Query::select();
    select
        .from(Users::Table)
        .and_where(Expr::col(Users::Id).gt(after.map_or("", |after| after.as_str())))
        .order_by(Users::Id, sea_query::Order::Asc)
        .limit(driver::limit(limit));
    let users = pack::rows(user_row(), select);
    let packed = driver.text(Statement::new(driver.dialect(), &users)).await?;
    split_rows(packed.as_deref()).map(parse_user).collect()
}

/// The user whose `column` has this text.
pub(super) async fn user<D: Driver>(driver: &mut D, column: Users, text: &str) -> Result<Option<User>> {
    let mut select = Query::select();
    select.expr(user_row()).from(Users::Table).and_where(Expr::col(column).eq(text));
    let packed = driver.text(Statement::new(driver.dialect(), &select)).await?;
    packed.as_deref().map(parse_user).transpose()
}

fn user_row() -> Expr {
    row([
        Field::Of(Users::Id),
        Field::Of(Users::Name),
        Field::OrEmpty(Users::NameKey),
        Field::OrEmpty(Users::Address),
        Field::OrEmpty(Users::PasswordHash),
        Field::OrEmpty(Users::Home),
        Field::Of(Users::CreatedAt),
    ])
}

fn parse_user(row: &str) -> Result<User> {
    let [id, name, name_key, address, password_hash, home, created_at] = fields(row)?;
    let maybe = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(User {
        id: ActorId::new(id).map_err(|_| damaged())?,
        name: name.to_owned(),
        name_key: maybe(name_key),
        address: maybe(address),
        password_hash: maybe(password_hash),
        home: maybe(home).map(SpaceId::new).transpose().map_err(|_| damaged())?,
        created_at: time(created_at)?,
    })
}
