//! Credentials and roles for many who ask at once, in one statement.

use std::collections::{BTreeSet, HashMap};

use sea_query::{Cond, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::accounts::{Credential, LOOK_UP_MAX, LookedUp, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::accounts::credentials;
use crate::sql::driver::{Driver, Statement};
use crate::sql::pack::{self, FIELD, Field, damaged, fields, row, split_rows};
use crate::sql::tables::{Credentials, Members};
use crate::types::{ActorId, CredentialId, SpaceId};

/// Finds them, each once, however often it is asked for.
pub(super) async fn look_up<D: Driver>(
    driver: &mut D,
    ids: &[CredentialId],
    pairs: &[(SpaceId, ActorId)],
) -> Result<LookedUp> {
    if ids.len() > LOOK_UP_MAX || pairs.len() > LOOK_UP_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            "cannot look up more than 256 credentials or roles at once",
        ));
    }
    let (each_id, each_pair): (BTreeSet<_>, BTreeSet<_>) = (ids.iter().collect(), pairs.iter().collect());
    let is_one = each_id.len() <= 1 && each_pair.len() <= 1;
    let of_credentials = (!each_id.is_empty()).then(|| bodies(&each_id));
    let of_roles = (!each_pair.is_empty()).then(|| memberships(&each_pair));
    let select = match (of_credentials, of_roles) {
        (Some(mut first), Some(mut second)) => {
            second.expr(role_row());
            pack::rows(credential_row(), first.union(UnionType::All, second).take())
        }
        (Some(only), None) => pack::rows(credential_row(), only),
        (None, Some(only)) => pack::rows(role_row(), only),
        (None, None) => return Ok(LookedUp::default()),
    };
    let statement = Statement::new(driver.dialect(), &select);
    let packed = driver.text(if is_one { statement } else { statement.once() }).await?;
    let found = Found::parse(packed.as_deref())?;
    Ok(LookedUp {
        credentials: ids.iter().map(|id| found.credentials.get(id.as_str()).cloned()).collect(),
        roles: pairs.iter().map(|(space, actor)| found.role(space, actor)).collect(),
    })
}

fn credential_row() -> Expr {
    row([Field::Of(Credentials::Body)])
}

fn bodies(ids: &BTreeSet<&CredentialId>) -> SelectStatement {
    let mut select = Query::select().from(Credentials::Table).take();
    select.and_where(Expr::col(Credentials::Id).is_in(ids.iter().map(|id| id.as_str())));
    select
}

fn role_row() -> Expr {
    row([Field::Of(Members::Space), Field::Of(Members::Actor), Field::Of(Members::Role)])
}

fn memberships(pairs: &BTreeSet<&(SpaceId, ActorId)>) -> SelectStatement {
    let is_one_of = pairs.iter().fold(Cond::any(), |any, (space, actor)| {
        let is_it =
            Expr::col(Members::Space).eq(space.as_str()).and(Expr::col(Members::Actor).eq(actor.as_str()));
        any.add(is_it)
    });
    Query::select().from(Members::Table).cond_where(is_one_of).take()
}

/// What the database has of it.
#[derive(Default)]
struct Found {
    credentials: HashMap<String, Credential>,
    roles: HashMap<(String, String), Role>,
}

impl Found {
    /// Takes rows apart: those of roles have fields, those of credentials are JSON, which has none.
    fn parse(packed: Option<&str>) -> Result<Self> {
        let mut found = Self::default();
        for row in split_rows(packed) {
            if row.contains(FIELD) {
                let [space, actor, word] = fields(row)?;
                let role = Role::from_word(word).ok_or_else(damaged)?;
                found.roles.insert((space.to_owned(), actor.to_owned()), role);
            } else {
                let credential = credentials::parse(row)?;
                found.credentials.insert(credential.id.as_str().to_owned(), credential);
            }
        }
        Ok(found)
    }

    fn role(&self, space: &SpaceId, actor: &ActorId) -> Option<Role> {
        self.roles.get(&(space.as_str().to_owned(), actor.as_str().to_owned())).copied()
    }
}
