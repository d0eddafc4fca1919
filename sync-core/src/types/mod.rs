//! The words of the domain as types: what exists is valid.

mod cursor;
mod names;
mod record;
mod seq;
mod tag;
mod tree_names;
mod tree_op;

pub use cursor::{Cursor, CursorError, CursorToken};
pub use names::{ActorId, ClientId, Collection, CredentialId, NameError, RecordId, RecordKey, SpaceId};
pub(crate) use names::{changes_direction, chosen_collections};
pub(crate) use record::checksum;
pub use record::{Record, RecordMeta};
pub use seq::{MutationNumber, Seq, SeqError, Version};
pub use tag::{Epoch, Tag};
pub use tree_names::{PeerId, PropertyKey, TreeId, VertexId};
#[cfg(feature = "sql")]
pub(crate) use tree_op::OpParts;
pub use tree_op::{OpClock, OpId, TreeAction, TreeOp, TreeOpError};
