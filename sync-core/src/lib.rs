//! sync-core: types, merge, store contract, service and replica. Storage-agnostic.

mod accounts;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod id_source;
pub mod json;
mod runtime;
#[cfg(feature = "sql")]
pub mod sql;
pub mod store;
mod types;

pub use accounts::{Accounts, Role, User};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, ErrorKind, Result};
pub use id_source::{IdSource, OsIds, SeededIds};
pub use runtime::Runtime;
#[cfg(feature = "tokio")]
pub use runtime::TokioRuntime;
pub use types::{
    ActorId, ClientId, Collection, Cursor, CursorError, CursorToken, Epoch, MutationNumber, NameError,
    Record, RecordId, RecordKey, RecordMeta, Seq, SeqError, SpaceId, Tag, Version,
};
