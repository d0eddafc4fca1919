//! A sync store on SQLite: [`SqliteStore`] keeps the promises of [`sync_core::store::Store`] and
//! [`sync_core::Accounts`] with files on a disk.
//!
//! Two layouts, chosen when it is opened: everything in one file ([`SqliteStore::open_file`]), or one file per space
//! in a folder ([`SqliteStore::open_dir`]), of which a bounded number is open at a time. Limits and their defaults are
//! in [`SqliteOptions`].
//!
//! # What is promised, and how
//!
//! * **Durable**: write-ahead log with `synchronous=FULL`; a file is created under another name and gets its own when
//!   it is whole. A commit to a file that was moved or replaced meanwhile is not acknowledged.
//! * **One writer** per file: writers queue for its one writing connection, first come first served. In the single
//!   file they queue across spaces, so a task must not open a second write transaction while it holds one.
//! * **Fail closed**: a connection that reported an error is closed and never used again.
//! * **One process**: the data is locked; a second one is refused.
//! * **SQLite** is the bundled one, and older than 3.51.3 is refused.
//!
//! Statements and row mapping are in [`sync_core::sql`]. `store` says which file a call goes to; `folder`,
//! `open_files`, `platform` and `reconcile` keep one file per space; `database`, `lane` and `driver` are one open file,
//! its connections and a transaction on one of them; `schema`, `files`, `lock`, `error` and `options` are what their
//! names say.

mod database;
mod driver;
mod error;
mod files;
mod folder;
mod lane;
mod lock;
mod open_files;
mod options;
mod platform;
mod reconcile;
mod schema;
mod store;

pub use lock::DATA_IN_USE;
pub use options::SqliteOptions;
pub use store::SqliteStore;

/// The program in the README must compile; this crate is the lowest that has all it uses.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
