//! A folder with at most one server in it, both of which go when their owner does.
//!
//! ```text
//!   test ── pipe ──▶ scripts/postgres/watch     the pipe ends when the test drops it or dies, by whatever signal:
//!     └──▶ server (nobody, for root)             then the watcher ends the server and removes the folder
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

use crate::process::{signal, wait_until};
use crate::programs::tool;

/// The folder, its watcher, and the server that runs in it.
#[derive(Debug)]
pub(crate) struct Watched {
    folder: PathBuf,
    server: Option<Child>,
    watcher: Child,
    /// `None` only while it is dropped.
    pipe: Option<ChildStdin>,
}

impl Watched {
    /// A new folder of the user that servers run as. `end` is the signal that ends a server fastest.
    pub(crate) fn new(end: &str) -> Self {
        let made = tool("new-folder").output().expect("the scripts of this repository can be run");
        assert!(made.status.success(), "cannot make a folder: {}", String::from_utf8_lossy(&made.stderr));
        let folder = PathBuf::from(String::from_utf8_lossy(&made.stdout).trim_end());
        let mut watch = tool("watch");
        // In a group of its own: what a terminal does to the test is not its end.
        watch.arg(&folder).arg(end).stdin(Stdio::piped()).process_group(0);
        let mut watcher = watch.spawn().expect("the scripts of this repository can be run");
        let pipe = watcher.stdin.take();
        Self { folder, server: None, watcher, pipe }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Address of a database of the server, whose socket is in the folder.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// Starts a server, and waits until `ready` says that it is.
    #[track_caller]
    pub(crate) fn run(&mut self, program: &Path, arguments: &[&str], ready: impl Fn(&Path, u32) -> bool) {
        assert!(self.server.is_none(), "it is running");
        let log = File::options().create(true).append(true).open(self.log_file());
        let log = log.expect("a log can be written to the folder");
        let copy = log.try_clone().expect("a file can be opened twice");
        let mut command = tool("as-server");
        command.arg(program).args(arguments).stdin(Stdio::null()).stdout(copy).stderr(log).process_group(0);
        let child = command.spawn().expect("the scripts of this repository can be run");
        let id = child.id();
        self.server = Some(child);
        self.tell(&id.to_string());
        wait_until("the server to be ready", || {
            assert!(!self.has_ended(), "the server did not start:\n{}", self.log());
            ready(&self.folder, id)
        });
    }

    /// # Panics
    ///
    /// When nothing runs.
    #[track_caller]
    pub(crate) fn id(&self) -> u32 {
        self.server.as_ref().expect("it is not running").id()
    }

    /// Sends a signal, and waits until the server has ended. Nothing happens when none runs.
    pub(crate) fn end(&mut self, name: &str) {
        if let Some(server) = &self.server {
            signal(name, &[server.id()]);
            wait_until("the server to end", || self.has_ended());
            self.server = None;
            self.tell("");
        }
    }

    /// Everything that was logged, over all starts.
    pub(crate) fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn has_ended(&mut self) -> bool {
        let server = self.server.as_mut();
        server.is_none_or(|server| server.try_wait().expect("a child can be waited for").is_some())
    }

    fn tell(&mut self, process: &str) {
        let pipe = self.pipe.as_mut().expect("the pipe is open while it is in use");
        writeln!(pipe, "{process}").expect("the watcher reads until the pipe ends");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.pipe.take());
        if let Some(mut server) = self.server.take() {
            server.wait().ok();
        }
        self.watcher.wait().ok();
    }
}
