//! Replicated trees: vertices that are moved and have properties, edited by many at once, the same for all in the end.
//!
//! A tree is a set of [ops](crate::TreeOp). [`TreeState`] is what they make of it: a function of the set, whatever the order
//! in which they came, computed as they come. [`StateVector`] says which ops someone has. [`Tree`] is for applications: it makes ops.
//!
//! Nothing here keeps or sends anything: ops come in, and what they change goes out.

mod app;
mod checkpoint;
mod edit;
mod error;
mod hash;
pub(crate) mod kept;
mod ranges;
mod report;
mod state;
mod vector;

pub use app::Tree;
pub use edit::{Edit, Undo};
pub use error::{CheckpointError, TreeError};
pub use hash::TreeHash;
pub use report::{Moved, Place, Report};
pub use state::TreeState;
pub use vector::{StateVector, VectorError};
