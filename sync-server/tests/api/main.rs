//! The routes through the edge, without a socket: bad input as a table, golden answers, and the OpenAPI document.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod accounts_golden;
mod bad_input;
mod broken_erase;
mod broken_once;
mod broken_signing;
mod counted;
mod dump;
mod ends;
mod faults;
mod fixture;
mod forge;
mod golden;
mod limits;
mod log;
mod manual;
mod matrix;
mod names;
mod openapi;
mod page;
mod people;
mod policies;
mod races;
mod schema;
mod sessions;
mod state;
mod steps;
mod table;
mod template;
mod timing;
mod world;
