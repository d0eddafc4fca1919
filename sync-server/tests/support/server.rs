//! The real binary, as one or several processes that can be killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::http::{Address, Answer, Http, PATIENCE};

/// How often something that cannot be waited for is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// How the data lies on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    OneFile,
    FilePerSpace,
}

/// Where the data is.
#[derive(Clone, Debug)]
enum Data {
    Files(PathBuf, Layout),
    /// Address of a database.
    Database(String),
}

/// Data, and where the servers that use it listen. A clone is the same world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    data: Data,
    /// Holds the log, and the data unless it is elsewhere.
    own: Arc<TempDir>,
    pub(crate) addresses: Vec<Address>,
}

/// Someone with a space.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) space: String,
    pub(crate) token: String,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl World {
    pub(crate) fn new(layout: Layout) -> Self {
        let own = tempfile::tempdir().unwrap();
        Self::of(Data::Files(own.path().join("data"), layout), own, 1)
    }

    /// With its data in a folder of someone else.
    pub(crate) fn at(root: &Path, layout: Layout) -> Self {
        Self::of(Data::Files(root.to_owned(), layout), tempfile::tempdir().unwrap(), 1)
    }

    /// With its data in a database, for this many servers.
    pub(crate) fn on(database: &str, n_servers: usize) -> Self {
        Self::of(Data::Database(database.to_owned()), tempfile::tempdir().unwrap(), n_servers)
    }

    fn of(data: Data, own: TempDir, n_servers: usize) -> Self {
        let nowhere = || Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        Self { data, own: Arc::new(own), addresses: (0..n_servers).map(|_| nowhere()).collect() }
    }

    /// The same world, seen through one of its servers alone.
    pub(crate) fn only(&self, server: usize) -> Self {
        Self { addresses: vec![self.addresses[server].clone()], ..self.clone() }
    }

    /// Value for `--store`.
    pub(crate) fn store(&self) -> String {
        match &self.data {
            Data::Files(_, Layout::OneFile) => format!("sqlite:{}", self.main_file().display()),
            Data::Files(root, Layout::FilePerSpace) => format!("sqlite-dir:{}", root.display()),
            Data::Database(address) => address.clone(),
        }
    }

    fn files(&self) -> (&Path, Layout) {
        match &self.data {
            Data::Files(root, layout) => (root, *layout),
            Data::Database(_) => panic!("a database has no files that are ours"),
        }
    }

    /// The file that is always there.
    pub(crate) fn main_file(&self) -> PathBuf {
        match self.files() {
            (root, Layout::OneFile) => root.join("sync.db"),
            (root, Layout::FilePerSpace) => root.join("platform.sqlite"),
        }
    }

    /// The file that holds a space.
    pub(crate) fn file_of(&self, account: &Account) -> PathBuf {
        match self.files() {
            (_, Layout::OneFile) => self.main_file(),
            (root, Layout::FilePerSpace) => {
                root.join(&account.space[..2]).join(format!("{}.db", account.space))
            }
        }
    }

    /// The command that starts the server on any free port.
    pub(crate) fn command(&self) -> Command {
        self.command_at("127.0.0.1:0")
    }

    pub(crate) fn command_at(&self, listen: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
        command.env_clear().args(["--listen", listen, "--store", &self.store()]);
        command.current_dir(self.own.path());
        command
    }

    /// Starts the server, or the first of them, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(&self) -> Process {
        self.try_start().unwrap_or_else(|| panic!("the server does not start: {}", self.log()))
    }

    /// Starts all servers at the same time, and waits until they listen.
    pub(crate) fn start_all(&self) -> Vec<Process> {
        std::thread::scope(|scope| {
            let starts = (0..self.addresses.len()).map(|n| scope.spawn(move || self.only(n).start()));
            let starts: Vec<_> = starts.collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        })
    }

    /// `None` when it ended instead of listening.
    fn try_start(&self) -> Option<Process> {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut child = self.command().stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let process = Process(child);
        let (send, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            send.send(line).ok();
        });
        let line = line.recv_timeout(PATIENCE).expect("the server should listen or end");
        let address = line.trim_end().strip_prefix("listening on http://")?;
        self.addresses[0].set(address.parse().unwrap());
        Some(process)
    }

    /// Everything the servers have logged, over all their starts.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.own.path().join("server.log")
    }

    pub(crate) fn http(&self, account: &Account) -> Http {
        Http::new(&self.addresses, Some(&account.token))
    }

    pub(crate) fn register(&self, name: &str) -> Account {
        self.try_register(name)
            .unwrap_or_else(|refusal| panic!("{name} was refused: {refusal:?}, {}", self.log()))
    }

    /// `Err` with the answer when it was a refusal; of a busy server it asks again.
    pub(crate) fn try_register(&self, name: &str) -> Result<Account, Answer> {
        loop {
            match self.sign("register", name) {
                Err(refusal) if refusal.code() == "overloaded" => std::thread::sleep(LOOK),
                answered => return answered,
            }
        }
    }

    pub(crate) fn log_in(&self, name: &str) -> Account {
        self.sign("login", name).unwrap_or_else(|refusal| panic!("{name} cannot log in: {refusal:?}"))
    }

    fn sign(&self, how: &str, name: &str) -> Result<Account, Answer> {
        let body = json!({"username": name, "password": "correct horse battery"}).to_string();
        let answer = Http::new(&self.addresses, None).post(&format!("/v1/auth/{how}"), &body).unwrap();
        if !matches!(answer.status, 200 | 201) {
            return Err(answer);
        }
        let told = answer.json();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Ok(Account { space: text("space"), token: text("access_token") })
    }

    /// SQLite's own check of a file that no server uses, and that nothing ever panicked.
    pub(crate) fn check_files(&self, accounts: &[Account]) {
        let files = accounts.iter().map(|account| self.file_of(account)).chain([self.main_file()]);
        for file in files {
            let database = rusqlite::Connection::open(&file).unwrap();
            let found: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(found, "ok", "{}", file.display());
        }
        self.check_log();
    }

    pub(crate) fn is_in_a_database(&self) -> bool {
        matches!(self.data, Data::Database(_))
    }

    /// That nothing ever panicked.
    pub(crate) fn check_log(&self) {
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

impl Account {
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/spaces/{}/{rest}", self.space)
    }
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// As `kill -9`; returns when it is dead.
    pub(crate) fn kill(mut self) {
        self.assert_alive();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// That it has not ended by itself.
    pub(crate) fn assert_alive(&mut self) {
        let ended = self.0.try_wait().unwrap();
        assert!(ended.is_none(), "the server ended by itself: {ended:?}");
    }

    /// As `kill`.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Holds it still: when this returns, no thread of it does anything but wait for the system.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        let is_still = |stat: String| {
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 'D', 'X', 'Z']))
        };
        let all_still = || {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
            threads
                .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")))
                .all(|stat| stat.is_ok_and(is_still))
        };
        while !all_still() {
            std::thread::sleep(LOOK);
        }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self, within: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < within, "the server has not ended after {within:?}");
            std::thread::sleep(LOOK);
        }
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) {
        self.terminate();
        assert_eq!(self.ended(PATIENCE).code(), Some(0));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
