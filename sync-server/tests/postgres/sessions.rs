//! Processes on one database are one server: they accept each other's tokens, and none of them is the first.

use crate::site::Site;
use crate::support::server::{Process, World};

/// Empty databases on which all processes start at the same time.
const ROUNDS: usize = 4;
const N_SERVERS: usize = 4;

#[test]
fn processes_that_start_together_on_an_empty_database_all_come_up_and_share_sessions() {
    let Some(site) = Site::start(0) else { return };
    for round in 0..ROUNDS {
        let world = World::on(&format!("{}&schema=round_{round}", site.cluster.url()), N_SERVERS);
        let mut processes = world.start_all();
        let accounts: Vec<_> = (0..N_SERVERS).map(|n| world.only(n).register(&format!("user-{n}"))).collect();
        for account in &accounts {
            for n in 0..N_SERVERS {
                world.only(n).http(account).get(&account.path("changes")).unwrap().ok();
            }
        }
        // Also after a restart.
        processes.pop().unwrap().kill();
        let last = world.only(N_SERVERS - 1);
        processes.push(last.start());
        last.http(&accounts[0]).get(&accounts[0].path("changes")).unwrap().ok();
        processes.into_iter().for_each(Process::stop);
        world.check_log();
    }
}
