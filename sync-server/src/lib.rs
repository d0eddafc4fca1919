//! The HTTP server around `sync-core`: everything between a socket and a route.
//!
//! ```text
//! listen ──► edge ───────────────────────► warp routes
//! sockets    cors · gate (head, body) ·    BoxedFilter<(Response,)>
//! caps       panics · headers of answers
//! ```
//!
//! - [`listen`] owns the sockets: how many, from whom, for how long, and how they end; [`tls`] is spoken on them if there is
//!   a certificate.
//! - [`edge`] is the service a connection talks to; it puts [`cors`] and [`gate`] before the routes.
//! - [`client`] finds out where a request really comes from, and [`origin`] names the pages that send it.
//! - [`limit`] counts what one address or account does, and refuses what is too much before it costs anything.
//! - [`problem`] is every refusal the server can give, [`reject`] turns warp's own refusals into it,
//!   [`reply`] puts the headers on every answer.
//! - [`query`] reads query strings strictly.
//! - [`stopping`] tells requests that wait when the server is about to end.
//! - [`auth`] knows passwords, user names, tokens and the secret that signs them, and no storage.
//! - [`identity`] is every rule about accounts: who is who, and who may do what where.
//! - [`pages`] are what a browser shows when a magic link or a pairing code is opened;
//!   [`mail`] sends letters with such links, [`qr`] draws pairing codes.
//! - [`cli`] and [`config`] read flags, environment and file; [`log`] and [`health`] serve operations.
//! - [`operate`] is what an operator may do about users, devices and spaces; [`console`] is where they say so, whether or
//!   not a server runs.
//! - [`copy`] moves everything from one store to another, by way of a file.
//!
//! Nothing here reads a clock or draws randomness: both are parameters.

pub mod app;
pub mod auth;
mod backend;
pub mod cli;
pub mod client;
pub mod config;
pub mod console;
mod control;
pub mod copy;
pub mod cors;
pub mod edge;
mod exchange;
pub mod gate;
pub mod health;
pub mod identity;
mod inside;
mod letters;
pub mod limit;
pub mod listen;
mod live;
pub mod log;
pub mod mail;
pub mod operate;
pub mod origin;
pub mod pages;
mod presence;
mod private_file;
pub mod problem;
pub mod qr;
pub mod query;
pub mod refusal;
pub mod reject;
pub mod reply;
pub mod routes;
mod server;
mod sockets;
pub mod stopping;
pub mod tls;

pub use server::Server;
