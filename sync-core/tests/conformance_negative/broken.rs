//! A memory store with one planted fault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::store::{
    ClientState, HintHub, LogEntry, MemoryStore, Mode, SpaceStats, Store, StoreExt, StoreTxn,
};
use sync_core::{
    Accounts, AccountsExt, ActorId, Change, Changed, ClientId, Credential, CredentialId, Epoch, Error,
    ErrorKind, Holder, Notices, Result, Role, Seq, SpaceId, Synced, User,
};

use crate::broken_txn::BrokenTxn;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    FeedUnordered,
    FeedSkipsARow,
    FeedLosesTombstones,
    FeedPassesUpTo,
    FeedIgnoresBytes,
    FeedTakesNoNamesForAll,
    NeverMore,
    AlwaysMore,
    ScanIgnoresCase,
    ScanRepeatsTheKey,
    RecordsSorted,
    RecordsOncePerKey,
    PurgeLeavesTombstone,
    ContentReformatted,
    AuthorForgotten,
    CommitsOnDrop,
    CommitsInHalves,
    WritesWhereItReads,
    CommitsAfterFailure,
    HeadMovesWithin,
    ShowsUncommitted,
    ReadsMoveOn,
    ReadersWait,
    NoSpaceLock,
    CommitsAtTheHead,
    CommitsWithoutLimit,
    CommitsNewestFirst,
    FirstCommitIsTheHead,
    WritesOnce,
    EarlierStatesStay,
    BlindToItself,
    LogOldestFirst,
    ReplicasShared,
    ReplicasAsNamed,
    ReplicasFromTheLast,
    ReplicasWithoutLimit,
    FloorFalls,
    CollectsLiveRecords,
    CollectsWithoutLimit,
    LogNumbersFallBack,
    DeletesByHiding,
    CreatesTwice,
    HintsEarly,
    HalfCreatesUsers,
    CreatesUsersWithOneRole,
    UsersByName,
    UsersWithoutLimit,
    MembersFromTheLast,
    MembersByPrefix,
    IdsFoldCase,
    NumbersAreFloats,
    ScanByUtf16,
    PurgesForgotten,
    CommitsOffByOne,
    ReplicasEndAtTheFloor,
}

#[derive(Clone, Debug)]
pub(crate) struct BrokenStore {
    pub(crate) inner: MemoryStore,
    pub(crate) fault: Fault,
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) hub: HintHub,
}

/// What some faults remember beside the store.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) hidden: BTreeSet<SpaceId>,
    pub(crate) floor: Seq,
    pub(crate) clients: BTreeMap<ClientId, ClientState>,
}

impl BrokenStore {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { inner: MemoryStore::default(), fault, memory: Arc::default(), hub: HintHub::default() }
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_there(&self, space: &SpaceId) -> Result<()> {
        if self.memory().hidden.contains(space) {
            Err(Error::new(ErrorKind::NotFound, "hidden"))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Store for BrokenStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        if self.memory().hidden.remove(space) {
            return Ok(());
        }
        let created = self.inner.create_space(space, epoch).await;
        if self.has(Fault::CreatesTwice) { Ok(()) } else { created }
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        if self.has(Fault::DeletesByHiding) && self.inner.has_space(space).await? {
            return Ok(self.memory().hidden.insert(space.clone()));
        }
        self.inner.delete_space(space).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.inner.spaces(after, limit).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        self.is_there(space)?;
        let optimistic = self.has(Fault::NoSpaceLock);
        let inner = match mode {
            Mode::Read if self.has(Fault::ReadersWait) => self.inner.write(space).await?,
            Mode::Write if optimistic => self.inner.read(space).await?,
            mode => self.inner.begin(space, mode).await?,
        };
        Ok(Box::new(BrokenTxn::new(self.clone(), space.clone(), mode, inner)))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.is_there(space)?;
        self.inner.stats(space).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.is_there(space)?;
        let mut log = self.inner.log(space, before, limit).await?;
        if self.has(Fault::LogOldestFirst) {
            log.reverse();
        }
        Ok(log)
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        if self.has(Fault::HintsEarly) {
            Box::pin(self.hub.subscribe(space))
        } else {
            self.inner.hints(space)
        }
    }
}

#[async_trait]
impl Accounts for BrokenStore {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        let mut changes = changes.to_vec();
        if self.has(Fault::HalfCreatesUsers) {
            for change in changes.iter().filter(|change| matches!(change, Change::SetRole { .. })) {
                self.inner.unconditionally(change.clone()).await?;
            }
        }
        if let (Fault::CreatesUsersWithOneRole, Some(Change::CreateUser(_))) = (self.fault, changes.first()) {
            changes.truncate(2);
        }
        self.inner.change(&changes).await
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        let limit = if self.has(Fault::UsersWithoutLimit) { usize::MAX } else { limit };
        let mut users = self.inner.users(after, limit).await?;
        if self.has(Fault::UsersByName) {
            users.sort_by(|a, b| a.name_key.cmp(&b.name_key));
        }
        Ok(users)
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        self.inner.user(id).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        self.inner.user_by_name(name_key).await
    }

    async fn role(&self, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>> {
        self.inner.role(space, actor).await
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        self.inner.user_by_address(address).await
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        self.inner.spaces_of(actor, after, limit).await
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        let mut members = self.inner.members(space, after, limit).await?;
        if let (Fault::MembersFromTheLast, Some(after)) = (self.fault, after) {
            let last = self.inner.role(space, after).await?;
            members.splice(0..0, last.map(|role| (after.clone(), role)));
        }
        if self.has(Fault::MembersByPrefix) {
            let other = SpaceId::new(format!("{space}2")).expect("a valid name");
            members.extend(self.inner.members(&other, after, limit).await?);
        }
        Ok(members)
    }

    async fn credential(&self, id: &CredentialId) -> Result<Option<Credential>> {
        self.inner.credential(id).await
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        self.inner.credentials(holder, after, limit).await
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        self.inner.synced(devices, limit).await
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        self.inner.notices(after).await
    }
}
