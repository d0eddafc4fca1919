//! A small world for each test: a store, a clock, a service, and words to speak to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sync_core::json::Json;
use sync_core::protocol::{
    ClientBatch, PullPage, PullReply, PullRequest, PushDone, PushReply, PushRequest, ResyncReason,
};
use sync_core::service::{Actor, Limits, Service, ServiceBuilder};
use sync_core::store::{MemoryStore, Store};
use sync_core::{
    ActorId, ClientId, Collection, CursorToken, ManualClock, Mutation, MutationNumber, Outcome, Record,
    RecordId, RecordKey, Role, SeededIds, Seq, SpaceId, Timestamp, TokioRuntime,
};

/// The time at which every world begins.
pub(crate) const BEGINNING: i64 = 1_700_000_000_000_000;

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: Service,
    pub(crate) space: SpaceId,
}

impl World {
    /// A space in a memory store.
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// The same, with a service that is set up further.
    pub(crate) async fn with(set_up: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Self {
        let store = MemoryStore::default();
        let world = Self::over(store.clone(), Arc::new(store), set_up);
        world.service.create_space(&world.space).await.unwrap();
        world
    }

    /// A service over a front of a store.
    pub(crate) fn over(
        store: MemoryStore,
        front: Arc<dyn Store>,
        set_up: impl FnOnce(ServiceBuilder) -> ServiceBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(BEGINNING).unwrap()));
        let builder = Service::builder(front, Arc::new(TokioRuntime));
        let builder = builder.clock(clock.clone()).ids(Arc::new(SeededIds::new(1)));
        Self { store, clock, service: set_up(builder).build(), space: SpaceId::new("family").unwrap() }
    }

    /// A server that starts anew on the same store.
    pub(crate) fn restarted(&self) -> Self {
        Self::over(self.store.clone(), Arc::new(self.store.clone()), |builder| builder)
    }

    /// Another server on a copy of the store: what restoring a backup gives.
    pub(crate) fn restored(&self) -> Self {
        let store = self.store.fork();
        Self::over(store.clone(), Arc::new(store), |builder| builder)
    }

    pub(crate) async fn reply(&self, push: PushRequest) -> PushReply {
        self.service.push(&actor("ada"), &self.space, push).await.unwrap()
    }

    pub(crate) async fn done(&self, push: PushRequest) -> PushDone {
        match self.reply(push).await {
            PushReply::Done(done) => done,
            reply => panic!("not done: {reply:?}"),
        }
    }

    /// Pushes mutations without a number.
    pub(crate) async fn push(&self, mutations: Vec<Mutation>) -> Vec<Outcome> {
        self.done(PushRequest { batch: None, mutations, after: None, receipt: None }).await.outcomes
    }

    /// Pushes one mutation without a number.
    pub(crate) async fn one(&self, mutation: Mutation) -> Outcome {
        self.push(vec![mutation]).await.remove(0)
    }

    /// Makes a record what it says, whatever it was, and says its version.
    pub(crate) async fn set(&self, id: &str, value: Value) -> Seq {
        let base = self.service.record(&actor("ada"), &self.space, &key(id), true).await.unwrap();
        let base = base.map_or(Seq::ZERO, |record| record.meta.version);
        self.one(put(id, value).based_on(base)).await.version().unwrap()
    }

    pub(crate) async fn pull(&self, pull: PullRequest) -> PullReply {
        self.service.pull(&actor("ada"), &self.space, pull).await.unwrap()
    }

    /// A page after a cursor.
    pub(crate) async fn page(&self, after: Option<&CursorToken>, limit: Option<usize>) -> PullPage {
        match self.pull(PullRequest { after: after.cloned(), limit, ..PullRequest::default() }).await {
            PullReply::Page(page) => page,
            reply => panic!("not a page: {reply:?}"),
        }
    }

    /// Why a cursor is refused; `None` if it is not.
    pub(crate) async fn refusal(&self, after: &CursorToken) -> Option<ResyncReason> {
        match self.pull(PullRequest { after: Some(after.clone()), ..PullRequest::default() }).await {
            PullReply::Page(_) => None,
            PullReply::ResyncRequired(resync) => Some(resync.reason),
        }
    }

    /// Where the space stands.
    pub(crate) async fn cursor(&self) -> CursorToken {
        self.page(None, None).await.cursor
    }

    /// Everything there is, tombstones included.
    pub(crate) async fn state(&self) -> BTreeMap<RecordKey, Record> {
        let mut state = BTreeMap::new();
        let mut page = self.page(None, None).await;
        loop {
            state.extend(page.changes.into_iter().map(|record| (record.key.clone(), record)));
            if !page.has_more {
                return state;
            }
            page = self.page(Some(&page.cursor), None).await;
        }
    }

    /// The content of a record; `None` if there is none.
    pub(crate) async fn value(&self, id: &str) -> Option<Value> {
        let record = self.service.record(&actor("ada"), &self.space, &key(id), false).await.unwrap();
        record.map(|record| record.data.unwrap().to_value())
    }
}

pub(crate) fn actor(id: &str) -> Actor {
    Actor::new(ActorId::new(id).unwrap(), Role::Editor)
}

pub(crate) fn notes() -> Collection {
    Collection::new("notes").unwrap()
}

pub(crate) fn key(id: &str) -> RecordKey {
    RecordKey::new(notes(), RecordId::new(id).unwrap())
}

pub(crate) fn json(value: Value) -> Json {
    Json::from_value(&value).unwrap()
}

pub(crate) fn put(id: &str, value: Value) -> Mutation {
    Mutation::put(key(id), json(value))
}

pub(crate) fn create(id: &str, value: Value) -> Mutation {
    put(id, value).based_on(Seq::ZERO)
}

pub(crate) fn client(n: usize) -> ClientId {
    ClientId::new(format!("replica-{n}")).unwrap()
}

/// A batch of the first client.
pub(crate) fn batch(first: i64, mutations: Vec<Mutation>) -> PushRequest {
    batch_of(1, first, mutations)
}

pub(crate) fn batch_of(n: usize, first: i64, mutations: Vec<Mutation>) -> PushRequest {
    let batch = ClientBatch { client: client(n), first: MutationNumber::new(first).unwrap() };
    PushRequest { batch: Some(batch), mutations, after: None, receipt: None }
}

/// The default limits, changed.
pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}
