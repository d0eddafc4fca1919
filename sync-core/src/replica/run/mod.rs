//! Running: a replica that keeps itself in sync until it is told to stop.

pub(super) mod backoff;
pub(super) mod follow;
pub(super) mod listen;
pub(super) mod patience;

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, FutureExt, select, select_all};
use futures_util::stream::StreamExt;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::replica::run::backoff::{Act, Next, Now, Outcome, Pace, RunOptions};
use crate::replica::run::follow::Line;
use crate::replica::run::patience::Patient;
use crate::replica::sync::Synced;
use crate::replica::tell::latest::Follower;
use crate::replica::{Replica, SyncState};
use crate::transport::Transport;

/// What can happen while it waits.
struct Events {
    edits: Follower<()>,
    asks: Follower<()>,
    wakes: Follower<()>,
}

/// A replica that runs. When it is dropped, nobody tries again.
struct Running<'a>(&'a Replica);

impl Replica {
    /// Keeps this replica in sync with the server until it is dropped: sends edits shortly after they were made, takes in
    /// what others do as it happens, and tries again after failures. It ends, with the reason, only when a person is
    /// needed: local data that is damaged ([`Corrupt`](crate::ErrorKind::Corrupt)) or that this program is too old for
    /// ([`Incompatible`](crate::ErrorKind::Incompatible)); and when the replica was [closed](Replica::close). [`states`](Replica::states) tell how it stands.
    ///
    /// What others do is heard on a [live](Transport::live) connection where the transport has one: milliseconds after they did
    /// it. Where there is none, a request is made that the server holds until something happens ([`wait`](RunOptions::wait)), and
    /// where requests are not held it is asked at intervals ([`poll_every`](RunOptions::poll_every)). Whatever was heard, and
    /// whatever was not, is settled by the cursor: a connection that breaks or loses something costs time, never a change.
    ///
    /// Waits after failures grow to 15 s and are jittered; a longer one that the server asks for is kept, up to ten
    /// minutes. Requests that are not answered are asked again, so a transport may hang. While the server asks for a new
    /// sign-in, it is tried once a minute, and at once after [`wake`](Replica::wake). When the space is not found, or not
    /// the caller's any more, it is tried once a minute, too, and nothing is removed here, unless the server says that
    /// access was taken away. Nothing that waits to be sent is ever without a timer.
    ///
    /// It may be spawned: `tokio::spawn(async move { replica.run(&transport).await })`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Event, Replica, ReplicaOptions};
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let open = || Replica::open(Arc::new(MemoryStore::default()), space.clone(), options.clone());
    /// # let (phone, laptop) = (open().await?, open().await?);
    /// use futures_util::StreamExt;
    /// for replica in [phone.clone(), laptop.clone()] {
    ///     let server = server.clone();
    ///     tokio::spawn(async move { replica.run(&server).await });
    /// }
    /// let mut watch = laptop.watch(&["notes"])?;
    /// phone.put("notes", "1", "milk").await?;
    /// while laptop.get::<String>("notes", "1").await?.is_none() {
    ///     watch.next().await;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn run(&self, transport: &dyn Transport) -> Error {
        self.run_with(transport, &RunOptions::default()).await
    }

    /// [`run`](Replica::run) at another pace.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use sync_core::replica::{Replica, RunOptions};
    /// # async fn example(replica: Replica, server: sync_core::transport::Loopback) {
    /// let calm = RunOptions { poll_every: Duration::from_secs(300), ..RunOptions::default() };
    /// let error = replica.run_with(&server, &calm).await;
    /// eprintln!("{error}");
    /// # }
    /// ```
    pub async fn run_with(&self, transport: &dyn Transport, options: &RunOptions) -> Error {
        let closed = self.0.doors.closed();
        match select(pin!(self.keep_in_sync(transport, options)), pin!(closed)).await {
            Either::Left((error, _)) => error,
            Either::Right(_) => self.closed(),
        }
    }

    async fn keep_in_sync(&self, transport: &dyn Transport, options: &RunOptions) -> Error {
        let transport = Patient::new(transport, self.0.options.runtime.clone());
        let (mut events, mut line) = (self.events(), Line::default());
        let _running = Running(self);
        self.0.signals.contact.plan(Some(self.0.options.clock.now()));
        let mut pace = Pace::default();
        let mut next = Next { act: Act::Sync, after: Duration::ZERO };
        loop {
            let mut outcome = self.step(next, &transport, options, &mut events, &mut line).await;
            let has_unsent = self.has_unsent().await.unwrap_or_else(|error| {
                outcome = Outcome::Failed(error);
                true
            });
            let now = Now { at: self.0.options.clock.now(), has_unsent, chance: self.chance() };
            next = pace.next(&outcome, now, options);
            self.show(&outcome, next.at(now, options), &pace);
            if let (Outcome::Failed(error), Act::Stop) = (outcome, next.act) {
                return error;
            }
        }
    }

    /// Makes a replica that [runs](Replica::run) try now, whatever it waits for: after a sign-in, when the network is
    /// back, or because someone asks.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// // The transport has a new token.
    /// replica.wake();
    /// # Ok(()) }
    /// ```
    pub fn wake(&self) {
        self.0.signals.wakes.set(());
    }

    fn events(&self) -> Events {
        let signals = &self.0.signals;
        let (edits, asks) = (signals.edits.follow_news(), signals.asks.follow_news());
        Events { edits, asks, wakes: signals.wakes.follow_news() }
    }

    /// Waits for the time of a step and takes it, unless something happens that changes what is to be done.
    async fn step(
        &self,
        next: Next,
        transport: &dyn Transport,
        options: &RunOptions,
        events: &mut Events,
        line: &mut Line,
    ) -> Outcome {
        let is_listening = next.act == Act::Listen;
        let work = async {
            if !next.after.is_zero() {
                self.0.options.runtime.sleep(next.after).await;
            }
            if is_listening { Some(self.listen(line, transport, options.wait).await) } else { None }
        };
        let done = match select(work.boxed(), events.next(is_listening).boxed()).await {
            Either::Left((done, _)) => done,
            Either::Right((outcome, _)) => return outcome,
        };
        let result = match done {
            Some(heard) => heard,
            None => {
                events.forget();
                self.attempt(transport).await
            }
        };
        result.unwrap_or_else(Outcome::Failed)
    }

    async fn attempt(&self, transport: &dyn Transport) -> Result<Outcome> {
        let Synced { refused, .. } = self.exchange(transport, &mut |_| {}).await?;
        Ok(if refused.is_some() { Outcome::Refused } else { Outcome::Synced })
    }

    fn show(&self, outcome: &Outcome, next_try: Option<Timestamp>, pace: &Pace) {
        let signals = &self.0.signals;
        signals.contact.plan(next_try);
        if let Outcome::Failed(error) = outcome {
            signals.contact.failed(Some(error));
        }
        signals.states.show(match outcome {
            Outcome::Failed(error) => SyncState::after(error, next_try),
            _ if pace.is_refused() => SyncState::ReadOnly,
            _ => SyncState::Idle,
        });
    }

    fn chance(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.options.ids.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl Events {
    /// The next thing that happens. Edits are of no concern to a replica that is about to send them anyway.
    async fn next(&mut self, is_listening: bool) -> Outcome {
        let wakes = self.wakes.next().map(|_| Outcome::Woken).boxed();
        if !is_listening {
            return wakes.await;
        }
        let edits = self.edits.next().map(|_| Outcome::Edited).boxed();
        let asks = self.asks.next().map(|_| Outcome::Asked).boxed();
        select_all([wakes, edits, asks]).await.0
    }

    /// What happened so far is taken care of by the sync that begins now.
    fn forget(&mut self) {
        self.edits.catch_up();
        self.asks.catch_up();
        self.wakes.catch_up();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let signals = &self.0.0.signals;
        signals.contact.plan(None);
        if let SyncState::Offline { why, .. } = signals.states.get() {
            signals.states.show(SyncState::Offline { retry_at: None, why });
        }
    }
}
