//! `export` and `import` with the real binary: from one layout to the other and back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "another process is awaited in real time")]
#![allow(clippy::print_stdout, reason = "the seed of a run is shown")]

mod files;
mod moved;
#[path = "../support/mod.rs"]
mod support;
mod world;
