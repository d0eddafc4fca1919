//! Users, roles, credentials and notices: what is asked. What is changed is in `changes.rs`.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable};
use sync_core::{
    Accounts, ActorId, Change, Changed, Credential, CredentialId, Holder, LookedUp, Notices, Result, Role,
    SpaceId, SpaceInfo, Synced, User,
};

use crate::changes;
use crate::error::{Failure, Job, corrupt};
use crate::pages::after_key;
use crate::rows;
use crate::store::RedbStore;
use crate::tables::{
    CREDENTIALS, HELD, MEMBERS, NOTICES, ROLES, SPACE_INFOS, SYNCED, USER_ADDRESSES, USER_NAMES, USERS,
};

#[async_trait]
impl Accounts for RedbStore {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        let changes = changes.to_vec();
        self.writing_if(|changed: &Changed| changed.is_done(), move |txn| changes::make(txn, &changes)).await
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
        self.reading(move |txn| user(txn, id.as_str())).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        let name_key = name_key.to_owned();
        self.reading(move |txn| {
            let id = txn.open_table(USER_NAMES)?.get_owned(name_key.as_str())?;
            id.map_or(Ok(None), |id| user(txn, id.value()))
        })
        .await
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        let address = address.to_owned();
        self.reading(move |txn| {
            let id = txn.open_table(USER_ADDRESSES)?.get_owned(address.as_str())?;
            id.map_or(Ok(None), |id| user(txn, id.value()))
        })
        .await
    }

    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp> {
        let (ids, pairs) = (credentials.to_vec(), roles.to_vec());
        self.reading(move |txn| {
            let (credentials, roles) = (txn.open_table(CREDENTIALS)?, txn.open_table(ROLES)?);
            let credential = |id: CredentialId| -> Job<Option<Credential>> {
                let row = credentials.get_owned(id.as_str())?;
                Ok(row.map(|row| rows::to_value("a credential", row.value())).transpose()?)
            };
            let role_of = |(space, actor): (SpaceId, ActorId)| {
                let word = roles.get_owned((actor.as_str(), space.as_str()))?;
                word.map(|word| role(word.value())).transpose()
            };
            Ok(LookedUp {
                credentials: ids.into_iter().map(credential).collect::<Result<_, _>>()?,
                roles: pairs.into_iter().map(role_of).collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        let (actor, after) = (actor.clone(), after.cloned());
        self.reading(move |txn| {
            let of_actor = (actor.as_str(), after.as_ref().map_or("", |space| space.as_str()));
            let space = |space: &str| SpaceId::new(space).map_err(damaged);
            after_key(&txn.open_table(ROLES)?, of_actor, limit, |name, word| Ok((space(name)?, role(word)?)))
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
            let of_space = (space.as_str(), after.as_ref().map_or("", |id| id.as_str()));
            let actor = |actor: &str| ActorId::new(actor).map_err(damaged);
            after_key(&txn.open_table(MEMBERS)?, of_space, limit, |id, word| Ok((actor(id)?, role(word)?)))
        })
        .await
    }

    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
        SpaceInfo::check_asked(spaces)?;
        let spaces: BTreeSet<SpaceId> = spaces.iter().cloned().collect();
        self.reading(move |txn| {
            let infos = txn.open_table(SPACE_INFOS)?;
            let mut found = Vec::new();
            for space in spaces {
                if let Some(row) = infos.get(space.as_str())? {
                    found.push(rows::to_value("what is known about a space", row.value())?);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        let (holder, after) = (changes::text_of(holder), after.cloned());
        self.reading(move |txn| {
            let credentials = txn.open_table(CREDENTIALS)?;
            let of_holder = (holder.as_str(), after.as_ref().map_or("", |id| id.as_str()));
            after_key(&txn.open_table(HELD)?, of_holder, limit, |id, ()| {
                let row = credentials.get(id)?.ok_or_else(|| corrupt("a credential is missing"))?;
                Ok(rows::to_value("a credential", row.value())?)
            })
        })
        .await
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        let devices: BTreeSet<CredentialId> = devices.iter().cloned().collect();
        self.reading(move |txn| {
            let synced = txn.open_table(SYNCED)?;
            let mut listed = Vec::new();
            for id in devices {
                listed.extend(after_key(&synced, (id.as_str(), ""), limit - listed.len(), |_, row| {
                    Ok(rows::to_value("how far a device is", row)?)
                })?);
            }
            Ok(listed)
        })
        .await
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        self.reading(move |txn| {
            let kept = txn.open_table(NOTICES)?;
            let position = kept.last()?.map_or(0, |(position, _)| position.value());
            let Some(after) = after else { return Ok(Notices { position, ..Notices::default() }) };
            let mut notices = Vec::new();
            for entry in kept.range((Bound::Excluded(after), Bound::Unbounded))? {
                notices.push(rows::to_value("a notice", entry?.1.value())?);
            }
            let missed = position.checked_sub(after) != u64::try_from(notices.len()).ok();
            Ok(Notices { position, missed, notices })
        })
        .await
    }
}

fn user(txn: &ReadTransaction, id: &str) -> Job<Option<User>> {
    let row = txn.open_table(USERS)?.get_owned(id)?;
    Ok(row.map(|row| rows::to_value("a user", row.value())).transpose()?)
}

fn role(word: &str) -> Job<Role> {
    Role::from_word(word).ok_or_else(|| corrupt("a role is damaged").into())
}

fn damaged(error: sync_core::NameError) -> Failure {
    Failure(corrupt("a role is damaged").with_source(error))
}
