//! Two people with some records, and the commands that move them.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::server::{Account, World};

/// Runs `sync-server` with these words.
pub(crate) fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
    command.env_clear().args(args).stdin(Stdio::null());
    command
}

#[track_caller]
pub(crate) fn export(world: &World, file: &Path) -> String {
    succeeded(&run(&["export", "--store", &world.store(), file.to_str().unwrap()]))
}

#[track_caller]
pub(crate) fn import(world: &World, file: &Path) -> String {
    succeeded(&run(&["import", "--store", &world.store(), file.to_str().unwrap()]))
}

#[track_caller]
pub(crate) fn succeeded(output: &Output) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

#[track_caller]
pub(crate) fn failed(output: &Output) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    told
}

/// A batch of a replica: its `n`th mutation.
pub(crate) fn batch(n: usize) -> Value {
    json!({
        "client_id": "replica-1",
        "first": n,
        "mutations": [{"op": "put", "collection": "notes", "id": n.to_string(), "data": {"n": n}}],
    })
}

/// Fills a store that nobody uses yet; says who is there, and the answers to the pushes of each.
pub(crate) fn fill(world: &World) -> (Vec<Account>, Vec<Vec<Value>>) {
    let server = world.start();
    let accounts: Vec<Account> = ["ada", "bob"].map(|name| world.register(name)).into();
    let push = |account: &Account| {
        let mut http = world.http(account);
        (1..=5)
            .map(|n| http.post(&account.path("changes"), &batch(n).to_string()).unwrap().ok())
            .collect::<Vec<_>>()
    };
    let answers = accounts.iter().map(push).collect();
    server.stop();
    (accounts, answers)
}

/// All that a server says of a space.
pub(crate) fn everything(world: &World, account: &Account) -> Vec<Value> {
    let mut http = world.http(account);
    ["changes?limit=1000", "status?hash=true", "log", "conflicts"]
        .map(|path| http.get(&account.path(path)).unwrap().ok())
        .into()
}
