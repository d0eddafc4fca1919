//! Everything the SQL stores share: tables, statements, row mapping, and the one implementation of
//! [`StoreTxn`](crate::store::StoreTxn) over SQL (feature `sql`).
//!
//! A backend brings a connection as a [`Driver`], its own `CREATE TABLE` migrations for the tables of [`tables`], and
//! its way to begin a transaction; the rest is here:
//!
//! ```text
//! SqlTxn (contract)  →  read, write, spaces, accounts (which statement)  →  Statement  →  Driver (backend)
//!                    ←  rows (text → types)                              ←  pack (one text per page)
//! ```
//!
//! Reading returns **one text per page**, not rows: the database joins the columns and rows with two control
//! characters that neither names nor canonical JSON can contain, and [`pack`] takes them apart again. A driver that
//! hands over row by row costs microseconds for each; this costs one hand-over for a page.
//!
//! What a backend's schema must provide besides the columns: the primary keys named in [`tables`], a unique index on
//! `records (space, version)`, one on `records (space, version)` for rows without data, a unique one on
//! `tree_ops (space_id, seq)`, and text that compares by bytes.
//!
//! Ops of trees are records above and rows of `tree_ops` here. A question about both is still one statement: `pages` joins
//! two parts, each of which an index has in order. Their checkpoints are rows of `tree_checkpoints`.

mod accounts;
mod bulk;
mod checkpoints;
mod clients;
mod collect;
mod driver;
mod history;
mod keys;
mod op_bound;
pub mod pack;
mod pages;
mod read;
#[cfg(feature = "conformance")]
mod recorder;
mod rows;
mod schema;
pub mod spaces;
pub mod tables;
mod tree_ops;
mod txn;
mod write;

pub use accounts::SqlAccounts;
pub use driver::{Dialect, Driver, Statement, limit};
#[cfg(feature = "conformance")]
pub use recorder::Recorder;
pub use schema::pending_migrations;
pub use txn::SqlTxn;
