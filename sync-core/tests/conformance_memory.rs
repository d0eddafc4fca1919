//! The memory store against the suite of the contract.

use sync_core::TokioRuntime;
use sync_core::conformance::{Plain, Subject};
use sync_core::store::MemoryStore;

async fn memory() -> Option<Box<dyn Subject>> {
    let store = MemoryStore::default();
    Some(Box::new(Plain::new(store.clone(), TokioRuntime).with_accounts(store)))
}

sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] memory }

/// A function that is missing from the macro is a promise that nobody checks.
#[test]
fn every_function_of_the_suite_is_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance");
    let listed = std::fs::read_to_string(format!("{folder}/suite.rs")).unwrap();
    let mut n_functions = 0;
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(file).unwrap();
        for function in text.split("\npub async fn ").skip(1).filter(|text| text.contains("-> Verdict {")) {
            let (name, rest) = function.split_once('(').unwrap();
            if rest.starts_with("subject: &") && rest.lines().next().unwrap().ends_with("-> Verdict {") {
                let is_listed = listed.lines().any(|line| line.trim() == name);
                assert!(is_listed, "{name} is not in the list of `store_suite!`");
                n_functions += 1;
            }
        }
    }
    assert!(n_functions > 100, "only {n_functions} functions were found");
}
