//! A thousand followers of one space, who are told something at a pace and in bursts, beside a bare broadcast to as many.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;

use super::crowd::{Crowd, User, n_users};
use super::writer::Writer;
use crate::measure::Delivered;
use crate::program::Program;
use crate::report::Report;
use crate::subject::Place;

/// Messages at a pace, and the pause between two: 20 a second.
const N_PACED: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// Messages of a burst, and how many of them are pushed at a time where nobody waits for the one before.
const N_BURST: usize = 500;
const AT_ONCE: usize = 32;

pub(super) async fn run(report: &mut Report, n_followers: usize) {
    let folder = TempDir::new().expect("there is a place for temporary files");
    let (_server, address) = Program::server(&Place::Sqlite.store(folder.path()));
    let mut bare = Program::myself(&["serve-bare"]);
    let bare_address = bare.line().parse().expect("the line is an address");
    let owner = User::register(address, "writer").await;
    let members = owner.with_members(address, n_users(n_followers)).await;
    let (mut paced, mut burst, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let (bare_paced, bare_burst) = of_bare(bare_address, n_followers).await;
        let server = of_server(address, &owner, &members, n_followers).await;
        paced.push((server.paced, bare_paced));
        burst.push((server.burst, bare_burst));
        waiting.push((server.waiting, bare_burst));
    }
    let what = |how: &str| format!("fan-out to {n_followers}, {how}");
    report.add_timed(&what("20 messages a second"), "bare broadcast", &paced);
    report.add_timed(&what(&format!("a burst of {N_BURST}, {AT_ONCE} writers")), "bare broadcast", &burst);
    report.add_timed(&what("the same, one writer who waits for answers"), "bare broadcast", &waiting);
}

/// What followers of the server saw.
struct Followed {
    paced: Delivered,
    burst: Delivered,
    /// One writer, who sends the next message when the one before was answered.
    waiting: Delivered,
}

async fn of_server(address: SocketAddr, owner: &User, members: &[User], n: usize) -> Followed {
    let mut crowd = Crowd::new();
    crowd.join("live", address, members, n);
    crowd.ready();
    let mut writer = Writer::pushing(address, owner).await;
    let paced = paced(&mut crowd, &mut writer).await;
    writer.write_all(N_BURST, None).await;
    let waiting = crowd.delivered(N_BURST);
    Writer::push_at_once(address, owner, N_BURST, AT_ONCE).await;
    Followed { paced, waiting, burst: crowd.delivered(N_BURST) }
}

async fn of_bare(address: SocketAddr, n: usize) -> (Delivered, Delivered) {
    let mut crowd = Crowd::new();
    crowd.join_bare(address, n);
    crowd.ready();
    let mut writer = Writer::saying(address).await;
    let paced = paced(&mut crowd, &mut writer).await;
    writer.write_all(N_BURST, None).await;
    (paced, crowd.delivered(N_BURST))
}

async fn paced(crowd: &mut Crowd, writer: &mut Writer) -> Delivered {
    // Whatever is only done once.
    writer.write_all(3, Some(PAUSE)).await;
    crowd.delivered(3);
    writer.write_all(N_PACED, Some(PAUSE)).await;
    crowd.delivered(N_PACED)
}
