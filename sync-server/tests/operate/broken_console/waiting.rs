//! Commands and servers that are in each other's way.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{ended, kill};
use crate::desk::Desk;
use crate::pairing::Pairing;
use crate::support::server::{LOOK, Layout, World};

#[test]
fn a_waiting_command_ends_with_its_server_and_keeps_no_other_from_starting() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let mut pairing = Pairing::begin(&desk, &[]);
    desk.server.take().unwrap().stop();
    let exit_code = ended(&mut pairing.child, Duration::from_secs(10));
    let mut told = String::new();
    pairing.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(exit_code, Some(4), "{told}");
    assert!(told.contains("the server went away"), "{told}");
    desk.world.start().stop();
}

#[test]
fn a_server_waits_for_a_command_that_is_not_through() {
    for (layout, lock) in [(Layout::OneFile, "sync.db.lock"), (Layout::FilePerSpace, "lock")] {
        let world = World::new(layout);
        world.start().stop();
        let lock = File::options().write(true).open(world.main_file().with_file_name(lock)).unwrap();
        lock.try_lock().unwrap();
        let server = std::thread::scope(|scope| {
            let starting = scope.spawn(|| world.start());
            while !world.log().contains("waits for another process") {
                assert!(!starting.is_finished(), "it did not wait: {}", world.log());
                sleep(LOOK);
            }
            lock.unlock().unwrap();
            starting.join().unwrap()
        });
        server.stop();
        assert_eq!(world.log().matches("waits for another process").count(), 1, "{}", world.log());
    }
}

#[test]
fn a_command_that_hears_nothing_says_so_and_goes_on_waiting() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let server = desk.server.as_ref().unwrap();
    server.freeze();
    let mut child = desk.spawn(&["user", "list"]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let begun = Instant::now();
    let (send, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        // The test may be over.
        let _ = send.send(line);
    });
    let said = said.recv_timeout(Duration::from_secs(12));
    kill("CONT", server.id());
    let output = child.wait_with_output().unwrap();
    let said = said.unwrap();
    assert!(said.contains("has not answered"), "{said}");
    println!("said after {:?}", begun.elapsed());
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("ada"));
}
