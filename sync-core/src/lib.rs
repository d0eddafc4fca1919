//! sync-core

pub mod json;
