//! What travels between a replica and a server, and how it is written as JSON.
//!
//! The domain types know nothing of their shape on the wire; this module does, in both directions, so that server and
//! client cannot disagree. It is strict on what it reads: unknown members, duplicate members, and numbers of the wrong
//! kind are refused with a pointer to the place.

mod change;
pub mod code;
mod decode;
mod digest;
mod live;
mod pull;
mod push;
mod snapshot;
mod tree;

pub use change::write_change;
pub(crate) use decode::pointer_to;
pub use decode::{decode, refuse_content};
pub use live::{Ask, Asked, Heads, LiveFrame, Presence, Present, Refusal, STATE_BYTES_MAX, Subscribe, Tell};
pub use pull::{PullPage, PullReply, PullRequest, Resync, ResyncReason};
pub use push::{ClientBatch, PushDone, PushReply, PushRequest};
pub use snapshot::{SnapshotItem, SnapshotPage, SnapshotRequest, SnapshotToken};
pub use tree::{OpsRequest, write_op, write_ops};
