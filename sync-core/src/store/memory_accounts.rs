//! Accounts of the in-memory store.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::accounts::{Accounts, Role, User};
use crate::error::Result;
use crate::store::MemoryStore;
use crate::store::user_exists;
use crate::types::{ActorId, SpaceId};

/// Users and memberships in memory; part of [`MemoryStore`].
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryAccounts(Arc<Mutex<Tables>>);

#[derive(Clone, Debug, Default)]
struct Tables {
    users: BTreeMap<ActorId, User>,
    members: BTreeMap<(ActorId, SpaceId), Role>,
}

impl MemoryAccounts {
    /// The same accounts, which from now on change apart.
    pub(super) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.tables().clone())))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_user(&self, user: &User, roles: &[(SpaceId, Role)]) -> Result<()> {
        let mut tables = self.accounts.tables();
        if tables.users.values().any(|other| other.id == user.id || other.name_key == user.name_key) {
            return Err(user_exists());
        }
        tables.users.insert(user.id.clone(), user.clone());
        tables.members.extend(roles.iter().map(|(space, role)| ((user.id.clone(), space.clone()), *role)));
        Ok(())
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.accounts.tables();
        let listed = tables.users.range::<ActorId, _>((from, Bound::Unbounded));
        Ok(listed.take(limit).map(|(_, user)| user.clone()).collect())
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        Ok(self.accounts.tables().users.get(id).cloned())
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        Ok(self.accounts.tables().users.values().find(|user| user.name_key == name_key).cloned())
    }

    async fn role(&self, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>> {
        Ok(self.accounts.tables().members.get(&(actor.clone(), space.clone())).copied())
    }

    async fn set_role(&self, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Result<()> {
        let key = (actor.clone(), space.clone());
        let mut tables = self.accounts.tables();
        match role {
            Some(role) => tables.members.insert(key, role),
            None => tables.members.remove(&key),
        };
        Ok(())
    }

    async fn spaces_of(&self, actor: &ActorId, limit: usize) -> Result<Vec<(SpaceId, Role)>> {
        let tables = self.accounts.tables();
        let mine = tables.members.iter().filter(|((member, _), _)| member == actor);
        Ok(mine.take(limit).map(|((_, space), role)| (space.clone(), *role)).collect())
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        let tables = self.accounts.tables();
        let theirs = tables.members.iter().filter(|((actor, of), _)| of == space && after < Some(actor));
        Ok(theirs.take(limit).map(|((actor, _), role)| (actor.clone(), *role)).collect())
    }

    async fn forget_space(&self, space: &SpaceId) -> Result<()> {
        self.accounts.tables().members.retain(|(_, of), _| of != space);
        Ok(())
    }
}
