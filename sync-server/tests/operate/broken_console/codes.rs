//! Codes that nobody waits for any more, and those by which somebody else came in.

use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{ended, kill};
use crate::desk::{Desk, refusal};
use crate::pairing::{Pairing, redemption};
use crate::support::http::PATIENCE;
use crate::support::server::Layout;

#[test]
fn a_code_is_taken_back_however_its_command_is_ended() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let folder = tempfile::tempdir().unwrap();
    for signal in ["TERM", "HUP", "INT"] {
        let picture = folder.path().join("code.png");
        let mut pairing = Pairing::begin(&desk, &["--png", picture.to_str().unwrap()]);
        assert!(picture.exists());
        kill(signal, pairing.child.id());
        let exit_code = ended(&mut pairing.child, PATIENCE);
        let late = desk.post("/v1/pairings/redeem", &redemption(&pairing.token));
        assert_eq!(refusal(&late), (400, "pairing_invalid".to_owned()), "{signal}");
        assert!(!picture.exists(), "{signal}");
        assert_eq!(exit_code, Some(1), "{signal}");
    }
}

#[test]
fn a_code_that_cannot_be_taken_back_keeps_nobody_waiting() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let mut pairing = Pairing::begin(&desk, &[]);
    desk.server.as_ref().unwrap().freeze();
    kill("TERM", pairing.child.id());
    assert_eq!(ended(&mut pairing.child, Duration::from_secs(20)), Some(4));
    let mut told = String::new();
    pairing.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("over by itself"), "{told}");
}

#[test]
fn who_comes_in_by_another_code_is_not_told_of() {
    by_another_code(Desk::beside(Layout::OneFile));
}

#[test]
fn who_comes_in_by_another_code_of_a_database_is_not_told_of() {
    let Some(desk) = Desk::on_postgres() else { return };
    by_another_code(desk);
}

fn by_another_code(mut desk: Desk) {
    desk.add("ada");
    let mut taken = Pairing::begin(&desk, &[]);
    let mut guessed = Pairing::begin(&desk, &[]);
    let granted = desk.post("/v1/pairings/redeem", &redemption(&taken.token)).ok();
    assert_eq!(taken.event()["paired"]["device"], granted["device"]);
    let (start, end) = guessed.token.split_at(guessed.token.len() - 20);
    let wrong = format!("{start}{}{}", if end.starts_with('A') { "B" } else { "A" }, &end[1..]);
    // Of guesses that follow at once not every one is counted.
    let begun = Instant::now();
    while guessed.child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(30) {
        let refused = desk.post("/v1/pairings/redeem", &redemption(&wrong));
        assert!(matches!(refused.status, 400 | 429), "{refused:?}");
        sleep(Duration::from_millis(200));
    }
    let mut more = String::new();
    assert_eq!(ended(&mut guessed.child, Duration::from_secs(1)), Some(1));
    guessed.child.stderr.take().unwrap().read_to_string(&mut more).unwrap();
    assert!(more.contains("no device came in"), "{more}");
}
