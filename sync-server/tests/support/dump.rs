//! All of a space as the server tells it: its records, and its audit log.

use serde_json::Value;

use super::reader::Reader;
use super::server::{Account, World};
use super::view::View;

/// What the server says about a space.
#[derive(Debug)]
pub(crate) struct Dump {
    pub(crate) view: View,
    /// The entries of the audit log, oldest first.
    pub(crate) log: Vec<Value>,
}

impl Dump {
    pub(crate) fn of(world: &World, account: &Account) -> Self {
        let mut reader = Reader::new(world, account, 1000, 0);
        reader.finish();
        Self { view: reader.view, log: log(world, account) }
    }

    /// The entries of one replica.
    pub(crate) fn log_of<'a>(&'a self, client: &'a str) -> impl Iterator<Item = &'a Value> {
        self.log.iter().filter(move |entry| entry["client"] == client)
    }
}

fn log(world: &World, account: &Account) -> Vec<Value> {
    let mut http = world.http(account);
    let mut entries = Vec::new();
    let mut before = String::new();
    loop {
        let page = http.get(&account.path(&format!("log?limit=1000{before}"))).unwrap().ok();
        entries.extend_from_slice(page["entries"].as_array().unwrap());
        match page["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    entries.reverse();
    entries
}
