//! The routes through the edge, without a socket: bad input as a table, golden answers, and the OpenAPI document.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod bad_input;
mod faults;
mod fixture;
mod forge;
mod golden;
mod log;
mod matrix;
mod openapi;
mod page;
mod policies;
mod schema;
mod table;
mod template;
mod timing;
mod world;
