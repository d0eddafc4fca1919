//! A server that can be stopped, and devices with a folder each.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How long something may take on a busy machine before it counts as broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The password of everyone.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A server process, and its data. Dropping it kills it.
pub(crate) struct Server {
    folder: TempDir,
    running: Option<Child>,
    address: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { folder, running: None, address: "127.0.0.1:0".to_owned() };
        server.start_again();
        server
    }

    /// Starts at the address it had before.
    pub(crate) fn start_again(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_sync-server-for-tests"))
            .env_clear()
            .args(["--listen", &self.address, "--store", &format!("sqlite:{}", self.database().display())])
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.running = Some(child);
        self.address = line.trim().strip_prefix("listening on http://").expect("it listens").to_owned();
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        let mut child = self.running.take().unwrap();
        signal("TERM", child.id());
        assert!(child.wait().unwrap().success());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("sync.db")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: output.status, out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A computer of someone.
pub(crate) struct Device(TempDir);

impl Device {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One on which someone signed in.
    pub(crate) fn of(server: &Server, user: &str) -> Self {
        let device = Self::new();
        device.login(server, user, &[]);
        device
    }

    /// The folder with the data.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("notes")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notes"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.0.path()).env("NOTES_DATA", self.data()).stdin(Stdio::null()).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// Runs a command that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert!(said.status.success(), "{args:?}: {said:?}");
        said.out
    }

    /// Runs a command that is refused, and returns what it complains of.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.status.code(), Some(1), "{args:?}: {said:?}");
        said.err
    }

    #[track_caller]
    pub(crate) fn login(&self, server: &Server, user: &str, more: &[&str]) -> String {
        let said = self.login_with(server, user, PASSWORD, more);
        assert!(said.status.success(), "{said:?}");
        said.out
    }

    /// Signs in with a password from standard input.
    pub(crate) fn login_with(&self, server: &Server, user: &str, password: &str, more: &[&str]) -> Said {
        let url = server.url();
        let mut command = self.command(&[&["login", &url, user], more].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        let out = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
        let err = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        Said { status: child.wait().unwrap(), out, err }
    }

    /// Writes a note and returns its short id.
    #[track_caller]
    pub(crate) fn add(&self, text: &str) -> String {
        let said = self.ok(&["add", text]);
        said.strip_prefix("added: ").unwrap().split(' ').next().unwrap().to_owned()
    }

    /// What all notes say, ascending.
    #[track_caller]
    pub(crate) fn texts(&self) -> Vec<String> {
        let notes = self.ok(&["export"]);
        let text = |line: &str| {
            let note: serde_json::Value = serde_json::from_str(line).unwrap();
            note["text"].as_str().unwrap().to_owned()
        };
        let mut texts: Vec<String> = notes.lines().map(text).collect();
        texts.sort_unstable();
        texts
    }

    /// The same device once more: a copy of its folder.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        std::fs::create_dir(copy.data()).unwrap();
        for file in std::fs::read_dir(self.data()).unwrap() {
            let path = file.unwrap().path();
            std::fs::copy(&path, copy.data().join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    /// Leaves `notes watch` open.
    pub(crate) fn watch(&self) -> Watching {
        let mut command = self.command(&["watch"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (send, lines) = std::sync::mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut watching = Watching { child, lines, seen: Vec::new() };
        watching.wait_for("watching as ");
        watching
    }
}

/// An open `notes watch`.
pub(crate) struct Watching {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Watching {
    pub(crate) fn write(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits until it has said something since the last time; returns the line.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it never said {part:?}, but {:?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Ends it as ctrl-c does.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        // Held open, as a terminal is: `wait` would close it, and whoever reads it would be woken.
        let _terminal = self.child.stdin.take();
        signal("INT", self.child.id());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn signal(name: &str, process: u32) {
    let kill = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(kill.unwrap().success());
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).unwrap()) & 0o777
}
