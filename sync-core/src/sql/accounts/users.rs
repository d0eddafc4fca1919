//! Users: who can sign in.

use sea_query::{Expr, ExprTrait, OnConflict, Query};

use crate::accounts::{Role, User};
use crate::error::Result;
use crate::sql::accounts::members::set_role;
use crate::sql::driver::{self, Driver, Statement};
use crate::sql::pack::{self, Field, check_plain, damaged, fields, row, split_rows};
use crate::sql::rows::time;
use crate::sql::tables::Users;
use crate::store::user_exists;
use crate::types::{ActorId, SpaceId};

/// A user, column by column.
const USER: [Users; 5] = [Users::Id, Users::Name, Users::NameKey, Users::PasswordHash, Users::CreatedAt];

/// Creates a user and these roles of theirs.
pub(super) async fn create_user<D: Driver>(
    driver: &mut D,
    user: &User,
    roles: &[(SpaceId, Role)],
) -> Result<()> {
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
        return Err(user_exists());
    }
    for (space, role) in roles {
        set_role(driver, space, &user.id, Some(*role)).await?;
    }
    Ok(())
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
    let users = pack::rows(row(USER.map(Field::Of)), select);
    let packed = driver.text(Statement::new(driver.dialect(), &users)).await?;
    split_rows(packed.as_deref()).map(parse_user).collect()
}

/// The user with this id.
pub(super) async fn user<D: Driver>(driver: &mut D, id: &ActorId) -> Result<Option<User>> {
    one_user(driver, Expr::col(Users::Id).eq(id.as_str())).await
}

/// The user whose name has this normal form.
pub(super) async fn user_by_name<D: Driver>(driver: &mut D, name_key: &str) -> Result<Option<User>> {
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
