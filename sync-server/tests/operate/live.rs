//! What an operator takes away ends connections that are open, also those of other processes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::support::in_flight::{ARRIVED, long_poll};
use crate::support::server::Layout;

/// What is promised for revocations.
const END_MAX: Duration = Duration::from_secs(1);

#[test]
fn what_an_operator_takes_away_ends_a_long_poll_of_the_server() {
    ends_long_polls(Desk::beside(Layout::OneFile));
}

#[test]
fn what_an_operator_takes_away_in_a_database_ends_a_long_poll_of_a_server() {
    let Some(desk) = Desk::on_postgres() else { return };
    ends_long_polls(desk);
}

fn ends_long_polls(mut desk: Desk) {
    let ada = desk.add("ada");
    let bob = desk.add("bob");
    desk.run(&["space", "create", "family", "--owner", "ada"]);
    desk.run(&["space", "member", "family", "bob", "viewer"]);
    let in_family = crate::support::server::Account { space: "family".to_owned(), ..bob };
    let device = desk.device_of("ada");
    for (waiting, args, expected) in [
        (&ada, ["device", "revoke", "ada", &device].as_slice(), (401, "token_revoked")),
        (&in_family, &["space", "member", "family", "bob", "none"], (404, "space_not_found")),
    ] {
        let mut poll = long_poll(&desk.world, waiting);
        sleep(ARRIVED);
        desk.run(args);
        let begun = Instant::now();
        let answer = poll.answer().unwrap();
        println!("{args:?} took {:?}", begun.elapsed());
        assert!(begun.elapsed() < END_MAX, "{args:?}: {:?}", begun.elapsed());
        assert_eq!((answer.status, answer.code().as_str()), expected, "{args:?}");
    }
    desk.server.take().unwrap().stop();
}
