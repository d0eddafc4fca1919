//! Devices: started, killed, copied.

use std::sync::Arc;

use super::World;
use crate::accounts::Role;
use crate::clock::Clock;
use crate::id_source::{IdSource, SeededIds};
use crate::replica::{Replica, ReplicaOptions};
use crate::runtime::Runtime;
use crate::service::Actor;
use crate::simulator::app::App;
use crate::simulator::device::{Device, Running};
use crate::simulator::disk::{Seat, SimStore};
use crate::simulator::drive::{keep_in_sync, run};
use crate::simulator::network::{Caller, Link};
use crate::simulator::scenario::{CHECKPOINT_OPS_MIN, policies};
use crate::simulator::witness::Witness;
use crate::simulator::{Place, Process};
use crate::store::Store;
use crate::transport::Transport;
use crate::types::ActorId;

impl World<'_> {
    /// Adds a device with an empty disk.
    pub(crate) fn add_device(&mut self, space_number: usize) -> Arc<Device> {
        let number = self.devices.len();
        let name = format!("a{number}");
        let actor = ActorId::new(name).expect("a letter and a number are a name");
        self.add(space_number, actor)
    }

    fn add(&mut self, space_number: usize, actor: ActorId) -> Arc<Device> {
        let space = self.spaces[space_number % self.spaces.len()].clone();
        let machine = self.machine();
        let device = Arc::new(Device::new(self.devices.len(), (space_number, space), actor, machine));
        self.devices.push(Arc::clone(&device));
        device
    }

    /// Copies the disk of a device, also while it runs. Both go on.
    pub(crate) async fn clone_device(&mut self, original: &Arc<Device>) {
        let before = original.take_new_name();
        self.facts.was_cloned(before);
        self.facts.tokens.are_shared(original.number);
        for (counter, n) in original.steps() {
            self.facts.count(original.space_number, &counter, |count| count.n_maybe += n);
        }
        let number = self.devices.len();
        let Some(disk) = self.copy_disk(&original.disk, &format!("r{number}-copy")).await else { return };
        let space = (original.space_number, original.space.clone());
        let machine = self.machine();
        let copy = Device::new(number, space, original.actor.clone(), machine).on(disk);
        copy.begin_as_copy_of(original);
        self.note(format_args!("{copy} is a copy of {original}"));
        let copy = Arc::new(copy);
        self.devices.push(Arc::clone(&copy));
        self.start_device(&copy).await;
    }

    /// Starts what runs on a device. The process before must be dead.
    pub(crate) async fn start_device(&mut self, device: &Arc<Device>) {
        device.is_dead();
        let Some(store) = self.open_disk(&device.disk).await else { return };
        let gate = self.gate(&device.disk);
        let process = device.machine.start();
        let (dice, journal) = (self.dice.fork(), Arc::clone(&self.journal));
        let seat = Arc::new(Seat::new(device.to_string(), process.clone(), dice, journal, gate, None));
        let place = Place { process: process.clone(), dice: self.dice.fork(), number: device.number };
        let hooks = &self.scenario.hooks;
        let runtime = hooks.with_client_runtime(Arc::new(process.clone()) as Arc<dyn Runtime>, &place);
        let options = ReplicaOptions {
            runtime: Arc::clone(&runtime),
            clock: hooks.with_client_clock(Arc::new(process.clone()) as Arc<dyn Clock>, &place),
            ids: hooks
                .with_client_ids(Arc::new(SeededIds::new(self.dice.next())) as Arc<dyn IdSource>, &place),
            policies: policies(),
            actor: device.actor.clone(),
            shows_partial_load: false,
            checkpoint_ops_min: CHECKPOINT_OPS_MIN,
        };
        let store = Arc::new(SimStore::new(store, Arc::clone(&seat))) as Arc<dyn Store>;
        let store = hooks.with_replica_store(store, &place);
        let opened = process.call(Replica::open(store, device.space.clone(), options)).await;
        let replica = match opened {
            Some(Ok(replica)) => replica,
            other => {
                self.note(format_args!("{device} does not start: {:?}", other.map(|opened| opened.err())));
                return process.kill();
            }
        };
        self.note(format_args!("{device} starts"));
        let running = Running { process: process.clone(), replica: replica.clone(), seat };
        device.runs(running.clone());
        let way = self.transport(device, &process, &place);
        let (driven, journal) = (Arc::clone(device), Arc::clone(&self.journal));
        process.spawn(match self.scenario.replicas_run {
            true => Box::pin(run(driven, replica, way, journal)),
            false => Box::pin(keep_in_sync(driven, replica, way, runtime, journal)),
        });
        self.start_app(device, running);
    }

    fn transport(&self, device: &Device, process: &Process, place: &Place) -> Arc<dyn Transport> {
        let actor = Actor::new(device.actor.clone(), Role::Editor);
        let caller = Caller { device: device.number, actor, space: device.space.clone() };
        let link = Link::new(Arc::clone(&self.network), process.clone(), caller);
        let way = self.scenario.hooks.with_transport(Arc::new(link) as Arc<dyn Transport>, place);
        let limits = self.scenario.limits.clone();
        let (facts, runs) = (Arc::clone(&self.facts), self.scenario.replicas_run);
        Arc::new(Witness::new(way, facts, process.clone(), device.number, limits, runs))
    }

    fn start_app(&self, device: &Arc<Device>, running: Running) {
        let process = running.process.clone();
        let app = App {
            device: Arc::clone(device),
            running,
            facts: Arc::clone(&self.facts),
            journal: Arc::clone(&self.journal),
            dice: self.dice.fork(),
            pairs_stay_together: self.scenario.pairs_stay_together,
            decides: !self.scenario.replicas_run,
        };
        process.spawn(Box::pin(app.run()));
    }

    /// Starts again the devices that are dead, each with this chance in a thousand.
    pub(crate) async fn revive_devices(&mut self, per_mille: u32) {
        for device in self.devices.clone() {
            if device.running().is_none() && self.dice.chance(per_mille) {
                self.start_device(&device).await;
            }
        }
    }
}
