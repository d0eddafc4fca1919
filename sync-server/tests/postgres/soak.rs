//! Everything at once: writers, readers and long polls that go from one process to the next, while processes, connections
//! and Postgres itself are killed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres_testing::Shutdown;

use crate::site::Site;
use crate::support::crowd::{Crowd, account};
use crate::support::rng::{Rng, from_env};
use crate::support::server::Process;
use crate::support::writer::Counts;

/// I14: how long everything may take to be in sync after the last fault.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(30);
const N_SERVERS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KillServer,
    CutConnections,
    CutListeners,
    RestartFast,
    RestartImmediate,
    KillPostgres,
}

/// All kinds of faults once, more of those that are frequent in life, in any order.
fn faults(n: usize, rng: &mut Rng) -> Vec<Fault> {
    let often = [Fault::KillServer, Fault::CutConnections, Fault::CutListeners];
    let mut faults = vec![Fault::RestartFast, Fault::RestartImmediate, Fault::KillPostgres];
    faults.extend((0..n.saturating_sub(faults.len())).map(|idx| often[idx % often.len()]));
    for idx in (1..faults.len()).rev() {
        faults.swap(idx, rng.below(idx + 1));
    }
    faults
}

impl Site {
    fn suffer(&mut self, fault: Fault, rng: &mut Rng) {
        match fault {
            Fault::KillServer => {
                let n = rng.below(N_SERVERS);
                self.processes.remove(n).kill();
                // Long enough for clients to notice, and to go elsewhere.
                sleep(rng.millis(0..300));
                self.processes.insert(n, self.world.only(n).start());
            }
            Fault::CutConnections => println!("soak: cut {}", self.terminate("true", 1 + rng.below(20))),
            Fault::CutListeners => println!("soak: cut {}", self.cut_listeners()),
            Fault::RestartFast => self.restart(rng, |site| site.cluster.stop(Shutdown::Fast)),
            Fault::RestartImmediate => self.restart(rng, |site| site.cluster.stop(Shutdown::Immediate)),
            Fault::KillPostgres => self.restart(rng, |site| site.cluster.kill_all()),
        }
    }

    fn restart(&mut self, rng: &mut Rng, end: impl Fn(&mut Self)) {
        end(self);
        sleep(rng.millis(0..500));
        self.cluster.start_again();
    }
}

#[test]
fn nothing_is_lost_repeated_or_skipped_whatever_dies() {
    for _ in 0..from_env("SYNC_SOAK_RUNS", 2) {
        let Some(site) = Site::start(N_SERVERS) else { return };
        soak(site, &mut Rng::seeded("soak"));
    }
}

fn soak(mut site: Site, rng: &mut Rng) {
    let accounts = [account(&site.world, "ada"), account(&site.world, "bob")];
    let crowds = accounts.each_ref().map(|account| Crowd::new(&site.world, account, (4, 3), rng));
    for fault in faults(from_env("SYNC_SOAK_FAULTS", 12), rng) {
        sleep(rng.millis(100..700));
        println!("soak: {fault:?}");
        site.suffer(fault, rng);
        site.processes.iter_mut().for_each(Process::assert_alive);
    }
    let begun = Instant::now();
    sleep(rng.millis(50..300));
    crowds.iter().for_each(Crowd::stop_writing);
    let done = crowds.map(|crowd| crowd.finish(&site.world));
    let took = begun.elapsed();
    let counts = done.iter().fold(Counts::default(), |sum, (counts, _)| sum.plus(*counts));
    println!("soak: {counts:?}, {:?} pages, in sync after {took:?}", done.map(|(_, n_pages)| n_pages));
    assert!(took < IN_SYNC_WITHIN, "I14: in sync only after {took:?}");
    assert!(counts.unanswered > 0 && counts.repeated > 0, "the faults should hit something: {counts:?}");
    assert!(counts.unavailable > 0 && counts.quarantined + counts.full == 0, "{counts:?}");
    site.processes.iter_mut().for_each(Process::assert_alive);
    site.stop();
}
