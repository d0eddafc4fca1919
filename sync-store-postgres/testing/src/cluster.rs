//! A Postgres of one's own.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::process::{children, freeze, kill, signal};
use crate::programs::{find_postgres, tool};
use crate::watched::Watched;

/// A Postgres that only its owner uses, on a socket in a temporary folder. Dropping it ends it and removes the folder,
/// and so does the death of the process that holds it.
///
/// User and database `postgres` need no password. Settings are those of `scripts/with-postgres`: 200 connections, no
/// fsync, so that data survives killed processes and not a power cut. Text sorts by language, not by bytes.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    watched: Watched,
}

/// How a cluster is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Connections are ended, everything is written: nothing is to be recovered.
    Fast,
    /// Connections are cut and nothing is written: the next start recovers from the log.
    Immediate,
}

impl Cluster {
    /// Makes and starts a cluster with these settings of `postgresql.conf`; `None`, and a word on the error output, when
    /// there is no Postgres on this machine.
    ///
    /// # Panics
    ///
    /// When it does not start, or there is no Postgres and `REQUIRE_POSTGRES` is set.
    #[must_use]
    #[track_caller]
    pub fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let programs = find_postgres()?;
        let watched = Watched::new("QUIT");
        let made = tool("new-cluster").arg(watched.folder()).status();
        assert!(made.is_ok_and(|status| status.success()), "cannot make a cluster:\n{}", watched.log());
        let mut cluster = Self { programs, watched };
        cluster.configure(settings);
        cluster.start_again();
        Some(cluster)
    }

    /// Address of the database `postgres`, as `sqlx` and `psql` take it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Address of a database, which need not exist.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        self.watched.url(database)
    }

    /// The folder of its socket: the `host` of a connection; the port is 5432.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.watched.folder()
    }

    /// Everything it has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        self.watched.log()
    }

    /// Adds to `postgresql.conf`, where the last word counts. It is read at the next start.
    pub fn configure(&mut self, settings: &[(&str, &str)]) {
        let lines =
            settings.iter().map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")));
        let file = File::options().append(true).open(self.watched.folder().join("data/postgresql.conf"));
        let written = file.and_then(|mut file| file.write_all(lines.collect::<String>().as_bytes()));
        written.expect("the settings can be written while the cluster is ours");
    }

    /// Kills the server and every process of it at once, as `kill -9`; returns when they are dead.
    ///
    /// What was committed is there after [`start_again`](Self::start_again), which recovers.
    ///
    /// # Panics
    ///
    /// When it is not running.
    #[track_caller]
    pub fn kill_all(&mut self) {
        let server = self.watched.id();
        freeze(server);
        let processes = children(server);
        // The server first, in one go: it must not see the others die and begin to recover.
        signal("KILL", &[&[server][..], &processes].concat());
        self.watched.end("KILL");
        kill(&processes);
    }

    /// Kills one process of it, by its `pg_backend_pid()`, as `kill -9`. Postgres then cuts all connections and recovers
    /// by itself; for a moment it refuses new ones.
    ///
    /// # Panics
    ///
    /// When it is not a process of this cluster.
    #[track_caller]
    pub fn kill_backend(&self, process: i32) {
        let process = u32::try_from(process).expect("the id of a process is positive");
        assert!(children(self.watched.id()).contains(&process), "{process} is no process of this cluster");
        kill(&[process]);
    }

    /// Ends the server in order, and returns when it has ended. Nothing happens when it does not run.
    pub fn stop(&mut self, how: Shutdown) {
        self.watched.end(match how {
            Shutdown::Fast => "INT",
            Shutdown::Immediate => "QUIT",
        });
    }

    /// Starts it with the data it has, after [`stop`](Self::stop) or [`kill_all`](Self::kill_all), and returns when it
    /// takes connections.
    ///
    /// # Panics
    ///
    /// When it is running, or does not start.
    #[track_caller]
    pub fn start_again(&mut self) {
        let data = self.watched.folder().join("data").display().to_string();
        self.watched.run(&self.programs.join("postgres"), &["-D", &data], is_ready);
    }

    /// [`stop`](Self::stop), then [`start_again`](Self::start_again).
    #[track_caller]
    pub fn restart(&mut self, how: Shutdown) {
        self.stop(how);
        self.start_again();
    }
}

/// What the server itself writes into its lock file; that of a killed one before it has another process in line 1.
fn is_ready(folder: &Path, process: u32) -> bool {
    let lock = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let line = |number: usize| lock.lines().nth(number - 1).unwrap_or_default().trim_end().to_owned();
    line(1) == process.to_string() && line(8) == "ready"
}
