use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Where a socket is reached by those who may, and when.
#[tokio::test]
async fn a_socket_has_its_rights_before_it_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watched = std::thread::spawn({
        let (path, stop) = (path.clone(), Arc::clone(&stop));
        move || {
            let mut modes = std::collections::HashSet::new();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                modes.extend(fs::metadata(&path).map(|found| found.permissions().mode() & 0o777));
            }
            modes
        }
    });
    for _ in 0..200 {
        drop(place::listen(&path).unwrap());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let modes = watched.join().unwrap();
    assert!(modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of how it was made");
}

#[tokio::test]
async fn a_path_is_as_long_as_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let left = place::PATH_BYTES_MAX - folder.path().as_os_str().len() - 1;
    assert!(place::listen(&folder.path().join("x".repeat(left))).is_ok());
    let error = place::listen(&folder.path().join("x".repeat(left + 1))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidFilename);
}

#[test]
fn a_refusal_arrives_as_it_was() {
    let problem = Problem::new(Code::LastOwner).detail("decide").extra("spaces", vec!["a"]);
    let line = serde_json::to_string(&Reply::from(Err(problem.clone()))).unwrap();
    let back: Result<crate::operate::Report, Problem> = serde_json::from_str::<Reply>(&line).unwrap().into();
    assert_eq!(back.unwrap_err(), problem);
}
