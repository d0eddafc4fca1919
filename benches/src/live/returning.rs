//! The process of those who come back: replicas as applications have them, each with a connection of its own, and what happens
//! to them while the server is gone.
//!
//! Told line by line: `follow ADDRESS TOKEN SPACE N` runs replicas, `ready` waits until each of them hears what happens, `count`
//! forgets what was counted, `back SINCE N` waits until each has heard something after that moment and holds that many records,
//! and says how long after the moment that was, and what went wrong meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sync_core::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, Subscribe,
};
use sync_core::replica::{Query, Replica, ReplicaOptions};
use sync_core::store::MemoryStore;
use sync_core::transport::{HttpTransport, LiveNews, LiveStream, Transport};
use sync_core::{ActorId, Error, Result, SpaceId, TokioRuntime};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Semaphore;

use crate::measure::{Returned, now_us};

/// How many begin at a time. When a server comes back, nothing holds them.
const AT_ONCE: usize = 64;

/// How often it is looked whether all are there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long it is waited for them, in these: three minutes.
const LOOKS_MAX: usize = 3_600;

/// What all replicas of the process share.
struct Crowd {
    beginning: Semaphore,
    members: Mutex<Vec<Arc<Member>>>,
    /// What went wrong, by what was said.
    failures: Mutex<BTreeMap<String, usize>>,
}

/// One replica.
struct Member {
    replica: Replica,
    /// When it last began to hear what happens.
    heard_us: AtomicU64,
}

/// Does what it is told until standard input ends.
pub(crate) async fn run() {
    let crowd =
        Crowd { beginning: Semaphore::new(AT_ONCE), members: Mutex::default(), failures: Mutex::default() };
    let crowd = Arc::new(crowd);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<&str> = line.split(' ').collect();
        told(&crowd, &words).await;
    }
    std::process::exit(0);
}

#[expect(clippy::print_stdout, reason = "whoever started this reads what was measured")]
async fn told(crowd: &Arc<Crowd>, words: &[&str]) {
    match words {
        ["follow", address, token, space, n] => {
            let (address, space) = (address.parse().expect("it is an address"), SpaceId::new(*space));
            let space = space.expect("the server made it");
            for _ in 0..n.parse().expect("it is a number") {
                crowd.add(address, token, &space).await;
            }
        }
        ["ready"] => {
            crowd.until(|member| member.heard_us.load(Ordering::SeqCst) > 0).await;
            println!("ready");
        }
        ["count"] => {
            crowd.failures().clear();
            println!("counting");
        }
        ["back", since, n] => {
            let since = since.parse().expect("it is a time");
            let n = n.parse().expect("it is a number");
            println!("{}", crowd.returned(since, n).await.to_line());
        }
        _ => panic!("nobody says this: {words:?}"),
    }
}

impl Crowd {
    async fn add(self: &Arc<Self>, address: SocketAddr, token: &str, space: &SpaceId) {
        let actor = ActorId::new("follower").expect("it is plain");
        let options = ReplicaOptions::new(Arc::new(TokioRuntime), actor);
        let replica = Replica::open(Arc::new(MemoryStore::default()), space.clone(), options).await;
        let replica = replica.expect("an empty store can be opened");
        let member = Arc::new(Member { replica, heard_us: AtomicU64::new(0) });
        lock(&self.members).push(Arc::clone(&member));
        let inner = HttpTransport::new(&format!("http://{address}"), Some(token));
        let inner = inner.expect("the address and the token are plain");
        let way = Watched { inner, member: Arc::clone(&member), crowd: Arc::clone(self) };
        let crowd = Arc::clone(self);
        tokio::spawn(async move {
            let turn = crowd.beginning.acquire().await.expect("it is never closed");
            let began = tokio::spawn(async move { way.member.replica.run(&way).await });
            while member.heard_us.load(Ordering::SeqCst) == 0 && !began.is_finished() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            drop(turn);
            panic!("a replica has given up: {:?}", began.await);
        });
    }

    /// Waits until something is true of everyone.
    async fn until(&self, is_so: impl Fn(&Member) -> bool) {
        let members = lock(&self.members).clone();
        for _ in 0..LOOKS_MAX {
            if members.iter().all(|member| is_so(member)) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let n = members.iter().filter(|member| is_so(member)).count();
        panic!("{n} of {} after three minutes; {:?}", members.len(), self.failures());
    }

    async fn returned(&self, since_us: u64, n_records: usize) -> Returned {
        self.until(|member| member.heard_us.load(Ordering::SeqCst) > since_us).await;
        let members = lock(&self.members).clone();
        let after = |member: &Arc<Member>| member.heard_us.load(Ordering::SeqCst) - since_us;
        let took_us = members.iter().map(after).collect();
        for member in &members {
            let records =
                async || member.replica.list("notes", &Query::all()).await.map(|records| records.len());
            for n_looks in 0.. {
                let n = records().await.expect("memory can be read");
                if n >= n_records {
                    break;
                }
                assert!(n_looks < LOOKS_MAX, "one has {n} of {n_records} records");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Returned::of(took_us, self.failures().clone())
    }

    fn failed(&self, way: &str, error: &Error) {
        let said = error.code().map(str::to_owned);
        let said = said.or_else(|| error.status().map(|status| status.to_string()));
        // What the system says, and the number of a closing frame, are at the end of a message.
        let message = error.to_string();
        let said = said.unwrap_or_else(|| message.rsplit(": ").next().unwrap_or_default().to_owned());
        *self.failures().entry(format!("{way}, {said}")).or_default() += 1;
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
        lock(&self.failures)
    }
}

/// The way of one replica to the server.
struct Watched {
    inner: HttpTransport,
    member: Arc<Member>,
    crowd: Arc<Crowd>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Transport for Watched {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.inner.push(space, push).await.inspect_err(|error| self.crowd.failed("push", error))
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let way = if pull.wait.is_some() { "held pull" } else { "pull" };
        self.inner.pull(space, pull).await.inspect_err(|error| self.crowd.failed(way, error))
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.inner.snapshot(space, request)
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        let (crowd, member) = (Arc::clone(&self.crowd), Arc::clone(&self.member));
        let Some(stream) = self.inner.live(space, subscribe) else {
            *crowd.failures().entry("live, held instead".to_owned()).or_default() += 1;
            return None;
        };
        let mut is_first = true;
        let watched = stream.inspect(move |news| match news {
            Ok(LiveNews::Frame(_)) if std::mem::take(&mut is_first) => {
                member.heard_us.store(now_us(), Ordering::SeqCst);
            }
            Ok(_) => {}
            Err(error) => crowd.failed("live", error),
        });
        Some(watched.boxed())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
