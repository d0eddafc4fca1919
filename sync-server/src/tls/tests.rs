//! Pairs of files: good ones, bad ones, and ones that change.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use rcgen::CertifiedKey as Made;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sync_core::{ManualClock, Timestamp};
use tempfile::TempDir;
use tracing::subscriber::with_default;

use super::*;

const NOW_US: i64 = 1_767_225_600_000_000;

fn made() -> Made<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn write_pair(files: &TlsFiles, made: &Made<rcgen::KeyPair>) {
    write(&files.certificate, &made.cert.pem(), 0o644);
    write(&files.key, &made.signing_key.serialize_pem(), 0o600);
}

fn world() -> (TempDir, TlsFiles) {
    let home = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: home.path().join("cert.pem"), key: home.path().join("key.pem") };
    write_pair(&files, &made());
    (home, files)
}

/// On the first of January 2026; the certificates of the tests are good for much longer.
fn load(files: &TlsFiles) -> Result<Tls, String> {
    Tls::load(files.clone(), Arc::new(ManualClock::at(Timestamp::from_micros(NOW_US).unwrap())))
}

fn current(tls: &Tls) -> Vec<u8> {
    tls.current.certificate.read().unwrap().cert[0].to_vec()
}

#[test]
fn files_that_are_no_pair_are_refused_and_named() {
    let (_home, files) = world();
    assert!(load(&files).is_ok());
    let refused = |expected: &str| {
        let why = load(&files).unwrap_err();
        assert!(why.contains(expected), "{expected}: {why}");
    };
    let other = made();
    write(&files.key, &other.signing_key.serialize_pem(), 0o600);
    refused("are not a certificate and its key");
    write(&files.key, "-----BEGIN NOTHING-----", 0o600);
    refused("key.pem holds no key");
    write_pair(&files, &other);
    write(&files.certificate, "", 0o644);
    refused("cert.pem holds no certificate");
    fs::remove_file(&files.certificate).unwrap();
    refused("cert.pem");
}

#[test]
fn a_key_that_strangers_can_read_is_refused() {
    let (_home, files) = world();
    for (mode, expected) in [(0o600, true), (0o640, true), (0o400, true), (0o644, false), (0o620, false)] {
        fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(load(&files).is_ok(), expected, "{mode:o}");
    }
}

#[test]
fn changed_files_are_taken_over_and_broken_ones_are_not() {
    let (_home, files) = world();
    let tls = load(&files).unwrap();
    let first = current(&tls);
    tls.look();
    assert_eq!(current(&tls), first);
    write(&files.certificate, "broken while it is written", 0o644);
    tls.look();
    assert_eq!(current(&tls), first);
    let second = made();
    write_pair(&files, &second);
    tls.look();
    assert_eq!(current(&tls), second.cert.der().to_vec());
}

/// A pair whose certificate is good from one day to another.
fn write_limited(files: &TlsFiles, from: (i32, u8, u8), to: (i32, u8, u8)) {
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    parameters.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = parameters.self_signed(&signing_key).unwrap();
    write_pair(files, &Made { cert, signing_key });
}

/// What is written to the log meanwhile.
fn logged(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    with_default(
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish(),
        work,
    );
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_certificate_that_clients_refuse_or_soon_will_is_told_of_at_the_start_and_when_it_comes() {
    let rows = [
        ((2019, 1, 1), (2025, 12, 27), Some("it expired 5 days ago")),
        ((2026, 1, 2), (2027, 1, 1), Some("it is not valid yet")),
        ((2025, 1, 1), (2026, 1, 14), Some("it expires in 13 days")),
        ((2025, 1, 1), (2026, 1, 16), None),
    ];
    for (from, to, expected) in rows {
        let (_home, files) = world();
        let tls = load(&files).unwrap();
        write_limited(&files, from, to);
        let at_start = logged(|| drop(load(&files).unwrap()));
        let at_reload = logged(|| tls.look());
        for log in [&at_start, &at_reload] {
            assert_eq!(log.contains("has to be renewed"), expected.is_some(), "{to:?}: {log}");
            assert!(log.contains(expected.unwrap_or_default()), "{to:?}: {log}");
        }
    }
}

/// It hung at the start without a word, and a reload never came back.
#[test]
fn a_pipe_in_place_of_a_file_is_refused_without_waiting() {
    let (_home, files) = world();
    let tls = load(&files).unwrap();
    for path in [&files.key, &files.certificate] {
        fs::remove_file(path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (over, ended) = std::sync::mpsc::channel();
        let (again, running) = (files.clone(), tls.clone());
        std::thread::spawn(move || {
            running.look();
            over.send(load(&again).map(drop)).unwrap();
        });
        let why = ended.recv_timeout(Duration::from_secs(10)).expect("an answer").unwrap_err();
        assert!(why.contains("it is not a regular file") && why.contains(path.to_str().unwrap()), "{why}");
        fs::remove_file(path).unwrap();
        write_pair(&files, &made());
    }
    let second = made();
    write_pair(&files, &second);
    tls.look();
    assert_eq!(current(&tls), second.cert.der().to_vec(), "a good file is taken over again");
}
