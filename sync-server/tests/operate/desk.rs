//! An operator with a shell, and what people see of the server meanwhile.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use postgres_testing::Cluster;
use serde_json::{Value, json};

use crate::support::http::{Answer, Http};
use crate::support::server::{Account, Layout, Process, World};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Where people reach a server that does not run, or that shares its database with the operator.
pub(crate) const BASE_URL: &str = "https://sync.example";

/// A store, a server on it, and whether that runs while the operator works.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) server: Option<Process>,
    stops_meanwhile: bool,
    _cluster: Option<Cluster>,
}

impl Desk {
    /// The server runs all the time.
    pub(crate) fn beside(layout: Layout) -> Self {
        Self::of(World::new(layout), false, None)
    }

    /// The server is stopped while the operator works, and started again.
    pub(crate) fn without(layout: Layout) -> Self {
        Self::of(World::new(layout), true, None)
    }

    /// A server on a database that the operator opens, too. `None` where there is no Postgres.
    pub(crate) fn on_postgres() -> Option<Self> {
        let cluster = Cluster::start(&[])?;
        Some(Self::of(World::on(&cluster.url(), 1), false, Some(cluster)))
    }

    fn of(world: World, stops_meanwhile: bool, cluster: Option<Cluster>) -> Self {
        let server = Some(world.start());
        Self { world, server, stops_meanwhile, _cluster: cluster }
    }

    /// Runs a command with something to read.
    pub(crate) fn run_with(&mut self, args: &[&str], stdin: &str) -> Output {
        if self.stops_meanwhile {
            self.server.take().unwrap().stop();
        }
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        if self.stops_meanwhile {
            self.server = Some(self.world.start());
        }
        output
    }

    /// Runs a command that must succeed, and yields what it wrote.
    #[track_caller]
    pub(crate) fn run(&mut self, args: &[&str]) -> String {
        self.run_reading(args, "")
    }

    #[track_caller]
    pub(crate) fn run_reading(&mut self, args: &[&str], stdin: &str) -> String {
        let output = self.run_with(args, stdin);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.is_empty(), "{args:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must yield lines of JSON.
    #[track_caller]
    pub(crate) fn json(&mut self, args: &[&str]) -> Vec<Value> {
        self.run(&[args, &["--json"]].concat())
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Runs a command that must fail; yields the exit code and what was said.
    #[track_caller]
    pub(crate) fn refused(&mut self, args: &[&str]) -> (i32, String) {
        let output = self.run_with(args, "");
        assert!(output.stdout.is_empty(), "{args:?}");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
        command.env_clear().args(args).args(["--store", &self.world.store()]).env("BASE_URL", BASE_URL);
        if self.world.is_in_a_database() {
            // The database of the tests is one that loses data when the power goes, and the log would say so.
            command.env("RUST_LOG", "off");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Adds someone as an operator, and signs them in as themselves.
    #[track_caller]
    pub(crate) fn add(&mut self, name: &str) -> Account {
        self.run_reading(&["user", "add", name, "--password-stdin"], PASSWORD);
        self.world.log_in(name)
    }

    /// What someone who is not signed in is told.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        Http::new(&self.world.addresses, None).post(path, &body.to_string()).unwrap()
    }

    pub(crate) fn get(&self, account: &Account, path: &str) -> Answer {
        self.world.http(account).get(path).unwrap()
    }

    pub(crate) fn log_in(&self, name: &str, password: &str) -> Answer {
        self.post("/v1/auth/login", &json!({"username": name, "password": password}))
    }

    /// The device with which someone signed in last.
    #[track_caller]
    pub(crate) fn device_of(&mut self, name: &str) -> String {
        let devices = self.json(&["device", "list", name]);
        devices.last().unwrap()["device"].as_str().unwrap().to_owned()
    }
}

/// The status and code of a refusal.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}
