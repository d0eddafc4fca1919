//! A Postgres with servers on it, and SQL beside them.

use std::time::{Duration, Instant};

use postgres_testing::Cluster;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::support::http::{Address, Http};
use crate::support::server::{LOOK, Process, World};

/// A database and the servers that share it.
pub(crate) struct Site {
    pub(crate) processes: Vec<Process>,
    pub(crate) world: World,
    pub(crate) cluster: Cluster,
}

impl Site {
    /// With this many servers on a new database. `None` where there is no Postgres.
    pub(crate) fn start(n_servers: usize) -> Option<Self> {
        Self::with(&[], "", n_servers)
    }

    /// With settings of the database, and parameters such as `&connections=2` for the servers.
    pub(crate) fn with(settings: &[(&str, &str)], parameters: &str, n_servers: usize) -> Option<Self> {
        let cluster = Cluster::start(settings)?;
        let url = format!("{}{parameters}", cluster.url());
        Some(Self::on(cluster, &url, n_servers))
    }

    /// On a database that the servers reach at this address.
    pub(crate) fn on(cluster: Cluster, url: &str, n_servers: usize) -> Self {
        let world = World::on(url, n_servers);
        Self { processes: world.start_all(), world, cluster }
    }

    /// Runs SQL, and yields the first column of its first row.
    pub(crate) fn sql(&self, sql: &str) -> Option<String> {
        Session::open(&self.cluster.url()).ask(sql)
    }

    /// Cuts the connections on which the servers hear of each other's commits. Says how many there were.
    pub(crate) fn cut_listeners(&self) -> usize {
        self.terminate("query LIKE 'LISTEN %'", 1000)
    }

    /// Ends connections of the servers, some of those for which `which` holds. Says how many.
    pub(crate) fn terminate(&self, which: &str, limit: usize) -> usize {
        let of_servers = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sync'";
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid))::text FROM ({of_servers} AND {which} ORDER BY random() LIMIT {limit}) _"
        );
        self.sql(&sql).unwrap().parse().unwrap()
    }

    /// How many connections the servers have.
    pub(crate) fn n_connections(&self) -> usize {
        let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'sync'";
        self.sql(sql).unwrap().parse().unwrap()
    }

    /// Ends all servers in order.
    pub(crate) fn stop(self) {
        self.processes.into_iter().for_each(Process::stop);
        self.world.check_log();
    }
}

/// A connection to the database that is none of the servers'.
pub(crate) struct Session {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Session {
    pub(crate) fn open(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(url)).unwrap();
        Self { runtime, connection }
    }

    /// Runs SQL, and yields the first column of its first row, which must be a text.
    pub(crate) fn ask(&mut self, sql: &str) -> Option<String> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(&mut self.connection);
        self.runtime.block_on(query).unwrap_or_else(|error| panic!("{sql}: {error}"))?.get(0)
    }
}

/// Waits until a server says that it is ready, and returns its answer.
pub(crate) fn ready(address: &Address, within: Duration) -> serde_json::Value {
    let begun = Instant::now();
    let mut http = Http::new(std::slice::from_ref(address), None);
    loop {
        let answer = http.get("/ready").unwrap();
        if answer.status == 200 {
            return answer.json();
        }
        answer.code();
        assert!(begun.elapsed() < within, "not ready after {within:?}: {answer:?}");
        std::thread::sleep(LOOK);
    }
}
