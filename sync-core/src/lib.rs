//! sync-core: types, merge, store contract, service and replica. Storage-agnostic.

mod accounts;
mod clock;
mod conflict;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
mod error;
mod id_source;
pub mod json;
pub mod merge;
mod mutation;
mod policies;
pub mod protocol;
pub mod replica;
mod runtime;
pub mod service;
mod session;
#[cfg(feature = "simulator")]
pub mod simulator;
#[cfg(feature = "sql")]
pub mod sql;
mod state_hash;
pub mod store;
pub mod transport;
mod types;

pub use accounts::{Accounts, Role, User};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use conflict::{Conflict, ConflictBody, ConflictState, Resolution};
pub use error::{Error, ErrorKind, Result};
pub use id_source::{IdSource, OsIds, SeededIds};
pub use mutation::{Mutation, Op, Outcome};
pub use policies::Policies;
pub use runtime::Runtime;
#[cfg(feature = "tokio")]
pub use runtime::{TokioHandle, TokioRuntime};
pub use session::Session;
pub use state_hash::{StateHash, state_hash};
pub use types::{
    ActorId, ClientId, Collection, Cursor, CursorError, CursorToken, Epoch, MutationNumber, NameError,
    Record, RecordId, RecordKey, RecordMeta, Seq, SeqError, SpaceId, Tag, Version,
};
