//! A server that ends while ten thousand follow it, and is started again: how soon all of them are back, and what that costs.
//!
//! They are replicas over HTTP, so what they do is what applications do: wait a random time, pull, and follow again. Each space is
//! written to right before the end and right after the beginning; in the end each replica has to hold all of it.

use std::net::SocketAddr;
use std::path::Path;

use hyper::Method;
use tempfile::TempDir;

use super::crowd::{OF_SPACE, User, users_and_spaces};
use super::writer::body;
use crate::client::Client;
use crate::measure::{Returned, now_us};
use crate::program::{Program, Signal};
use crate::report::Report;
use crate::subject::Place;

pub(super) async fn run(report: &mut Report, n_connections: usize) {
    let folder = TempDir::new().expect("there is a place for temporary files");
    let mut storm = Storm::begin(folder.path(), n_connections).await;
    note(
        report,
        &format!("{n_connections} replicas follow {} spaces; the server has", storm.spaces.len()),
        &storm,
    );
    for (how, signal) in [("SIGTERM", Signal::TERM), ("kill -9", Signal::KILL)] {
        let (ended_ms, returned) = storm.outage(signal).await;
        report.note(&format!(
            "storm: {how}: the process had ended after {ended_ms} ms; back after its start: {returned}"
        ));
        note(report, &format!("{how}: after that the server has"), &storm);
    }
}

/// Everyone in it.
struct Storm {
    store: String,
    server: Program,
    address: SocketAddr,
    spaces: Vec<User>,
    crowd: Program,
    n_records: usize,
}

impl Storm {
    async fn begin(folder: &Path, n_connections: usize) -> Self {
        let store = Place::Sqlite.store(folder);
        let (server, address) = Program::server(&store);
        let spaces = users_and_spaces(address, n_connections).await;
        let crowd = Program::myself(&["return"]);
        let mut storm = Self { store, server, address, spaces, crowd, n_records: 0 };
        storm.write().await;
        for User { token, space } in &storm.spaces {
            storm.crowd.tell(&format!("follow {address} {token} {space} {OF_SPACE}"));
        }
        storm.crowd.tell("ready");
        assert_eq!(storm.crowd.line(), "ready");
        storm
    }

    /// Ends the server, starts it again, and waits for everyone. How long the end took, in milliseconds, and how they came back.
    async fn outage(&mut self, signal: Signal) -> (u64, Returned) {
        self.crowd.tell("count");
        assert_eq!(self.crowd.line(), "counting");
        self.write().await;
        let asked = now_us();
        self.server.signal(signal);
        self.server.ended();
        let began = now_us();
        (self.server, _) = Program::server_at(self.address, &self.store);
        self.write().await;
        self.crowd.tell(&format!("back {began} {}", self.n_records));
        ((began - asked) / 1000, Returned::from_line(&self.crowd.line()))
    }

    /// Writes one record to each space.
    async fn write(&mut self) {
        for of_user in self.spaces.chunk_by(|one, other| one.token == other.token) {
            let mut client = Client::connect(self.address, &of_user[0].token).await;
            for User { space, .. } in of_user {
                let path = format!("/v1/spaces/{space}/changes");
                client.ok(Method::POST, &path, body(self.n_records, 1)).await;
            }
        }
        self.n_records += 1;
    }
}

fn note(report: &mut Report, what: &str, storm: &Storm) {
    let mb = |n_bytes: u64| n_bytes as f64 / 1e6;
    let (now, peak) = (mb(storm.server.resident()), mb(storm.server.resident_peak()));
    report.note(&format!("storm: {what} {now:.1} MB, at most {peak:.1} MB"));
}
