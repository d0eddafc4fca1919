//! Both layouts against the suite of the contract.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use sync_core::conformance::Subject;
use world::World;

mod one_file {
    use super::*;

    async fn fresh() -> Option<Box<dyn Subject>> {
        Some(Box::new(World::file().await))
    }

    sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] fresh }
}

mod one_file_per_space {
    use super::*;

    async fn fresh() -> Option<Box<dyn Subject>> {
        Some(Box::new(World::folder().await))
    }

    sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] fresh }
}
