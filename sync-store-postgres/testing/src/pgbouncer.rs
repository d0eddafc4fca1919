//! A pgbouncer between a test and a cluster.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::programs::find_pgbouncer;
use crate::watched::Watched;

/// A pgbouncer that pools by transaction, on a socket in a temporary folder. Dropping it ends it and removes the folder,
/// and so does the death of the process that holds it.
#[derive(Debug)]
pub struct Pgbouncer {
    program: PathBuf,
    watched: Watched,
}

impl Pgbouncer {
    /// Starts one before the server whose socket is in the folder `server` ([`Cluster::socket_dir`](crate::Cluster::socket_dir)).
    /// Settings are lines of the section `[pgbouncer]`, and win over ours. `None`, and a word on the error output, when
    /// there is no pgbouncer on this machine.
    ///
    /// # Panics
    ///
    /// When it does not start, or there is none and `REQUIRE_POSTGRES` is set.
    #[must_use]
    #[track_caller]
    pub fn start(server: &Path, settings: &[(&str, &str)]) -> Option<Self> {
        let program = find_pgbouncer()?;
        let mut bouncer = Self { program, watched: Watched::new("TERM") };
        let text = bouncer.settings(server, settings);
        fs::write(bouncer.settings_file(), text).expect("the settings can be written to the folder");
        bouncer.run();
        Some(bouncer)
    }

    /// Address of the database `postgres`, as `sqlx` and `psql` take it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Address of a database of the cluster. Whoever connects becomes the user `postgres`. The database `pgbouncer` is its
    /// console (`SHOW POOLS`, `PAUSE`, `RESUME`).
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

    /// Ends it at once, with all connections, and starts it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[track_caller]
    pub fn restart(&mut self) {
        self.watched.end("TERM");
        self.run();
    }

    #[track_caller]
    fn run(&mut self) {
        let file = self.settings_file().display().to_string();
        let answers = |folder: &Path, _| UnixStream::connect(folder.join(".s.PGSQL.5432")).is_ok();
        self.watched.run(&self.program, &[&file], answers);
    }

    fn settings_file(&self) -> PathBuf {
        self.socket_dir().join("pgbouncer.ini")
    }

    fn settings(&self, server: &Path, settings: &[(&str, &str)]) -> String {
        let own = self.socket_dir().display();
        let more: String = settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        // Of what sqlx sends when it connects, pgbouncer does not know the first of those it is to ignore.
        format!(
            "[databases]
* = host={} port=5432 user=postgres
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = {own}
auth_type = any
admin_users = postgres
pool_mode = transaction
max_client_conn = 500
ignore_startup_parameters = extra_float_digits,options
{more}",
            server.display()
        )
    }
}
