//! sync-core
pub mod merge;
