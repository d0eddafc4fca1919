//! Credentials. A row is the whole credential as JSON, and beside it what it is looked for by.

use sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};

use crate::accounts::{Credential, CredentialKind, Holder};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::bulk::is_among;
use crate::sql::driver::{self, Dialect, Driver, Statement};
use crate::sql::pack::{self, Field, damaged, row, split_rows};
use crate::sql::tables::Credentials;
use crate::types::CredentialId;

/// Adds a credential. Says whether it did: not when its id is taken.
pub(super) async fn add<D: Driver>(driver: &mut D, credential: &Credential) -> Result<bool> {
    let mut insert = Query::insert()
        .into_table(Credentials::Table)
        .columns([
            Credentials::Id,
            Credentials::Holder,
            Credentials::Kind,
            Credentials::Revision,
            Credentials::ExpiresAt,
            Credentials::Body,
        ])
        .on_conflict(OnConflict::column(Credentials::Id).do_nothing().to_owned())
        .take();
    insert.values_panic([
        Expr::val(credential.id.as_str()),
        Expr::val(text_of(&credential.holder)),
        Expr::val(credential.kind().as_str()),
        Expr::val(i64::from(credential.revision)),
        Expr::val(credential.expires_at.map(Timestamp::as_micros)),
        Expr::val(body(credential)?),
    ]);
    Ok(driver.execute(Statement::new(driver.dialect(), &insert)).await? > 0)
}

/// Replaces a credential by its next revision. Says whether it did: not when the one before is not there, or is of
/// another holder or kind.
pub(super) async fn replace<D: Driver>(driver: &mut D, next: &Credential) -> Result<bool> {
    let update = Query::update()
        .table(Credentials::Table)
        .value(Credentials::Revision, i64::from(next.revision))
        .value(Credentials::ExpiresAt, next.expires_at.map(Timestamp::as_micros))
        .value(Credentials::Body, body(next)?)
        .and_where(Expr::col(Credentials::Id).eq(next.id.as_str()))
        .and_where(Expr::col(Credentials::Revision).eq(i64::from(next.revision) - 1))
        .and_where(Expr::col(Credentials::Holder).eq(text_of(&next.holder)))
        .and_where(Expr::col(Credentials::Kind).eq(next.kind().as_str()))
        .take();
    Ok(driver.execute(Statement::new(driver.dialect(), &update)).await? > 0)
}

/// Removes a credential. Says whether it did: not when it is not there in this revision.
pub(super) async fn take<D: Driver>(driver: &mut D, id: &CredentialId, revision: u32) -> Result<bool> {
    let delete = Query::delete()
        .from_table(Credentials::Table)
        .and_where(Expr::col(Credentials::Id).eq(id.as_str()))
        .and_where(Expr::col(Credentials::Revision).eq(i64::from(revision)))
        .take();
    Ok(driver.execute(Statement::new(driver.dialect(), &delete)).await? > 0)
}

/// The statement that removes what someone holds, of one kind or of all, but for one.
pub(super) fn end(
    dialect: Dialect,
    holder: &Holder,
    kind: Option<CredentialKind>,
    except: Option<&CredentialId>,
) -> Statement {
    let mut delete = Query::delete().from_table(Credentials::Table).take();
    delete.and_where(Expr::col(Credentials::Holder).eq(text_of(holder)));
    if let Some(kind) = kind {
        delete.and_where(Expr::col(Credentials::Kind).eq(kind.as_str()));
    }
    if let Some(id) = except {
        delete.and_where(Expr::col(Credentials::Id).ne(id.as_str()));
    }
    Statement::new(dialect, &delete)
}

/// The statement that removes at most `limit` that ended at `before` or earlier.
pub(super) fn forget_expired(dialect: Dialect, before: Timestamp, limit: usize) -> Statement {
    let ended = Query::select()
        .column(Credentials::Id)
        .from(Credentials::Table)
        .and_where(Expr::col(Credentials::ExpiresAt).lte(before.as_micros()))
        .order_by(Credentials::ExpiresAt, sea_query::Order::Asc)
        .limit(driver::limit(limit))
        .take();
    let is_ended = is_among(dialect, Credentials::Id, ended);
    Statement::new(dialect, &Query::delete().from_table(Credentials::Table).and_where(is_ended).take())
}

/// Whether there is a credential with this id.
pub(super) async fn is_there<D: Driver>(driver: &mut D, id: &CredentialId) -> Result<bool> {
    let mut select = of_table();
    select.expr(row([Field::Of(Credentials::Id)])).and_where(Expr::col(Credentials::Id).eq(id.as_str()));
    Ok(driver.text(Statement::new(driver.dialect(), &select)).await?.is_some())
}

/// What someone holds, after `after` or from the first, ascending by id, at most `limit`.
pub(super) async fn credentials<D: Driver>(
    driver: &mut D,
    holder: &Holder,
    after: Option<&CredentialId>,
    limit: usize,
) -> Result<Vec<Credential>> {
    let mut select = of_table();
    select
        .and_where(Expr::col(Credentials::Holder).eq(text_of(holder)))
        .and_where(Expr::col(Credentials::Id).gt(after.map_or("", |after| after.as_str())))
        .order_by(Credentials::Id, sea_query::Order::Asc)
        .limit(driver::limit(limit));
    let bodies = pack::rows(row([Field::Of(Credentials::Body)]), select);
    let packed = driver.text(Statement::new(driver.dialect(), &bodies)).await?;
    split_rows(packed.as_deref()).map(parse).collect()
}

fn of_table() -> SelectStatement {
    Query::select().from(Credentials::Table).take()
}

/// Who holds it, in words that begin with what they are.
fn text_of(holder: &Holder) -> String {
    match holder {
        Holder::User(actor) => format!("user:{actor}"),
        Holder::Space(space) => format!("space:{space}"),
        Holder::Address(hidden) => format!("address:{hidden}"),
        Holder::Server => "server".to_owned(),
    }
}

fn body(credential: &Credential) -> Result<String> {
    serde_json::to_string(credential).map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot write a credential as JSON").with_source(error)
    })
}

pub(super) fn parse(body: &str) -> Result<Credential> {
    serde_json::from_str(body).map_err(|_| damaged())
}
