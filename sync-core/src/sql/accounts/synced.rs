//! How far devices are.

use std::collections::BTreeMap;

use sea_query::{Expr, ExprTrait, OnConflict, Order, Query};

use crate::accounts::{self, Change};
use crate::error::Result;
use crate::sql::bulk::is_any_of;
use crate::sql::driver::{self, Dialect, Driver, Statement};
use crate::sql::pack::{self, Field, damaged, fields, row, split_rows};
use crate::sql::rows::{seq, time};
use crate::sql::tables::{Credentials, Synced};
use crate::store::KEYS_MAX;
use crate::types::{CredentialId, SpaceId};

/// How many are written in one call: as texts they grow with each, and what a server notes at a time is no more.
const NOTED_AT_ONCE: usize = 100;

/// Notes how far devices are, as far as they are there; of several notes of the same the last counts.
pub(super) async fn note<D: Driver>(driver: &mut D, changes: &[Change]) -> Result<()> {
    let dialect = driver.dialect();
    let mut newest = BTreeMap::new();
    for change in changes {
        if let Change::NoteSynced(note) = change {
            newest.insert((&note.credential, &note.space), note);
        }
    }
    let statements: Vec<Statement> = newest.into_values().map(|note| write(dialect, note)).collect();
    for chunk in statements.chunks(NOTED_AT_ONCE) {
        driver.execute_all(chunk.to_vec()).await?;
    }
    Ok(())
}

fn write(dialect: Dialect, note: &accounts::Synced) -> Statement {
    let is_there = Query::select()
        .exprs([
            Expr::col(Credentials::Id),
            Expr::val(note.space.as_str()),
            Expr::val(note.position.get()),
            Expr::val(note.at.as_micros()),
        ])
        .from(Credentials::Table)
        .and_where(Expr::col(Credentials::Id).eq(note.credential.as_str()))
        .take();
    let insert = Query::insert()
        .into_table(Synced::Table)
        .columns([Synced::Credential, Synced::Space, Synced::Position, Synced::At])
        .select_from(is_there)
        .expect("as many columns are selected as are written")
        .on_conflict(
            OnConflict::columns([Synced::Credential, Synced::Space])
                .update_columns([Synced::Position, Synced::At])
                .to_owned(),
        )
        .take();
    // Together with any number of others, so the text hardly ever comes again.
    Statement::new(dialect, &insert).once()
}

/// The statement that forgets who synced a space.
pub(super) fn forget_space(dialect: Dialect, space: &SpaceId) -> Statement {
    Statement::new(dialect, &crate::sql::write::delete_of(Synced::Table, Synced::Space, space))
}

/// How far these devices are, ascending by credential and space, at most `limit`.
pub(super) async fn synced<D: Driver>(
    driver: &mut D,
    devices: &[CredentialId],
    limit: usize,
) -> Result<Vec<accounts::Synced>> {
    let mut devices: Vec<&str> = devices.iter().map(CredentialId::as_str).collect();
    devices.sort_unstable();
    devices.dedup();
    let mut found = Vec::new();
    for chunk in devices.chunks(KEYS_MAX) {
        let statement = of(driver.dialect(), chunk, limit.saturating_sub(found.len()));
        let packed = driver.text(statement).await?;
        for row in split_rows(packed.as_deref()) {
            found.push(parse(row)?);
        }
    }
    Ok(found)
}

fn of(dialect: Dialect, devices: &[&str], limit: usize) -> Statement {
    let (is_one_of_them, is_fixed) = is_any_of(dialect, Synced::Credential, devices.iter().copied());
    let mut select = Query::select();
    select
        .from(Synced::Table)
        .and_where(is_one_of_them)
        .order_by(Synced::Credential, Order::Asc)
        .order_by(Synced::Space, Order::Asc)
        .limit(driver::limit(limit));
    let columns = [Synced::Credential, Synced::Space, Synced::Position, Synced::At];
    let statement = Statement::new(dialect, &pack::rows(row(columns.map(Field::Of)), select));
    if is_fixed { statement } else { statement.once() }
}

fn parse(row: &str) -> Result<accounts::Synced> {
    let [credential, space, position, at] = fields(row)?;
    Ok(accounts::Synced {
        credential: CredentialId::new(credential).map_err(|_| damaged())?,
        space: SpaceId::new(space).map_err(|_| damaged())?,
        position: seq(position)?,
        at: time(at)?,
    })
}
