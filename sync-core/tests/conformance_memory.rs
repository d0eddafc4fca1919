//! The memory store against the suite of the contract.

use sync_core::TokioRuntime;
use sync_core::conformance::{Plain, Subject};
use sync_core::store::MemoryStore;

async fn memory() -> Option<Box<dyn Subject>> {
    let store = MemoryStore::default();
    Some(Box::new(Plain::new(store.clone(), TokioRuntime).with_accounts(store)))
}

sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] memory }
