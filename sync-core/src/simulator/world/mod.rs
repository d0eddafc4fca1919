//! The world: servers over one disk, devices with one each, and the network between them.

mod devices;
mod lives;
mod servers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::runtime::Runtime;
use crate::simulator::checks::Reader;
use crate::simulator::device::Device;
use crate::simulator::disk::{Seat, SimStore};
use crate::simulator::executor::{Gate, InFlight};
use crate::simulator::facts::Facts;
use crate::simulator::journal::Journal;
use crate::simulator::network::{Branch, Ledger, Network};
use crate::simulator::{Dice, Disks, Executor, History, Invariant, Process, Scenario};
use crate::store::Store;
use crate::types::SpaceId;

pub(crate) use lives::Backup;
pub(crate) use servers::Server;

/// Everything there is in one simulation, and whoever changes it.
pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) executor: &'a Executor,
    disks: &'a dyn Disks,
    pub(crate) journal: Arc<Journal>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) network: Arc<Network>,
    pub(crate) dice: Dice,
    pub(crate) spaces: Vec<SpaceId>,
    /// What is done from outside the world is done in here.
    pub(crate) control: Process,
    pub(crate) servers: Vec<Server>,
    pub(crate) devices: Vec<Arc<Device>>,
    /// The present life of the data.
    pub(crate) branch: Arc<Branch>,
    pub(crate) backups: Vec<Backup>,
    /// Servers of a fork, by number.
    pub(crate) fork: Option<usize>,
    /// How many tokens there were when a device lost its right to read.
    pub(crate) revoked: BTreeMap<usize, u64>,
    /// Those who follow the feeds.
    pub(crate) readers: Vec<Arc<Reader>>,
    gates: BTreeMap<String, Gate>,
    n_disks: usize,
}

/// The disk of the servers, before anything is restored.
const SERVER_DISK: &str = "server";

impl<'a> World<'a> {
    /// A world in which nothing runs yet.
    pub(crate) fn new(
        scenario: &'a Scenario,
        executor: &'a Executor,
        disks: &'a dyn Disks,
        journal: Arc<Journal>,
        dice: Dice,
    ) -> Self {
        let spaces: Vec<SpaceId> = ["family", "strangers"]
            .map(|name| SpaceId::new(name).expect("plain words are names of spaces"))
            .into();
        let facts = Arc::new(Facts::new(Arc::clone(&journal)));
        let process = executor.machine(Duration::ZERO).start();
        let network =
            Network::new(process, Arc::clone(&journal), Arc::clone(&facts), dice.fork(), spaces.clone());
        let history = Arc::new(History::default());
        let branch = Arc::new(Branch { disk: SERVER_DISK.into(), history, ledger: Ledger::default() });
        facts.add_branch(Arc::clone(&branch));
        Self {
            scenario,
            executor,
            disks,
            journal,
            facts,
            network,
            dice,
            spaces,
            control: executor.machine(Duration::ZERO).start(),
            servers: Vec::new(),
            devices: Vec::new(),
            branch,
            backups: Vec::new(),
            fork: None,
            revoked: BTreeMap::new(),
            readers: Vec::new(),
            gates: BTreeMap::new(),
            n_disks: 0,
        }
    }

    /// The devices of a space that may still use it.
    pub(crate) fn devices_of(&self, space_number: usize) -> Vec<Arc<Device>> {
        let of_space = self.devices.iter().filter(|device| device.space_number == space_number);
        of_space.filter(|device| !self.network.is_revoked(device.number)).cloned().collect()
    }

    /// Lets time pass.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.control.sleep(duration).await;
    }

    pub(crate) fn note(&self, what: std::fmt::Arguments<'_>) {
        self.journal.note(&"world", what);
    }

    /// Waits for something that happens outside of the simulation.
    async fn outside<T>(&self, work: impl Future<Output = T>) -> T {
        InFlight::new(&self.control, None, Box::pin(work)).await
    }

    async fn open_disk(&self, name: &str) -> Option<Arc<dyn Store>> {
        let opened = self.outside(self.disks.open(name)).await;
        self.unless_broken(opened, name)
    }

    async fn copy_disk(&mut self, from: &str, kind: &str) -> Option<String> {
        self.n_disks += 1;
        let to = format!("{kind}{}", self.n_disks);
        let copied = self.outside(self.disks.copy(from, &to)).await;
        self.unless_broken(copied, from).map(|()| to)
    }

    /// A disk that cannot be opened or copied is the end of a simulation.
    fn unless_broken<T>(&self, result: Result<T, Error>, disk: &str) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.journal.broken(Invariant::Live, format!("the disk {disk} cannot be used: {error:?}"));
        None
    }

    fn gate(&mut self, disk: &str) -> Gate {
        self.gates.entry(disk.to_owned()).or_insert_with(|| self.executor.gate()).clone()
    }

    /// The store of a server's disk, without faults, for whoever looks at it from outside.
    pub(crate) async fn look_at_disk(&mut self, name: &str) -> Option<Arc<dyn Store>> {
        let store = self.open_disk(name).await?;
        let gate = self.gate(name);
        let (control, journal) = (self.control.clone(), Arc::clone(&self.journal));
        let seat = Seat::new("control".into(), control, self.dice.fork(), journal, gate, None);
        Some(Arc::new(SimStore::new(store, Arc::new(seat))))
    }
}
