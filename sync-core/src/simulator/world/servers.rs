//! Servers: started, killed, and started again on the same disk.

use std::sync::Arc;

use super::World;
use crate::clock::Clock;
use crate::error::ErrorKind;
use crate::id_source::SeededIds;
use crate::runtime::Runtime;
use crate::service::Service;
use crate::simulator::disk::{Seat, SimStore};
use crate::simulator::network::{Branch, Endpoint};
use crate::simulator::scenario::policies;
use crate::simulator::{Machine, Place, Process};
use crate::store::Store;

/// A machine for server processes.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) machine: Machine,
    pub(crate) running: Option<(Process, Arc<Seat>)>,
}

impl Server {
    pub(crate) fn is_alive(&self) -> bool {
        self.running.as_ref().is_some_and(|(process, _)| process.is_alive())
    }

    pub(crate) fn kill(&mut self) {
        if let Some((process, _)) = self.running.take() {
            process.kill();
        }
    }
}

/// Clocks are off by up to so many microseconds when a simulation begins.
const CLOCK_ERROR_US: usize = 2_000_000;

impl World<'_> {
    /// A machine whose clock is a little off.
    pub(super) fn machine(&self) -> Machine {
        let machine = self.executor.machine(std::time::Duration::ZERO);
        let error = i64::try_from(self.dice.below(2 * CLOCK_ERROR_US)).unwrap_or(0);
        machine.jump(error - i64::try_from(CLOCK_ERROR_US).unwrap_or(0));
        machine
    }

    /// Adds a server and says its number.
    pub(crate) fn add_server(&mut self) -> usize {
        let number = self.servers.len();
        let machine = self.machine();
        self.servers.push(Server { machine, running: None });
        number
    }

    /// Starts a server process over the disk of a branch. The one before must be dead.
    pub(crate) async fn start_server(&mut self, number: usize, branch: &Arc<Branch>) {
        if let Some(server) = self.servers.get_mut(number) {
            server.running = None;
        }
        self.network.forget([number]);
        let Some(store) = self.open_disk(&branch.disk).await else { return };
        let gate = self.gate(&branch.disk);
        let Some(machine) = self.servers.get(number).map(|server| server.machine.clone()) else { return };
        let process = machine.start();
        let history = Some(Arc::clone(&branch.history));
        let name = format!("s{number}");
        let (dice, journal) = (self.dice.fork(), Arc::clone(&self.journal));
        let seat = Arc::new(Seat::new(name, process.clone(), dice, journal, gate, history));
        let place = Place { process: process.clone(), dice: self.dice.fork(), number };
        let service = self.service(SimStore::new(store, Arc::clone(&seat)), &place);
        self.network.open(Endpoint {
            server: number,
            process: process.clone(),
            service,
            branch: Arc::clone(branch),
        });
        if let Some(server) = self.servers.get_mut(number) {
            server.running = Some((process, seat));
        }
        self.note(format_args!("s{number} starts on {}", branch.disk));
    }

    fn service(&self, store: SimStore, place: &Place) -> Service {
        let hooks = &self.scenario.hooks;
        let store = hooks.with_server_store(Arc::new(store) as Arc<dyn Store>, place);
        let process = Arc::new(place.process.clone());
        let runtime = hooks.with_server_runtime(Arc::clone(&process) as Arc<dyn Runtime>, place);
        let clock = hooks.with_server_clock(process as Arc<dyn Clock>, place);
        Service::builder(store, runtime)
            .clock(clock)
            .ids(Arc::new(SeededIds::new(self.dice.next())))
            .policies(policies())
            .limits(self.scenario.limits.clone())
            .build()
    }

    /// Creates the spaces, before anything goes wrong.
    pub(crate) async fn create_spaces(&self) {
        let Some(endpoint) = self.network.endpoint(0) else { return };
        for space in self.spaces.clone() {
            let service = endpoint.service.clone();
            let created = endpoint.process.call(async move { service.create_space(&space).await }).await;
            if let Some(Err(error)) = created.filter(|created| {
                !created.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
            }) {
                self.unless_broken::<()>(Err(error), &endpoint.branch.disk);
            }
        }
    }

    /// Starts again the servers that are dead, each with this chance in a thousand.
    pub(crate) async fn revive_servers(&mut self, per_mille: u32) {
        let branch = Arc::clone(&self.branch);
        for number in 0..self.servers.len() {
            let is_dead = self.servers.get(number).is_some_and(|server| !server.is_alive());
            let is_of_fork =
                self.fork.is_some_and(|fork| number >= fork) || number >= self.scenario.n_servers;
            if is_dead && !is_of_fork && self.dice.chance(per_mille) {
                self.start_server(number, &branch).await;
            }
        }
    }
}
