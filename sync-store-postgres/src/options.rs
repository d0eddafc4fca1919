//! Which database, and which limits apply.

use std::fmt;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sync_core::{Error, ErrorKind, Result};
use url::Url;

/// What [`PostgresStore::open`](crate::PostgresStore::open) takes.
///
/// Durations are brought between a millisecond and a day: Postgres takes zero for "no limit", and cannot count far.
///
/// ```
/// use std::time::Duration;
/// use sync_store_postgres::PostgresOptions;
/// let options = PostgresOptions::from_url("postgres://sync@db.example/sync?sslmode=verify-full&connections=20")?
///     .wait_max(Duration::from_secs(2));
/// # Ok::<(), sync_core::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct PostgresOptions {
    pub(crate) connect: PgConnectOptions,
    pub(crate) schema: String,
    pub(crate) connections_max: u32,
    pub(crate) is_pooled: bool,
    pub(crate) wait_max: Duration,
    pub(crate) statement_max: Duration,
    pub(crate) idle_writer_max: Duration,
    pub(crate) idle_reader_max: Duration,
    pub(crate) poll_every: Duration,
    pub(crate) listens: bool,
    pub(crate) takes_weak_durability: bool,
}

/// Connections of one process: four processes stay below the 100 that Postgres grants by default, and more of them than
/// cores of the database wait for each other there.
const CONNECTIONS_MAX: u32 = 16;
/// The most that may be asked for: a pool makes room for all of them at once, and a database that grants more is rare.
const CONNECTIONS_LIMIT: u32 = 1000;
/// How long to wait for a connection or a lock: longer than any healthy transaction, shorter than clients wait.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long one statement may run: pushes and pages are bounded, so one that takes longer is stuck behind something.
const STATEMENT_MAX: Duration = Duration::from_secs(30);
/// How long a transaction may sit idle while it holds a space: a process that froze must not stop all others.
const IDLE_WRITER_MAX: Duration = Duration::from_secs(15);
/// How long a reader may sit idle: it holds no lock, but keeps the database from cleaning up.
const IDLE_READER_MAX: Duration = Duration::from_secs(300);
/// How long a transaction of a copy may wait for the other end of its pipe.
const COPY_IDLE_MAX: Duration = Duration::from_secs(3600);
/// How often to look at the spaces that someone waits for: a lost hint costs at most this.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Prepared statements a connection keeps: more than there are texts.
const STATEMENTS_MAX: usize = 100;
/// Characters of a schema's name: with what is put before it, it must fit the 63 bytes of a channel.
const SCHEMA_LEN_MAX: usize = 40;

impl PostgresOptions {
    /// The database that a URL names: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS`.
    ///
    /// Parameters of this library: `schema` (default `sync`), `connections`, and `pooler=transaction`. Those of
    /// Postgres, among them `sslmode`, `sslrootcert`, `host` (also the folder of a socket), `port` and `options`, go to
    /// the driver.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a text that is no such URL; it is not repeated, as it may hold a password.
    pub fn from_url(url: &str) -> Result<Self> {
        let mut url: Url = url.parse().map_err(|_| invalid("a database is postgres://USER@HOST/DATABASE"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(invalid("the URL of a database begins with postgres://"));
        }
        let after_host = [url.path(), url.query().unwrap_or_default(), url.fragment().unwrap_or_default()];
        if url.fragment().is_some() || after_host.iter().any(|part| part.contains('@')) {
            return Err(invalid(
                "in a user or password of the URL, write @ as %40, / as %2F, ? as %3F and # as %23",
            ));
        }
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        url.set_query(None);
        let mut own = Vec::new();
        for (name, value) in parameters {
            match name.as_str() {
                "schema" | "connections" | "pooler" => own.push((name, value)),
                name if is_of_driver(name) => drop(url.query_pairs_mut().append_pair(name, &value)),
                // It may be the rest of a password, so it is not repeated.
                _ => {
                    let known =
                        "schema, connections, pooler, and those of the driver such as sslmode and host";
                    return Err(invalid(&format!("a parameter of the URL is not known; known are {known}")));
                }
            }
        }
        let connect = PgConnectOptions::from_url(&url)
            .map_err(|_| invalid("a parameter of the URL has a value that is not understood"))?;
        let name = connect.get_application_name().unwrap_or("sync").to_owned();
        let connect = connect.application_name(&name).disable_statement_logging();
        own.iter().try_fold(Self::new(connect), |options, (name, value)| options.parameter(name, value))
    }

    fn new(connect: PgConnectOptions) -> Self {
        Self {
            connect: connect.statement_cache_capacity(STATEMENTS_MAX),
            schema: "sync".to_owned(),
            connections_max: CONNECTIONS_MAX,
            is_pooled: false,
            wait_max: WAIT_MAX,
            statement_max: STATEMENT_MAX,
            idle_writer_max: IDLE_WRITER_MAX,
            idle_reader_max: IDLE_READER_MAX,
            poll_every: POLL_EVERY,
            listens: true,
            takes_weak_durability: false,
        }
    }

    /// Where the database is, without who connects.
    pub(crate) fn place(&self) -> String {
        match self.connect.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => format!("{}:{}", self.connect.get_host(), self.connect.get_port()),
        }
    }

    fn parameter(self, name: &str, value: &str) -> Result<Self> {
        match name {
            "schema" => self.schema(value),
            "connections" => match value.parse() {
                Ok(n) if (1..=CONNECTIONS_LIMIT).contains(&n) => Ok(self.connections_max(n)),
                _ => Err(invalid("`connections` is a number from 1 to 1000")),
            },
            _ if value == "transaction" => Ok(self.behind_transaction_pooler()),
            _ => Err(invalid("`pooler` is `transaction`, or left out")),
        }
    }

    /// The schema in which the tables are; it is created if there is none. By default `sync`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] unless it is 1 to 40 of `a-z 0-9 _`, not starting with a digit or `pg_`.
    pub fn schema(mut self, name: &str) -> Result<Self> {
        let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let starts_well = !name.starts_with("pg_") && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_plain || !starts_well || name.is_empty() || name.len() > SCHEMA_LEN_MAX {
            return Err(invalid("a schema is 1 to 40 of a-z, 0-9 and _, not starting with a digit or pg_"));
        }
        name.clone_into(&mut self.schema);
        Ok(self)
    }

    /// How many connections this process opens for transactions, 1 to 1,000; more wait. By default 16. Up to four more
    /// are for accounts, and one listens for hints.
    pub fn connections_max(mut self, n: u32) -> Self {
        self.connections_max = n.clamp(1, CONNECTIONS_LIMIT);
        self
    }

    /// Connects to a pooler that gives a connection of the database to each transaction, such as PgBouncer in its mode
    /// `transaction`: nothing is kept prepared, and hints of other processes come by looking alone.
    pub fn behind_transaction_pooler(mut self) -> Self {
        self.is_pooled = true;
        self.listens = false;
        self
    }

    /// How long to wait for a connection, and for the write transaction of someone else to end, before failing with
    /// [`Overloaded`](ErrorKind::Overloaded). By default 5 s.
    pub fn wait_max(mut self, wait: Duration) -> Self {
        self.wait_max = sayable(wait);
        self
    }

    /// How long one statement may run. By default 30 s. Deleting a space may take an hour; migrating has no
    /// limit.
    pub fn statement_max(mut self, max: Duration) -> Self {
        self.statement_max = sayable(max);
        self
    }

    /// How long a write transaction may do nothing before the database ends it: its process may have frozen, and others
    /// wait for the space. By default 15 s.
    pub fn idle_writer_max(mut self, max: Duration) -> Self {
        self.idle_writer_max = sayable(max);
        self
    }

    /// How long a read transaction may do nothing before the database ends it. By default 5 min.
    pub fn idle_reader_max(mut self, max: Duration) -> Self {
        self.idle_reader_max = sayable(max);
        self
    }

    /// With limits for a program that has the database to itself and works through all of it: transactions may wait an
    /// hour for what is outside of the database, and there are two connections at least, as one is read beside another.
    pub fn for_copying(self) -> Self {
        let connections_max = self.connections_max.max(2);
        self.idle_writer_max(COPY_IDLE_MAX).idle_reader_max(COPY_IDLE_MAX).connections_max(connections_max)
    }

    /// How often to look at the spaces that someone in this process waits for. By default once a second.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_every = sayable(interval);
        self
    }

    /// Whether to listen for the hints of other processes. By default yes, except behind a transaction pooler.
    pub fn listens(mut self, listens: bool) -> Self {
        self.listens = listens;
        self
    }

    /// Opens a database although it acknowledges commits before they are on its disk, which a crash then takes back.
    /// For tests and for data that may be lost.
    pub fn takes_weak_durability(mut self) -> Self {
        self.takes_weak_durability = true;
        self
    }
}

impl fmt::Debug for PostgresOptions {
    /// Without what leads to the database: that includes a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("connections_max", &self.connections_max)
            .field("is_pooled", &self.is_pooled)
            .finish_non_exhaustive()
    }
}

/// The driver ignores what it does not know, so a slip of the pen would go unnoticed.
fn is_of_driver(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "sslmode",
        "ssl-mode",
        "sslrootcert",
        "ssl-root-cert",
        "ssl-ca",
        "sslcert",
        "ssl-cert",
        "sslkey",
        "ssl-key",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "application_name",
        "options",
    ];
    NAMES.contains(&name) || name.starts_with("options[")
}

/// The nearest that can be said to Postgres and to a timer.
fn sayable(duration: Duration) -> Duration {
    duration.clamp(Duration::from_millis(1), Duration::from_secs(24 * 60 * 60))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_the_rest_goes_to_the_driver() {
        let url = "postgres://u:p@h:6432/d?schema=other&connections=3&pooler=transaction&host=/run/pg";
        let options = PostgresOptions::from_url(url).unwrap();
        assert_eq!((options.schema.as_str(), options.connections_max), ("other", 3));
        assert!(options.is_pooled && !options.listens);
        assert_eq!(options.connect.get_socket().unwrap().to_str(), Some("/run/pg"));
        assert_eq!((options.connect.get_port(), options.connect.get_database()), (6432, Some("d")));
        assert_eq!(options.place(), "/run/pg");
        assert_eq!(PostgresOptions::from_url("postgres://u:p@h/d").unwrap().place(), "h:5432");
        let named = PostgresOptions::from_url("postgres://u@h/d?application_name=sync-2").unwrap();
        assert_eq!(named.connect.get_application_name(), Some("sync-2"));
    }

    #[test]
    fn what_is_no_url_of_a_database_is_refused_without_its_password() {
        for end in [
            "?shema=a",
            "?schema=",
            "?schema=A",
            "?schema=pg_sync",
            "?schema=a\"b",
            "?connections=0",
            "?connections=-1",
            "?connections=1001",
            "?hunter2",
            "#hunter2@h/d",
            "/hunter2@h",
            "?connections=x",
            "?pooler=session",
            "?sslmode=sometimes",
            "?port=hunter2",
        ] {
            let error = PostgresOptions::from_url(&format!("postgres://u:hunter2@h/d{end}")).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(error.kind() == ErrorKind::Invalid && !text.contains("hunter2"), "{end}: {text}");
        }
        for url in ["", "h/d", "mysql://u:hunter2@h/d", "postgres:", "postgres://u:hunter2@h:port/d"] {
            if let Err(error) = PostgresOptions::from_url(url) {
                assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
            } else {
                assert_eq!(url, "postgres:", "all defaults, as the driver takes them from the environment");
            }
        }
    }

    #[test]
    fn no_password_is_shown() {
        let options = PostgresOptions::from_url("postgres://u:hunter2@h/d").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
