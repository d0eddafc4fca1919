//! What the crates pull in.

use std::collections::BTreeSet;
use std::process::Command;

use structure::sources::root;

/// A database, a server or a runtime, of which `sync-core` by itself has none.
const HEAVY: [&str; 12] = [
    "axum",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "mio",
    "reqwest",
    "rusqlite",
    "sea-query",
    "sqlx",
    "sqlx-core",
    "tokio",
    "warp",
];

/// The crates that `package` is built with, features of its own as given.
fn built_with(package: &str, features: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--quiet", "--locked", "--edges", "normal", "--prefix", "none"]);
    let output = cargo.args(["--package", package]).args(features).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_core_by_itself_has_no_database_no_server_and_no_runtime() {
    let crates = built_with("sync-core", &[]);
    assert!(crates.contains("serde"), "{crates:?}");
    let heavy: Vec<&str> = HEAVY.into_iter().filter(|name| crates.contains(*name)).collect();
    assert!(heavy.is_empty(), "sync-core pulls in {}", heavy.join(", "));
}

#[test]
fn each_feature_brings_only_its_own() {
    for (feature, brought) in
        [("conformance", &[][..]), ("simulator", &[]), ("sql", &["sea-query"]), ("tokio", &["tokio"])]
    {
        let crates = built_with("sync-core", &["--features", feature]);
        let heavy: Vec<&str> = HEAVY.into_iter().filter(|name| crates.contains(*name)).collect();
        assert_eq!(heavy, brought, "feature {feature}");
    }
}

#[test]
fn a_backend_knows_the_core_and_nothing_else_of_ours() {
    for backend in ["sync-store-sqlite", "sync-store-postgres"] {
        let ours = built_with(backend, &[]).into_iter().filter(|name| name.starts_with("sync-"));
        assert_eq!(ours.collect::<Vec<_>>(), ["sync-core", backend]);
    }
}
