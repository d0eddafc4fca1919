//! The rules of the house that a machine can check: how large things are, and who may know whom.
//!
//! - [`sources`]: the Rust files of the workspace, parsed once.
//! - [`sizes`]: lines of files and functions.
//! - [`rooms`]: which room (a module below a crate's root) names which other.
//! - [`plan`]: what `ARCHITECTURE.md` says they may name. The document is the rule: the tests hold the code against it.
//!
//! `cargo run -p structure` prints the figures; `cargo test -p structure` keeps them.

pub mod plan;
pub mod rooms;
pub mod sizes;
pub mod sources;
