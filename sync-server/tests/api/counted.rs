//! Accounts that count how often they are asked, and that somebody else changes in between.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use sync_core::store::MemoryStore;
use sync_core::{
    Accounts, ActorId, Change, Changed, Credential, CredentialId, Holder, LookedUp, Notices, Result, Role,
    SpaceId, SpaceInfo, Synced, User,
};

/// Accounts in memory.
#[derive(Debug)]
pub(crate) struct Counted {
    store: MemoryStore,
    n_asked: AtomicUsize,
    meanwhile: Mutex<Vec<Change>>,
}

impl Counted {
    pub(crate) fn over(store: MemoryStore) -> Self {
        Self { store, n_asked: AtomicUsize::default(), meanwhile: Mutex::default() }
    }

    /// How often they were asked.
    pub(crate) fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::SeqCst)
    }

    /// What somebody else changes just before it is next asked what is known about spaces.
    pub(crate) fn meanwhile(&self, changes: Vec<Change>) {
        *self.meanwhile.lock().unwrap() = changes;
    }

    fn asked(&self) -> &dyn Accounts {
        self.n_asked.fetch_add(1, Ordering::SeqCst);
        &self.store
    }
}

#[async_trait]
impl Accounts for Counted {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        self.asked().change(changes).await
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        self.asked().users(after, limit).await
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        self.asked().user(id).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        self.asked().user_by_name(name_key).await
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        self.asked().user_by_address(address).await
    }

    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp> {
        self.asked().look_up(credentials, roles).await
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        self.asked().spaces_of(actor, after, limit).await
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        self.asked().members(space, after, limit).await
    }

    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
        let changes = std::mem::take(&mut *self.meanwhile.lock().unwrap());
        assert!(self.store.change(&changes).await?.is_done());
        self.asked().space_infos(spaces).await
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        self.asked().credentials(holder, after, limit).await
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        self.asked().synced(devices, limit).await
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        self.asked().notices(after).await
    }
}
