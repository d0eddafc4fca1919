//! What a replica keeps, and the one way to read and write it: a local transaction.
//!
//! [`open`] is the replica itself, [`txn`] the transaction. [`row`] says how bookkeeping is stored; [`rows`], [`state`] and
//! [`groups`] are what is stored; [`trees`] are the trees at hand, and [`subtrees`] who watches parts of them; [`alone`] and [`doors`] say who may be at work. Nothing here knows a server.

pub(super) mod alone;
pub(super) mod doors;
pub(super) mod edit;
pub(super) mod groups;
pub(super) mod list;
pub(super) mod open;
pub(super) mod place;
pub(super) mod row;
pub(super) mod rows;
pub(super) mod state;
pub(super) mod subtrees;
pub(super) mod tidy;
pub(super) mod trail;
pub(super) mod trees;
pub(super) mod txn;
pub(super) mod within;
