//! A memory store with one planted fault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::store::{
    ClientState, HintHub, LogEntry, MemoryStore, Mode, SpaceStats, Store, StoreExt, StoreTxn,
};
use sync_core::{ClientId, CredentialId, Epoch, Error, ErrorKind, Result, Seq, SpaceId, Synced, TreeId};

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
    OpsChange,
    OpsStayAsTheyWere,
    TreesSkipStrangers,
    CheckpointsMeet,
    CheckpointsSurvive,
    CheckpointsCut,
    ScansOnlyAscend,
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
    SpacesFromTheFirst,
    InfosAsAsked,
    InfosOfAnyNumber,
    NamesStay,
    SpacesLeaveInfos,
    NoticesOfNames,
    ListsInHalves,
    RefusesTheFirst,
    ChecksConditionsFirst,
    PassesOnShared,
    PassesOnWithCredentials,
    SuccessorsUnasked,
    NobodyIsNoOwner,
    UsersLeaveCredentials,
    SpacesLeaveCredentials,
    ReplacesAnyRevision,
    TakesTwice,
    EndsEveryKind,
    ExpiredAreHidden,
    ForgetsWithoutLimit,
    CredentialsFromTheLast,
    LooksUpWithoutOrder,
    NotesOnlyTheFirst,
    PositionsStay,
    NoticesOfRefusals,
    NoticesNewestFirst,
    NoticesNeverMissed,
    NoticesOncePerList,
    PositionsRunAhead,
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
    pub(crate) checkpoints: BTreeMap<TreeId, String>,
    pub(crate) synced: BTreeMap<(CredentialId, SpaceId), Synced>,
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
