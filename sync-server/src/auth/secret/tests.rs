//! Weak secrets by table; kept ones in folders of their own.

use std::os::unix::fs::PermissionsExt;

use super::*;

const GOOD: &str = "Vb3kq0ZyT8mXr5Lw2Nc7Ju1Gd6Hs9Ea4";

fn count(bytes: &mut [u8]) {
    bytes.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
}

#[test]
fn weak_secrets_are_refused_without_being_repeated() {
    for weak in [
        "",
        "short",
        &GOOD[..31],
        "your-secret-key-change-in-production",
        "your-256-bit-secret-your_secret-0123",
        "YOUR_JWT_SECRET_GOES_HERE_0123456789",
        "please-change-me-please-1234567890abc",
        &"a".repeat(64),
        &"abcdefg".repeat(10),
        &"0123456789abcdef".repeat(4),
        &GOOD.repeat(33),
    ] {
        let error = JwtSecret::given(weak).unwrap_err();
        assert!(weak.is_empty() || !error.contains(weak), "{error}");
    }
}

#[test]
fn strong_secrets_are_taken() {
    for strong in
        [GOOD, "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978", "correct horse battery staple, twice over"]
    {
        assert!(JwtSecret::given(strong).is_ok(), "{strong}");
    }
    assert!(JwtSecret::given(&JwtSecret::generate(count).0).is_ok());
}

#[test]
fn a_generated_secret_is_kept_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db.jwt-secret");
    let first = JwtSecret::load_or_create(&path, count).unwrap();
    let again = JwtSecret::load_or_create(&path, |bytes| bytes.fill(9)).unwrap();
    assert_eq!(first, again);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
}

#[test]
fn the_slower_of_two_first_starts_takes_the_secret_of_the_quicker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let quicker = JwtSecret::load_or_create(&path, count).unwrap();
    assert_eq!(create(&path, "draft", &JwtSecret::given(GOOD).unwrap()).unwrap(), quicker);
}

#[test]
fn first_starts_at_the_same_time_agree_on_one_secret() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let start = std::sync::Barrier::new(8);
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let first_start = |n: u8| {
                let (start, path) = (&start, &path);
                scope.spawn(move || {
                    start.wait();
                    let fill = |bytes: &mut [u8]| {
                        bytes.iter_mut().zip(0..).for_each(|(byte, i): (_, u8)| *byte = i.wrapping_mul(n + 3))
                    };
                    JwtSecret::load_or_create(path, fill).unwrap()
                })
            };
            let started: Vec<_> = (0..8).map(first_start).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
    }
}

#[test]
fn a_file_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    JwtSecret::load_or_create(&path, count).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = JwtSecret::load_or_create(&path, count).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
    }
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for content in ["", "short\n", &GOOD.repeat(200)] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = JwtSecret::load_or_create(&path, count).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_secret_is_not_shown() {
    assert_eq!(format!("{:?}", JwtSecret::given(GOOD).unwrap()), "JwtSecret(***)");
}
