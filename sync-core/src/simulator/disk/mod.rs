//! Disks: what outlives a process, and the store in front of one that is slow, fails and crashes.

mod history;
mod memory;
mod opened;
mod seat;
mod store;

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::store::Store;

pub(crate) use history::History;
pub use memory::MemoryDisks;
pub use opened::{OpenedDisks, copy_whole};
pub(crate) use seat::{DiskFault, Seat};
pub(crate) use store::SimStore;

/// Where the stores of a simulation come from. One value serves one simulation: every name is new at first.
///
/// For a store of your own, [`OpenedDisks`] needs only to know how to open it.
#[async_trait]
pub trait Disks: Send + Sync + std::fmt::Debug {
    /// Opens the store on the disk `name`, and creates an empty one the first time.
    ///
    /// Called once for each process that uses the disk, also while others use it (as when several servers share a
    /// database), and again after the process that had it was killed.
    ///
    /// # Errors
    ///
    /// What keeps it from being opened; the simulation ends.
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>>;

    /// Makes a new disk `to` with what `from` holds at some moment during the call; someone may be writing to it. A
    /// backup, a restored backup, a copied file of a replica.
    ///
    /// # Errors
    ///
    /// What keeps it from being copied; the simulation ends.
    async fn copy(&self, from: &str, to: &str) -> Result<()>;
}
