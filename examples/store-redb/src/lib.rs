//! A [`Store`](sync_core::store::Store) on [redb], an embedded key-value database in pure Rust: one file, no SQL.
//!
//! ```
//! use sync_core::store::{Store, StoreExt};
//! use sync_core::{Epoch, SpaceId};
//! use sync_store_redb::RedbStore;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let store = RedbStore::open(folder.path().join("notes.redb")).await?;
//! let space = SpaceId::new("family")?;
//! store.create_space(&space, Epoch::from_bytes([1; 16])).await?;
//! assert_eq!(store.read(&space).await?.head().head.get(), 0);
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # How the five promises are kept
//!
//! 1. **The space is locked before its head is read.** redb has one writer for the whole file, so the lock of every
//!    space is the lock of the file. It is taken as a place in an async queue (`writers.rs`), because redb's own lock
//!    would block a thread; whoever waits too long is told [`Overloaded`](sync_core::ErrorKind::Overloaded). The head
//!    is read in the transaction that begins after that (`store.rs`).
//! 2. **A reader reads one moment** and waits for no one: redb's read transactions are snapshots.
//! 3. **All or nothing.** A transaction is moved onto a thread for each call and comes back only from a call that
//!    succeeded (`txn.rs`). One that failed, or whose future was dropped, is gone, and there is nothing left to commit.
//! 4. **`Ok` means durable.** redb's commits are, unless told otherwise; the folder is synced when the file is new.
//! 5. **Nothing wrong is handed out.** Each row carries the checksum of its record (`rows.rs`).
//!
//! # Layout
//!
//! Twelve tables hold what belongs to no space; six more, named after it, are a space (`tables.rs`). So spaces cannot
//! meet, deleting one drops six tables, and a key never has to be told apart from that of another space.
//!
//! # Limits
//!
//! * Spaces of one file take turns in writing.
//! * After an I/O error, a full disk included, redb refuses everything until the file is opened again; the errors are
//!   of kind [`Unavailable`](sync_core::ErrorKind::Unavailable).
//! * A reader that stays open keeps the pages that it may read, and the file grows meanwhile.
//! * Needs a tokio runtime with a timer around every call: redb blocks, so its calls run on tokio's blocking threads.

mod accounts;
mod blocking;
mod changes;
mod collect;
mod error;
mod keys;
mod options;
mod pages;
mod read;
mod rows;
mod store;
mod tables;
mod txn;
mod view;
mod write;
mod writers;

pub use store::RedbStore;
