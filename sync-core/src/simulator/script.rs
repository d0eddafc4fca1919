//! The script of a simulation: what goes wrong at each step, and the peace after it.

use std::time::Duration;

use crate::error::ErrorKind;
use crate::simulator::app::make_counters;
use crate::simulator::disk::DiskFault;
use crate::simulator::drive::POLL;
use crate::simulator::network::Weather;
use crate::simulator::scenario::{FaultKind, QUIET_MAX};
use crate::simulator::world::World;
use crate::simulator::{Invariant, checks};

/// The longest pause between two steps.
const PAUSE_MAX: Duration = Duration::from_millis(1500);
/// The longest that someone is cut off, signed out or overloaded.
const CLOSED_MAX: Duration = Duration::from_secs(5);
/// Calls of a process within which a planted fault strikes: about a sync or two.
const FAULT_WITHIN_CALLS: usize = 30;
/// Devices there are at most, copies included.
const DEVICES_MAX: usize = 7;
/// How often it is asked whether all are in sync.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long servers are away whom everyone listens to: longer than the first wait of those who lose them.
const OUTAGE: Duration = Duration::from_secs(4);
/// How long after that nothing may change any more: as long as a message can be late.
const LATE: Duration = Duration::from_secs(45);

impl World<'_> {
    /// Plays a whole simulation. What is found is in the journal.
    pub(crate) async fn play(&mut self) {
        self.begin().await;
        let faults = self.scenario.draw(&self.dice);
        self.note(format_args!("may go wrong: {faults:?}"));
        for step in 1..=self.scenario.n_steps {
            self.journal.at_step(step);
            self.sleep(self.dice.delay(PAUSE_MAX)).await;
            if let Some(kind) = self.dice.pick(&faults) {
                self.strike(*kind, &faults).await;
            }
            self.revive_servers(400).await;
            self.revive_devices(400).await;
            if self.journal.is_broken() {
                return;
            }
        }
        self.end_faults().await;
        if self.comes_to_rest().await {
            if self.scenario.replicas_run {
                self.lose_servers().await;
            }
            self.sleep(LATE).await;
            checks::all(self).await;
        }
    }

    async fn begin(&mut self) {
        let branch = std::sync::Arc::clone(&self.branch);
        for _ in 0..self.scenario.n_servers.max(1) {
            let number = self.add_server();
            self.start_server(number, &branch).await;
        }
        self.create_spaces().await;
        for space_number in
            [0].repeat(self.scenario.n_replicas).into_iter().chain([1].repeat(self.scenario.n_strangers))
        {
            let device = self.add_device(space_number);
            self.start_device(&device).await;
            let is_first =
                self.devices.iter().filter(|other| other.space_number == space_number).count() == 1;
            if let Some(running) = device.running().filter(|_| is_first) {
                checks::expected(self, make_counters(&running.replica).await);
            }
        }
        checks::begin_reading(self);
    }

    /// Lets something go wrong.
    async fn strike(&mut self, kind: FaultKind, faults: &[FaultKind]) {
        self.journal.count("events");
        match kind {
            FaultKind::Network | FaultKind::Lies => self.change_network(faults),
            FaultKind::Refusals => self.refuse(),
            FaultKind::Disks => self.plant(&[
                DiskFault::Error(ErrorKind::Unavailable),
                DiskFault::Error(ErrorKind::StorageFull),
                DiskFault::Error(ErrorKind::Contended),
                DiskFault::AnswerLost,
            ]),
            FaultKind::ServerCrashes => self.crash_server(),
            FaultKind::ReplicaCrashes => self.crash_device(),
            FaultKind::Clocks => self.jump_clock(),
            FaultKind::Collections => self.collect(),
            FaultKind::Clones => self.clone_some_device().await,
            FaultKind::Restores if self.backups.is_empty() || self.dice.chance(500) => self.back_up().await,
            FaultKind::Restores => self.restore().await,
            FaultKind::Forks if self.fork.is_some() => self.end_fork(),
            FaultKind::Forks => self.begin_fork().await,
            FaultKind::Revocations => self.revoke(),
        }
    }

    fn change_network(&mut self, faults: &[FaultKind]) {
        let until = self.control_time() + self.dice.delay(CLOSED_MAX);
        match self.dice.below(4) {
            0 => {
                let device = self.dice.below(self.devices.len());
                self.note(format_args!("r{device} is offline until {until:?}"));
                self.network.close(|closures| closures.offline.insert(device, until));
            }
            1 => {
                let server = self.dice.below(self.servers.len());
                self.note(format_args!("s{server} is cut off until {until:?}"));
                self.network.close(|closures| closures.cut_off.insert(server, until));
            }
            _ => self.network.set_weather(self.draw_weather(faults)),
        }
    }

    fn draw_weather(&self, faults: &[FaultKind]) -> Weather {
        let fine = Weather::fine();
        let rate = |kind: FaultKind| {
            if faults.contains(&kind) { u32::try_from(self.dice.below(150)).unwrap_or(0) } else { 0 }
        };
        let weather = Weather {
            delay_max: if faults.contains(&FaultKind::Network) {
                self.dice.delay(CLOSED_MAX)
            } else {
                fine.delay_max
            },
            loses_request: rate(FaultKind::Network),
            loses_answer: rate(FaultKind::Network),
            repeats: rate(FaultKind::Network),
            cuts: rate(FaultKind::Network),
            lies: rate(FaultKind::Lies),
        };
        self.note(format_args!("{weather:?}"));
        weather
    }

    fn refuse(&mut self) {
        let until = self.control_time() + self.dice.delay(CLOSED_MAX);
        let device = self.dice.below(self.devices.len());
        let is_overload = self.dice.chance(500);
        self.network.close(|closures| {
            if is_overload {
                closures.overloaded = until;
            } else {
                closures.signed_out.insert(device, until);
            }
        });
    }

    /// Plants a fault at one of the next calls of some process.
    fn plant(&mut self, faults: &[DiskFault]) {
        let Some(fault) = self.dice.pick(faults).copied() else { return };
        let n = u64::try_from(self.dice.below(FAULT_WITHIN_CALLS)).unwrap_or(0);
        if self.dice.chance(500) {
            self.plant_at_server(n, fault);
        } else {
            self.plant_at_device(n, fault);
        }
    }

    fn plant_at_server(&self, n: u64, fault: DiskFault) {
        let server = self.dice.pick(&self.servers);
        if let Some((_, seat)) = server.and_then(|server| server.running.as_ref()) {
            seat.plant(n, fault);
        }
    }

    fn plant_at_device(&self, n: u64, fault: DiskFault) {
        if let Some(running) = self.dice.pick(&self.devices).and_then(|device| device.running()) {
            running.seat.plant(n, fault);
        }
    }

    fn crash_server(&mut self) {
        let n = u64::try_from(self.dice.below(FAULT_WITHIN_CALLS)).unwrap_or(0);
        match self.dice.below(3) {
            0 => self.plant_at_server(n, DiskFault::CrashBefore),
            1 => self.plant_at_server(n, DiskFault::CrashAfter),
            _ => {
                let number = self.dice.below(self.servers.len());
                self.note(format_args!("s{number} is killed"));
                self.servers[number].kill();
            }
        }
        self.journal.count("crashes of servers");
    }

    fn crash_device(&mut self) {
        let n = u64::try_from(self.dice.below(FAULT_WITHIN_CALLS)).unwrap_or(0);
        match self.dice.below(3) {
            0 => self.plant_at_device(n, DiskFault::CrashBefore),
            1 => self.plant_at_device(n, DiskFault::CrashAfter),
            _ => {
                if let Some(device) = self.dice.pick(&self.devices) {
                    self.note(format_args!("{device} is killed"));
                    device.running().iter().for_each(|running| running.process.kill());
                }
            }
        }
        self.journal.count("crashes of replicas");
    }

    fn jump_clock(&mut self) {
        const SECOND_US: i64 = 1_000_000;
        const SPANS_S: [i64; 4] = [1, 600, 24 * 3600, 365 * 24 * 3600];
        let span = self.dice.pick(&SPANS_S).copied().unwrap_or(1) * SECOND_US;
        let span = if self.dice.chance(500) { span } else { -span };
        let servers = self.servers.iter().map(|server| &server.machine);
        let machines: Vec<_> = servers.chain(self.devices.iter().map(|device| &device.machine)).collect();
        if let Some(machine) = self.dice.pick(&machines) {
            machine.jump(span);
            self.note(format_args!("a clock jumps by {} s", span / SECOND_US));
        }
    }

    fn collect(&mut self) {
        let Some(endpoint) = self.network.endpoint(0) else { return };
        let Some(space) = self.dice.pick(&self.spaces).cloned() else { return };
        let (service, journal) = (endpoint.service.clone(), std::sync::Arc::clone(&self.journal));
        let collected = async move {
            let report = service.collect(&space, false).await;
            journal.note(&"world", format_args!("{space} is collected: {:?}", report.ok()));
        };
        crate::runtime::Runtime::spawn(&endpoint.process, Box::pin(collected));
        self.journal.count("collections");
    }

    async fn clone_some_device(&mut self) {
        if self.devices.len() >= DEVICES_MAX || self.dice.chance(500) {
            return;
        }
        let Some(original) = self.dice.pick(&self.devices).cloned() else { return };
        if !self.network.is_revoked(original.number) {
            self.journal.count("clones");
            self.clone_device(&original).await;
        }
    }

    /// Takes a device's right to its space, unless too few would be left.
    fn revoke(&mut self) {
        let number = self.dice.below(self.devices.len());
        let of_space = |space| self.devices.iter().filter(|device| device.space_number == space).count();
        let space = self.devices[number].space_number;
        if !self.revoked.is_empty() || of_space(space) < 3 || self.dice.chance(700) {
            return;
        }
        self.network.close(|closures| closures.revoked.insert(number));
        self.revoked.insert(number, self.facts.tokens.n());
        self.note(format_args!("r{number} may not use its space any more"));
        self.journal.count("revocations");
    }

    fn control_time(&self) -> Duration {
        self.control.elapsed()
    }

    /// The last fault is over: everything runs, and nothing goes wrong any more.
    async fn end_faults(&mut self) {
        self.end_fork();
        self.network.set_weather(Weather::fine());
        self.network.close(crate::simulator::network::Closures::end);
        for device in &self.devices {
            device.end();
            device.running().iter().for_each(|running| running.seat.heal());
        }
        self.servers.iter().filter_map(|server| server.running.as_ref()).for_each(|(_, seat)| seat.heal());
        self.revive_servers(1000).await;
        self.revive_devices(1000).await;
        self.note(format_args!("nothing goes wrong any more"));
    }

    /// Takes the servers away while all replicas listen to them: they must not come back as one.
    async fn lose_servers(&mut self) {
        self.servers.iter_mut().for_each(crate::simulator::world::Server::kill);
        self.note(format_args!("all servers are killed while all is quiet"));
        self.sleep(OUTAGE).await;
        self.revive_servers(1000).await;
    }

    /// Waits until all are in sync, by themselves and in time.
    async fn comes_to_rest(&mut self) -> bool {
        let deadline = self.control_time() + QUIET_MAX + POLL;
        loop {
            self.sleep(LOOK_EVERY).await;
            let unrest = checks::unrest(self).await;
            if self.journal.is_broken() {
                return false;
            }
            let Some(unrest) = unrest else { return true };
            if self.control_time() > deadline {
                let invariant = if unrest.is_idle { Invariant::Convergent } else { Invariant::Live };
                self.journal.broken(invariant, unrest.detail);
                return false;
            }
        }
    }
}
