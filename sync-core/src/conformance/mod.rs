//! The conformance suite: what every [`Store`](crate::store::Store) must do, as functions over "any store".
//!
//! Each function is named after the sentence of the contract that it proves, and takes a [`Subject`]: a fresh store and
//! the little else that testing it needs. [`store_suite!`](crate::store_suite) turns them into one test each:
//!
//! ```
//! use sync_core::TokioRuntime;
//! use sync_core::conformance::{Plain, Subject};
//! use sync_core::store::MemoryStore;
//!
//! async fn fresh() -> Option<Box<dyn Subject>> {
//!     Some(Box::new(Plain::new(MemoryStore::default(), TokioRuntime)))
//! }
//!
//! sync_core::store_suite! { #[tokio::test(flavor = "multi_thread", worker_threads = 4)] fresh }
//! # fn main() {}
//! ```
//!
//! # What it cannot see
//!
//! Three sentences are left to the author of a store: that a commit survives a power cut (the suite closes and opens
//! again, which is less), that the number of statements does not depend on the number of records, and, where
//! [`Subject::damage`] is not provided, that a damaged record is noticed.

pub mod account_changes;
pub mod account_races;
pub mod accounts;
mod build;
pub mod checkpoints;
pub mod clients;
pub mod collect;
pub mod commits;
pub mod credentials;
pub mod differential;
pub mod durability;
mod failure;
pub mod feed;
pub mod fidelity;
pub mod hints;
pub mod isolation;
pub mod log;
mod look;
pub mod lost_row;
mod model;
pub mod notices;
mod people;
pub mod races;
pub mod records;
pub mod scan;
pub mod spaces;
mod subject;
mod suite;
mod tasks;
pub mod transactions;
pub mod tree_ops;
pub mod writers;

pub use build::{
    Change, actor, client_id, client_state, commit, commit_write, delete, epoch, fresh_space, key, log_entry,
    move_op, put, seq, set_op, space_id, stamp, stamp_at,
};
pub use failure::{Failure, Verdict};
pub use look::{Contents, all_commits, contents, everything_after, whole_scan};
pub use model::{Dice, Model, sample};
pub use people::{
    People, credential, credential_id, describe, device, everything_about_people, held_by, invite, make,
    pairing, people, set_role, space_info, synced, take, time, user,
};
pub use subject::{Plain, Subject};
pub use tasks::{in_parallel, in_time, is_contended};
