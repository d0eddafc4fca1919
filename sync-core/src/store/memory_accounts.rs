//! Accounts of the in-memory store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::accounts::{
    Accounts, Change, Changed, Credential, CredentialKind, Holder, LookedUp, NOTICES_KEPT, Notice, Notices,
    Role, SpaceInfo, Synced, User,
};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::MemoryStore;
use crate::types::{ActorId, CredentialId, SpaceId};

/// Users, credentials and memberships in memory; part of [`MemoryStore`].
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryAccounts(Arc<Mutex<Tables>>);

#[derive(Clone, Debug, Default)]
struct Tables {
    users: BTreeMap<ActorId, User>,
    members: BTreeMap<(ActorId, SpaceId), Role>,
    credentials: BTreeMap<CredentialId, Credential>,
    synced: BTreeMap<(CredentialId, SpaceId), Synced>,
    infos: BTreeMap<SpaceId, SpaceInfo>,
    notices: VecDeque<Notice>,
    position: u64,
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

impl Tables {
    /// Makes one change; says whether it could be made.
    fn make(&mut self, change: &Change) -> bool {
        let possible = match change {
            Change::CreateUser(user) => self.create_user(user),
            Change::UpdateUser(user) => self.update_user(user),
            Change::DeleteUser(id) => self.delete_user(id),
            Change::SetRole { space, actor, role } => self.set_role(space, actor, *role),
            Change::DescribeSpace(info) => self.describe(info),
            Change::ForgetSpace(space) => self.forget_space(space),
            Change::PassOn { from, to } => self.pass_on(from, to),
            Change::AddCredential(credential) => self.add(credential),
            Change::ReplaceCredential(credential) => self.replace(credential),
            Change::TakeCredential { id, revision } => self.take(id, *revision),
            Change::EndCredentials { holder, kind, except } => self.end(holder, *kind, except.as_ref()),
            Change::ForgetExpired { before, limit } => self.forget_expired(*before, *limit),
            Change::NoteSynced(synced) => self.note(synced),
            Change::RequireUser(id) => self.users.contains_key(id),
            Change::RequireRole { space, actor, role } => self.role(space, actor) == *role,
            Change::RequireCredential(id) => self.credentials.contains_key(id),
            Change::RequireUnchanged(user) => self.users.get(&user.id) == Some(user),
            Change::RequireNobody(space) => !self.members.keys().any(|(_, of)| of == space),
            Change::RequireSuccessors(actor) => {
                let is_left = |space| self.members.keys().any(|(who, of)| of == space && who != actor);
                !self.owned_alone(actor).iter().any(is_left)
            }
            Change::RequireOwner(space) => {
                self.members.iter().any(|((_, of), role)| of == space && *role == Role::Owner)
            }
        };
        if let (true, Some(notice)) = (possible, change.notice()) {
            self.position += 1;
            self.notices.push_back(notice);
            if self.notices.len() as u64 > NOTICES_KEPT {
                self.notices.pop_front();
            }
        }
        possible
    }

    /// Whether the names of a user are no one else's.
    fn is_free_for(&self, user: &User) -> bool {
        let taken = |mine: &Option<String>, theirs: &Option<String>| mine.is_some() && mine == theirs;
        let mut others = self.users.values().filter(|other| other.id != user.id);
        !others.any(|other| taken(&user.name_key, &other.name_key) || taken(&user.address, &other.address))
    }

    fn create_user(&mut self, user: &User) -> bool {
        let is_free = !self.users.contains_key(&user.id) && self.is_free_for(user);
        if is_free {
            self.users.insert(user.id.clone(), user.clone());
        }
        is_free
    }

    fn update_user(&mut self, user: &User) -> bool {
        let is_possible = self.users.contains_key(&user.id) && self.is_free_for(user);
        if is_possible {
            self.users.insert(user.id.clone(), user.clone());
        }
        is_possible
    }

    fn delete_user(&mut self, id: &ActorId) -> bool {
        self.members.retain(|(actor, _), _| actor != id);
        let theirs = Holder::User(id.clone());
        self.forget(|credential| credential.holder == theirs);
        self.users.remove(id).is_some()
    }

    fn role(&self, space: &SpaceId, actor: &ActorId) -> Option<Role> {
        self.members.get(&(actor.clone(), space.clone())).copied()
    }

    fn set_role(&mut self, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> bool {
        let key = (actor.clone(), space.clone());
        match role {
            Some(role) => self.members.insert(key, role),
            None => self.members.remove(&key),
        };
        true
    }

    fn describe(&mut self, info: &SpaceInfo) -> bool {
        self.infos.insert(info.space.clone(), info.clone());
        true
    }

    fn forget_space(&mut self, space: &SpaceId) -> bool {
        self.members.retain(|(_, of), _| of != space);
        let its = Holder::Space(space.clone());
        self.forget(|credential| credential.holder == its);
        self.synced.retain(|(_, of), _| of != space);
        self.infos.remove(space);
        true
    }

    /// The spaces of which someone is the only owner.
    fn owned_alone(&self, actor: &ActorId) -> Vec<SpaceId> {
        let owners = self.members.iter().filter(|(_, role)| **role == Role::Owner).map(|(key, _)| key);
        let mut owned: Vec<_> = owners.clone().filter(|(who, _)| who == actor).map(|(_, of)| of).collect();
        owned.retain(|space| !owners.clone().any(|(who, of)| of == *space && who != actor));
        owned.into_iter().cloned().collect()
    }

    fn pass_on(&mut self, from: &ActorId, to: &ActorId) -> bool {
        for space in self.owned_alone(from) {
            self.forget_space(&space);
            self.set_role(&space, to, Some(Role::Owner));
        }
        true
    }

    fn add(&mut self, credential: &Credential) -> bool {
        let is_free = !self.credentials.contains_key(&credential.id);
        if is_free {
            self.credentials.insert(credential.id.clone(), credential.clone());
        }
        is_free
    }

    fn replace(&mut self, next: &Credential) -> bool {
        let Some(now) = self.credentials.get_mut(&next.id) else { return false };
        let follows = now.revision.checked_add(1) == Some(next.revision);
        if !follows || now.holder != next.holder || now.kind() != next.kind() {
            return false;
        }
        *now = next.clone();
        true
    }

    fn take(&mut self, id: &CredentialId, revision: u32) -> bool {
        let is_there = self.credentials.get(id).is_some_and(|credential| credential.revision == revision);
        if is_there {
            self.forget(|credential| credential.id == *id);
        }
        is_there
    }

    fn end(&mut self, holder: &Holder, kind: CredentialKind, except: Option<&CredentialId>) -> bool {
        self.forget(|credential| {
            credential.holder == *holder && credential.kind() == kind && Some(&credential.id) != except
        });
        true
    }

    fn forget_expired(&mut self, before: Timestamp, limit: usize) -> bool {
        let mut left = limit;
        self.forget(|credential| {
            let goes = left > 0 && credential.is_expired(before);
            left -= usize::from(goes);
            goes
        });
        true
    }

    fn note(&mut self, synced: &Synced) -> bool {
        if self.credentials.contains_key(&synced.credential) {
            self.synced.insert((synced.credential.clone(), synced.space.clone()), synced.clone());
        }
        true
    }

    /// Removes credentials, and how far they were.
    fn forget(&mut self, mut goes: impl FnMut(&Credential) -> bool) {
        self.credentials.retain(|_, credential| !goes(credential));
        self.synced.retain(|(id, _), _| self.credentials.contains_key(id));
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        let mut tables = self.accounts.tables();
        let mut next = tables.clone();
        if let Some(idx) = changes.iter().position(|change| !next.make(change)) {
            return Ok(Changed::Refused(idx));
        }
        *tables = next;
        Ok(Changed::Done)
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
        let tables = self.accounts.tables();
        Ok(tables.users.values().find(|user| user.name_key.as_deref() == Some(name_key)).cloned())
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        let tables = self.accounts.tables();
        Ok(tables.users.values().find(|user| user.address.as_deref() == Some(address)).cloned())
    }

    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp> {
        let tables = self.accounts.tables();
        Ok(LookedUp {
            credentials: credentials.iter().map(|id| tables.credentials.get(id).cloned()).collect(),
            roles: roles.iter().map(|(space, actor)| tables.role(space, actor)).collect(),
        })
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        let tables = self.accounts.tables();
        let mine = tables.members.iter().filter(|((of, space), _)| of == actor && after < Some(space));
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

    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
        SpaceInfo::check_asked(spaces)?;
        let (tables, asked) = (self.accounts.tables(), BTreeSet::from_iter(spaces));
        Ok(asked.into_iter().filter_map(|space| tables.infos.get(space).cloned()).collect())
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        let tables = self.accounts.tables();
        let held = tables.credentials.values();
        let held = held.filter(|credential| credential.holder == *holder && after < Some(&credential.id));
        Ok(held.take(limit).cloned().collect())
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        let tables = self.accounts.tables();
        let theirs = tables.synced.values().filter(|synced| devices.contains(&synced.credential));
        Ok(theirs.take(limit).cloned().collect())
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        let tables = self.accounts.tables();
        let position = tables.position;
        let Some(after) = after else { return Ok(Notices { position, ..Notices::default() }) };
        let n_new = usize::try_from(position.saturating_sub(after)).unwrap_or(usize::MAX);
        let n_kept = tables.notices.len();
        let notices = tables.notices.iter().skip(n_kept.saturating_sub(n_new)).cloned().collect();
        Ok(Notices { position, missed: n_new > n_kept || after > position, notices })
    }
}
