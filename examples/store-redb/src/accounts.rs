//! Users and roles. A role is stored twice, to be listed from either side.

use std::ops::Bound;

use async_trait::async_trait;
use redb::{ReadableTable, WriteTransaction};
use sync_core::store::user_exists;
use sync_core::{Accounts, ActorId, Error, Result, Role, SpaceId, User};

use crate::error::{Job, corrupt};
use crate::rows;
use crate::store::RedbStore;
use crate::tables::{MEMBERS, ROLES, USER_NAMES, USERS};

#[async_trait]
impl Accounts for RedbStore {
    async fn create_user(&self, user: &User, roles: &[(SpaceId, Role)]) -> Result<()> {
        let (user, roles) = (user.clone(), roles.to_vec());
        self.writing(move |txn| {
            let (mut users, mut names) = (txn.open_table(USERS)?, txn.open_table(USER_NAMES)?);
            let (id, name_key) = (user.id.as_str(), user.name_key.as_str());
            if users.get(id)?.is_some() || names.get(name_key)?.is_some() {
                return Err(user_exists().into());
            }
            users.insert(id, rows::from_value(&user).as_slice())?;
            names.insert(name_key, id)?;
            roles.iter().try_for_each(|(space, role)| put_role(txn, space, &user.id, Some(*role)))
        })
        .await
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        let after = after.cloned();
        self.reading(move |txn| {
            let from = after.as_ref().map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str()));
            let users = txn.open_table(USERS)?;
            let listed = users.range::<&str>((from, Bound::Unbounded))?.take(limit);
            listed.map(|entry| Ok(rows::to_value("a user", entry?.1.value())?)).collect()
        })
        .await
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        let id = id.clone();
        self.reading(move |txn| {
            let row = txn.open_table(USERS)?.get_owned(id.as_str())?;
            Ok(row.map(|row| rows::to_value("a user", row.value())).transpose()?)
        })
        .await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        let name_key = name_key.to_owned();
        self.reading(move |txn| {
            let Some(id) = txn.open_table(USER_NAMES)?.get_owned(name_key.as_str())? else { return Ok(None) };
            let row = txn.open_table(USERS)?.get_owned(id.value())?;
            Ok(row.map(|row| rows::to_value("a user", row.value())).transpose()?)
        })
        .await
    }

    async fn role(&self, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>> {
        let (space, actor) = (space.clone(), actor.clone());
        self.reading(move |txn| {
            let word = txn.open_table(ROLES)?.get_owned((actor.as_str(), space.as_str()))?;
            word.map(|word| role(word.value())).transpose()
        })
        .await
    }

    async fn set_role(&self, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Result<()> {
        let (space, actor) = (space.clone(), actor.clone());
        self.writing(move |txn| put_role(txn, &space, &actor, role)).await
    }

    async fn spaces_of(&self, actor: &ActorId, limit: usize) -> Result<Vec<(SpaceId, Role)>> {
        let actor = actor.clone();
        self.reading(move |txn| {
            let roles = txn.open_table(ROLES)?;
            let mut listed = Vec::new();
            for entry in roles.range((actor.as_str(), "")..)?.take(limit) {
                let (key, word) = entry?;
                let (of, space) = key.value();
                if of != actor.as_str() {
                    break;
                }
                listed.push((SpaceId::new(space).map_err(damaged)?, role(word.value())?));
            }
            Ok(listed)
        })
        .await
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        let (space, after) = (space.clone(), after.cloned());
        self.reading(move |txn| {
            // No id is empty, so this is before the first.
            let from = (space.as_str(), after.as_ref().map_or("", |id| id.as_str()));
            let members = txn.open_table(MEMBERS)?;
            let mut listed = Vec::new();
            for entry in members.range::<(&str, &str)>((Bound::Excluded(from), Bound::Unbounded))?.take(limit)
            {
                let (key, word) = entry?;
                let (of, actor) = key.value();
                if of != space.as_str() {
                    break;
                }
                listed.push((ActorId::new(actor).map_err(damaged)?, role(word.value())?));
            }
            Ok(listed)
        })
        .await
    }

    async fn forget_space(&self, space: &SpaceId) -> Result<()> {
        let space = space.clone();
        self.writing(move |txn| {
            let (mut roles, mut members) = (txn.open_table(ROLES)?, txn.open_table(MEMBERS)?);
            while let Some(actor) = first_member(&members, &space)? {
                roles.remove((actor.as_str(), space.as_str()))?;
                members.remove((space.as_str(), actor.as_str()))?;
            }
            Ok(())
        })
        .await
    }
}

fn first_member(
    members: &impl ReadableTable<(&'static str, &'static str), &'static str>,
    space: &SpaceId,
) -> Job<Option<String>> {
    let first = members.range((space.as_str(), "")..)?.next().transpose()?;
    Ok(first.and_then(|(key, _)| {
        let (of, actor) = key.value();
        (of == space.as_str()).then(|| actor.to_owned())
    }))
}

fn put_role(txn: &WriteTransaction, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Job<()> {
    let (mut roles, mut members) = (txn.open_table(ROLES)?, txn.open_table(MEMBERS)?);
    let (space, actor) = (space.as_str(), actor.as_str());
    match role {
        Some(role) => {
            roles.insert((actor, space), role.as_str())?;
            members.insert((space, actor), role.as_str())?;
        }
        None => {
            roles.remove((actor, space))?;
            members.remove((space, actor))?;
        }
    }
    Ok(())
}

fn role(word: &str) -> Job<Role> {
    Role::from_word(word).ok_or_else(|| corrupt("a role is damaged").into())
}

fn damaged(error: sync_core::NameError) -> Error {
    corrupt("a role is damaged").with_source(error)
}
