//! Where a replica keeps its space: in one of two local spaces, of which one is live.
//!
//! ```text
//! live      reads and writes of the application          ──── switch ────▶  gone
//! standby   a load fills it, nobody sees it              ──── switch ────▶  live
//! ```
//!
//! A load never touches what the application sees. When it has caught up with the server, local writes are held for a
//! moment, unsent work is carried over, and the standby is live from the commit that says so. Whatever breaks before
//! that commit leaves the live side as it was; whatever breaks after it finds the new side when the replica is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::lock::{Mutex, OwnedMutexGuard};

use crate::error::{ErrorKind, Result};
use crate::replica::Replica;
use crate::replica::local::open::Inner;
use crate::replica::local::state::State;
use crate::store::Mode;
use crate::types::{Epoch, SpaceId};

/// Which of the two local spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that the application sees.
    Live,
    /// The one that is being loaded.
    Standby,
}

/// The two local spaces of a replica.
#[derive(Debug)]
pub(crate) struct Place {
    spaces: [SpaceId; 2],
    live: AtomicUsize,
    /// A switch was committed or not: its answer was lost.
    in_doubt: AtomicBool,
    /// Held by the local write that is under way, of which a store has one at a time anyway, or by a switch.
    gate: Arc<Mutex<()>>,
    /// Held by whoever writes, removes or switches to the standby: tasks outlive the sync that began them, and what is
    /// the standby for one may be live when it goes on.
    standby: Arc<Mutex<()>>,
}

impl Place {
    /// The first of the two has the name of the space at the server; the other one's name is its hash, so that it is
    /// valid whatever the length of the first.
    pub(crate) fn new(space: &SpaceId) -> Self {
        let hash =
            blake3::Hasher::new().update(b"the other side of ").update(space.as_str().as_bytes()).finalize();
        let other = format!("replica-{}", &hash.to_hex()[..32]);
        let other = SpaceId::new(other).expect("letters, digits and a hyphen are the name of a space");
        let (live, in_doubt) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { spaces: [space.clone(), other], live, in_doubt, gate: Arc::default(), standby: Arc::default() }
    }

    /// The local space of a side.
    pub(crate) fn space(&self, side: Side) -> &SpaceId {
        let live = self.live.load(Ordering::SeqCst);
        &self.spaces[if side == Side::Live { live } else { 1 - live }]
    }

    /// Waits until no local write and no switch is under way, and keeps others out.
    pub(crate) async fn enter(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.gate).lock_owned().await
    }

    /// Waits until nobody else works on the standby. Never asked for by whoever is behind the gate.
    pub(crate) async fn enter_standby(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.standby).lock_owned().await
    }

    /// Makes the standby live. Only behind the gate, and while a replica is opened.
    pub(crate) fn turn(&self) {
        self.live.fetch_xor(1, Ordering::SeqCst);
    }
}

impl Inner {
    /// Creates the space of a side unless it is there.
    pub(crate) async fn create_if_missing(&self, side: Side) -> Result<()> {
        let mut epoch = [0; 16];
        self.options.ids.fill(&mut epoch);
        match self.store.create_space(self.place.space(side), Epoch::from_bytes(epoch)).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    /// The state of a side; `None` when there is none, or its space is not there.
    pub(crate) async fn state_at(&self, side: Side) -> Result<Option<State>> {
        match self.begin(self.place.space(side), Mode::Read).await {
            Ok(mut local) => local.row(&State::key()).await,
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Finds out which side is live, and removes one that was live before.
    pub(crate) async fn find_live(&self) -> Result<()> {
        let of = |state: Option<&State>| state.filter(|state| !state.standby).map(|state| state.generation);
        let (first, other) = (self.state_at(Side::Live).await?, self.state_at(Side::Standby).await?);
        if of(other.as_ref()) > of(first.as_ref()) {
            self.place.turn();
        }
        if of(first.as_ref()).is_some() && of(other.as_ref()).is_some() {
            self.store.delete_space(self.place.space(Side::Standby)).await?;
        }
        Ok(())
    }

    /// Finds out which side is live, if that is in doubt. The caller is behind the gate.
    pub(crate) async fn settle_doubt(&self) -> Result<()> {
        if self.place.in_doubt.load(Ordering::SeqCst) { self.settle_switch().await } else { Ok(()) }
    }

    /// After a switch whose commit was not answered: whether it happened.
    async fn settle_switch(&self) -> Result<()> {
        if self.state_at(Side::Standby).await?.is_some_and(|state| !state.standby) {
            self.place.turn();
            self.signals.reload();
        }
        self.place.in_doubt.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Marks a switch as perhaps committed, and finds out at once if possible. The caller is behind the gate.
    pub(crate) async fn doubt_switch(&self) {
        self.place.in_doubt.store(true, Ordering::SeqCst);
        if let Err(error) = self.settle_switch().await {
            tracing::warn!(%error, "it is not known which side of the replica is live");
        }
    }
}

impl Replica {
    /// Makes sure that it is known which side is live. Until then nothing is written: it might go to the wrong one.
    pub(crate) async fn know_place(&self) -> Result<()> {
        if !self.0.place.in_doubt.load(Ordering::SeqCst) {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        self.in_task(async move {
            let _entered = inner.place.enter().await;
            inner.settle_doubt().await
        })
        .await
    }
}
