//! Programs in processes of their own: this one, started again with a task, or the server as people run it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// A running program that is told things and says things, line by line. It ends when this is dropped.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Whether it ends by itself when there is nothing more to be told.
    listens: bool,
}

impl Program {
    /// This program with other arguments; it ends when its standard input does.
    pub(crate) fn myself(args: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        Self::start(Command::new(program).args(args), true)
    }

    /// The server's binary beside this one, on any free port, and where it listens.
    ///
    /// # Panics
    ///
    /// When it was not built: `cargo build --release -p sync-server`.
    pub(crate) fn server(store: &str) -> (Self, SocketAddr) {
        Self::server_at(SocketAddr::from(([127, 0, 0, 1], 0)), store)
    }

    /// The same at an address.
    pub(crate) fn server_at(address: SocketAddr, store: &str) -> (Self, SocketAddr) {
        let program = std::env::current_exe().expect("this program has a path").with_file_name("sync-server");
        let mut command = Command::new(program);
        command.args(["--listen", &address.to_string(), "--store", store, "--log-level", "error"]);
        let mut server = Self::start(&mut command, false);
        let said = server.line();
        let address = said.rsplit('/').next().and_then(|address| address.parse().ok());
        (server, address.expect("the server says where it listens"))
    }

    fn start(command: &mut Command, listens: bool) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("the program was built and can be started");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        Self { child, stdin, stdout: BufReader::new(stdout), listens }
    }

    /// Tells it a line.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is taken by drop alone");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("the program reads what it is told");
    }

    /// The next line that it says. Blocks.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.stdout.read_line(&mut line)).expect("the program says text");
        assert!(!line.is_empty(), "the program has ended");
        line.trim_end().to_owned()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("it has a number");
        kill_process(id, signal).expect("it has not been waited for");
    }

    /// Waits until it has ended. Blocks.
    pub(crate) fn ended(&mut self) {
        tokio::task::block_in_place(|| self.child.wait()).expect("it can be waited for");
    }

    /// Bytes of memory that it holds.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Bytes of memory that it held at most.
    pub(crate) fn resident_peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the system tells about processes");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it has memory");
        let kb: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("it is a number of kB");
        kb * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stdin.take();
        if !self.listens {
            // Whatever becomes of it, its store was for this run alone.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
