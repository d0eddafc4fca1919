//! A sync store on Postgres: [`PostgresStore`] keeps the promises of [`sync_core::store::Store`] and
//! [`sync_core::Accounts`] with tables in a schema of their own, for any number of processes at once.
//!
//! # What is promised, and how
//!
//! * **One writer** per space, whichever process it is in: a write transaction locks the row of its space and holds it
//!   to its end. It reads what is committed (`READ COMMITTED`), and nobody else commits to the space meanwhile.
//! * **One moment** for readers: `REPEATABLE READ`, whatever the database has as its default.
//! * **Durable** as far as the database is: one with `synchronous_commit=off` is refused, other weak settings are told
//!   by [`Store::check`](sync_core::store::Store::check). A standby is refused, for reading too: its feed may end before
//!   what a client has seen.
//! * **Fail closed**: after an error a transaction is over, and a connection whose state is not known is closed.
//! * **Bounded**: connections, waiting for one of them or for a lock, and each statement have limits; see
//!   [`PostgresOptions`].
//! * **Hints** travel between processes by `NOTIFY`. They may be lost, so each process also looks at the spaces that it
//!   waits for once a second.
//!
//! # What a pooler may break
//!
//! Nothing: every setting is made for one transaction, together with its beginning, and locks end with it. Behind a
//! pooler that changes connections between transactions write `pooler=transaction` into the URL, which does without
//! prepared statements, and without `LISTEN`.
//!
//! Statements and row mapping are in [`sync_core::sql`]. `store` says what a call does; `pool` holds connections,
//! `driver` is a transaction on one of them, and `joined` saves it round trips; `hints` carries heads between
//! processes; `schema` makes the tables and looks at the settings; `options` and `error` are what their names say.

mod driver;
mod error;
mod hints;
mod joined;
mod options;
mod pool;
mod schema;
mod store;

pub use options::PostgresOptions;
pub use schema::NO_STORE;
pub use store::PostgresStore;
