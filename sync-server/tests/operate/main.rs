//! `user`, `device` and `space` with the real binary: beside a server that runs, without one, and on Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "another process is awaited in real time")]
#![allow(clippy::print_stdout, reason = "the seed of a run is shown")]

mod asked;
mod broken_console;
mod desk;
mod errands;
mod live;
mod pairing;
mod place;
#[path = "../support/mod.rs"]
mod support;
