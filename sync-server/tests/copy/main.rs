//! `export` and `import` with the real binary: from one layout to the other and back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "another process is awaited in real time")]

mod files;
mod moved;
#[allow(dead_code, clippy::print_stdout, reason = "shared with tests that do more")]
#[path = "../support/mod.rs"]
mod support;
mod world;
