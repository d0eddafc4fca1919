//! What an application does with a replica, whether there is a server or not: read, edit, query, decide.

pub(super) mod access;
pub(super) mod aside;
pub(super) mod conflicts;
pub(super) mod edits;
pub(super) mod following;
pub(super) mod import;
pub(super) mod lens;
pub(super) mod query;
pub(super) mod save;
pub(super) mod select;
pub(super) mod shown;
pub(super) mod since;
pub(super) mod status;
pub(super) mod subtree;
pub(super) mod transaction;
pub(super) mod tree;
pub(super) mod typed;
