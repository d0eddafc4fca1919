//! The simulator over the memory store: it finds nothing, always the same, and it can find something.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod seeds;
mod traps;
