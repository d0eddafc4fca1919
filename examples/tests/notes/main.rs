//! The program `notes` against a real server: several devices, several people, and what can go wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

mod arguments;
mod conflicts;
mod devices;
mod faults;
mod login;
mod offline;
mod watching;
mod world;
