//! The edge over real sockets: what a client sees for each broken or hostile request.

mod connections;
mod requests;
mod world;
