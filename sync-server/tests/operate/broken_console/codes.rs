//! Codes that nobody waits for any more.

use std::io::Read;
use std::time::Duration;

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
