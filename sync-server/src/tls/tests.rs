//! Pairs of files: good ones, bad ones, and ones that change.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::CertifiedKey as Made;
use tempfile::TempDir;

use super::*;

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

fn current(tls: &Tls) -> Vec<u8> {
    tls.current.certificate.read().unwrap().cert[0].to_vec()
}

#[test]
fn files_that_are_no_pair_are_refused_and_named() {
    let (_home, files) = world();
    assert!(Tls::load(files.clone()).is_ok());
    let refused = |expected: &str| {
        let why = Tls::load(files.clone()).unwrap_err();
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
        assert_eq!(Tls::load(files.clone()).is_ok(), expected, "{mode:o}");
    }
}

#[test]
fn changed_files_are_taken_over_and_broken_ones_are_not() {
    let (_home, files) = world();
    let tls = Tls::load(files.clone()).unwrap();
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
