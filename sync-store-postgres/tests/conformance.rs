//! Postgres against the suite of the contract.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use sync_core::conformance::Subject;
use world::World;

async fn fresh() -> Option<Box<dyn Subject>> {
    World::new().await.map(|world| Box::new(world) as Box<dyn Subject>)
}

sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] fresh }
