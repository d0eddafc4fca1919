//! The replica: the client role. A local database that works offline and syncs when it can.
//!
//! ```text
//! app ─▶ put, patch, delete ─▶ one local transaction: record + what it was based on       (app, local)
//! sync ─▶ seal ─▶ push ─▶ outcomes      one local transaction per answer                   (sync)
//!      ├▶ pull ─▶ page ─▶ incoming      one local transaction per page, cursor included    (sync)
//!      └▶ snapshot ─▶ carry             into a second copy, which takes over in one commit (load)
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

mod app;
mod load;
mod local;
mod run;
mod sync;
mod tell;

#[cfg(test)]
mod tests;

pub use app::aside::{LOST_IN_RESTORE, SetAside};
pub use app::query::{Cmp, Query, compare};
pub use app::shown::{Difference, ShownConflict};
pub use app::status::Unsent;
pub use app::subtree::SubtreeWatch;
pub use app::transaction::Transaction;
pub use app::tree::{ReplicaTree, TreeEdit};
pub use app::typed::{Item, Typed, TypedChange, TypedEvent, TypedTransaction, TypedWatch};
pub use load::revoked::ACCESS_LOST;
pub use local::open::{Replica, ReplicaOptions};
pub use run::backoff::RunOptions;
pub use sync::position::Position;
pub use sync::report::SyncReport;
pub use tell::progress::{Phase, Progress};
pub use tell::states::{States, SyncState};
pub use tell::status::Status;
pub use tell::watch::{Change, Event, Origin, Watch};

#[cfg(doc)]
use crate::store::Store;
