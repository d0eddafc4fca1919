//! What a test puts in between: fronts of stores, transports, runtimes and clocks that break a promise on purpose.
//!
//! A simulation that finds nothing may be blind. So each trap that systems like this one have fallen into is built as a
//! front, without a switch in the code that ships, and the simulation has to find it.

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::id_source::IdSource;
use crate::runtime::Runtime;
use crate::simulator::{Dice, Process};
use crate::store::Store;
use crate::transport::Transport;

/// Where a front stands.
#[derive(Debug)]
pub struct Place {
    /// The process it is part of: its runtime and its clock.
    pub process: Process,
    /// Choices of its own.
    pub dice: Dice,
    /// Which server or which device, from zero.
    pub number: usize,
}

/// Builds what stands in front of a thing.
type Front<T> = Arc<dyn Fn(Arc<T>, &Place) -> Arc<T> + Send + Sync>;

/// Fronts to put in between; none by default.
///
/// They are built anew for each process. A front that remembers something across restarts keeps it in what its closure
/// holds.
///
/// ```
/// use std::sync::Arc;
/// use sync_core::simulator::Hooks;
/// let hooks = Hooks::default().replica_store(|store, _place| store);
/// println!("{hooks:?}");
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    server_store: Option<Front<dyn Store>>,
    replica_store: Option<Front<dyn Store>>,
    transport: Option<Front<dyn Transport>>,
    server_runtime: Option<Front<dyn Runtime>>,
    client_runtime: Option<Front<dyn Runtime>>,
    server_clock: Option<Front<dyn Clock>>,
    client_clock: Option<Front<dyn Clock>>,
    client_ids: Option<Front<dyn IdSource>>,
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident, $with:ident: $kind:ident;)*) => {
        impl Hooks {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(
                    mut self,
                    front: impl Fn(Arc<dyn $kind>, &Place) -> Arc<dyn $kind> + Send + Sync + 'static,
                ) -> Self {
                    self.$name = Some(Arc::new(front));
                    self
                }

                /// The thing with its front, if there is one.
                pub(crate) fn $with(&self, thing: Arc<dyn $kind>, place: &Place) -> Arc<dyn $kind> {
                    match &self.$name {
                        Some(front) => front(thing, place),
                        None => thing,
                    }
                }
            )*
        }
    };
}

hooks! {
    /// Puts a front between a server and its disk. What it calls is late and may fail, as any disk of the simulation.
    server_store, with_server_store: Store;
    /// Puts a front between a replica and its disk.
    replica_store, with_replica_store: Store;
    /// Puts a front between a replica and the network. What the replica is told is watched above it.
    transport, with_transport: Transport;
    /// Puts a front between a server and what runs its tasks.
    server_runtime, with_server_runtime: Runtime;
    /// Puts a front between a replica, and whoever keeps it in sync, and what runs its tasks.
    client_runtime, with_client_runtime: Runtime;
    /// Puts a front between a server and its clock.
    server_clock, with_server_clock: Clock;
    /// Puts a front between a replica and its clock.
    client_clock, with_client_clock: Clock;
    /// Puts a front between a replica and where its ids and its chances come from.
    client_ids, with_client_ids: IdSource;
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fronts = [
            ("server_store", self.server_store.is_some()),
            ("replica_store", self.replica_store.is_some()),
            ("transport", self.transport.is_some()),
            ("server_runtime", self.server_runtime.is_some()),
            ("client_runtime", self.client_runtime.is_some()),
            ("server_clock", self.server_clock.is_some()),
            ("client_clock", self.client_clock.is_some()),
            ("client_ids", self.client_ids.is_some()),
        ];
        f.debug_set().entries(fronts.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name)).finish()
    }
}
