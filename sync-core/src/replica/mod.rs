//! The replica: the client role. A local database that works offline and syncs when it can.
//!
//! ```text
//! app ─▶ put, patch, delete ─▶ one local transaction: record + what it was based on       (access, edit)
//! sync ─▶ seal ─▶ push ─▶ outcomes      one local transaction per answer                   (seal, outcomes)
//!      └▶ pull / snapshot ─▶ incoming   one local transaction per page, cursor included    (pull, snapshot)
//! ```
//!
//! A replica keeps a space in a [`Store`] of its own, under the name it has at the server. The collections of the
//! application hold what the application sees, edits included; everything else is bookkeeping in collections of the
//! library:
//!
//! | collection | holds | a row exists |
//! |---|---|---|
//! | `$base` | what the server last had of an edited record | exactly while a record has edits that were not sealed |
//! | `$group` | which edits the server must carry out together | while they wait, and until the next sync |
//! | `$outbox` | the batch that was sealed, byte for byte, and what its records were based on | until it is answered |
//! | `$state` | the name of this replica, the number of its next mutation, its cursor | always |
//! | `$aside` | edits that the server refused | until the application dismisses it |
//! | `$conflicts` | conflicts, as the server's feed delivers them | as at the server |
//!
//! Rules that everything here relies on:
//!
//! - A step is one local transaction: outcomes, records and the removal of the batch; or a page and its cursor.
//! - No local transaction is open while the network is waited for.
//! - Changes from the server are applied only while no batch is in flight, or in the step that settles it. So whatever
//!   differs from the server has a row in `$base` at that moment, and can be merged.
//! - Local transactions run in tasks of their own; a caller may drop any future at any time.
//! - A merge that would overrule one side is left to the server, which keeps the losing side where everyone sees it.

mod access;
mod alone;
mod aside;
mod backoff;
mod barrier;
mod carry;
mod conflicts;
mod edit;
mod groups;
mod hub;
mod import;
mod incoming;
mod latest;
mod list;
mod listen;
mod load;
mod local;
mod lost;
mod open;
mod outcomes;
mod page;
mod patience;
mod place;
mod position;
mod pull;
mod push;
mod query;
mod report;
mod revoked;
mod row;
mod rows;
mod run;
mod seal;
mod select;
mod signals;
mod snapshot;
mod state;
mod states;
mod status;
mod sync;
mod tidy;
mod trail;
mod transaction;
mod typed;
mod watch;

#[cfg(test)]
mod tests;

pub use aside::{LOST_IN_RESTORE, SetAside};
pub use backoff::RunOptions;
pub use open::{Replica, ReplicaOptions};
pub use position::Position;
pub use query::{Cmp, Query, compare};
pub use report::{Phase, Progress, SyncReport};
pub use revoked::ACCESS_LOST;
pub use states::{States, SyncState};
pub use status::Unsent;
pub use transaction::Transaction;
pub use typed::{Item, Typed, TypedChange, TypedEvent, TypedWatch};
pub use watch::{Change, Event, Origin, Watch};

#[cfg(doc)]
use crate::store::Store;
