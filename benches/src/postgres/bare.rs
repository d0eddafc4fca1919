//! References: Postgres alone, with the same columns and prepared statements, and nothing around it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::bulk_push::BATCH;
use crate::data::{Sample, samples};
use crate::report::{rate, start};

const SPACE: &str = "00112233445566778899aabbccddeeff";
const AUTHOR: &str = "ffeeddccbbaa99887766554433221100";

/// A bare table and one connection to it.
pub(crate) struct Bare {
    connection: PgConnection,
    table: String,
    next: i64,
}

/// Tells the tables of one run apart.
static N_TABLES: AtomicUsize = AtomicUsize::new(0);

impl Bare {
    /// An empty table.
    pub(crate) async fn create(url: &str) -> Self {
        let connection = PgConnection::connect(url).await.expect("the cluster runs");
        let table = format!("bare_{}", N_TABLES.fetch_add(1, Ordering::SeqCst));
        let mut bare = Self { connection, table, next: 1_700_000_000_000_000 };
        bare.run(&format!(
            "CREATE TABLE {table} (space text COLLATE \"C\" NOT NULL, collection text COLLATE \"C\" NOT NULL, \
             id text COLLATE \"C\" NOT NULL, version bigint NOT NULL, revision bigint NOT NULL, \
             edited_at bigint NOT NULL, author text NOT NULL, data text, PRIMARY KEY (space, collection, id)); \
             CREATE UNIQUE INDEX {table}_feed ON {table} (space, version)",
            table = bare.table
        ))
        .await;
        bare
    }

    async fn run(&mut self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await;
        done.expect("the statement is right");
    }

    /// Lets the planner know what is there.
    pub(crate) async fn analyze(&mut self) {
        self.run(&format!("ANALYZE {}", self.table)).await;
    }

    /// Writes some records in one durable statement.
    pub(crate) async fn unnest(&mut self, samples: &[Sample]) {
        let sql = format!(
            "INSERT INTO {} SELECT $1, 'notes', id, version, 1, version, $2, data \
             FROM unnest($3::text[], $4::bigint[], $5::text[]) AS rows (id, version, data) \
             ON CONFLICT (space, collection, id) DO UPDATE SET version = excluded.version, data = excluded.data",
            self.table
        );
        let (ids, data): (Vec<&str>, Vec<&str>) =
            samples.iter().map(|Sample { id, data }| (id.as_str(), data.as_str())).unzip();
        let versions: Vec<i64> = samples.iter().map(|_| self.version()).collect();
        let query =
            sqlx::query(AssertSqlSafe(sql)).bind(SPACE).bind(AUTHOR).bind(ids).bind(versions).bind(data);
        query.execute(&mut self.connection).await.expect("the rows fit");
    }

    /// Appends some records by COPY, which can replace none.
    pub(crate) async fn copy(&mut self, samples: &[Sample]) {
        let mut rows = String::new();
        for Sample { id, data } in samples {
            let version = self.version();
            // The samples have a backslash nowhere, and neither tabs nor line ends.
            writeln!(rows, "{SPACE}\tnotes\t{id}\t{version}\t1\t{version}\t{AUTHOR}\t{data}")
                .expect("a string can be written to");
        }
        let statement = format!("COPY {} FROM STDIN", self.table);
        let mut copy = self.connection.copy_in_raw(&statement).await.expect("the statement is right");
        copy.send(rows.as_bytes()).await.expect("the cluster runs");
        copy.finish().await.expect("the rows fit");
    }

    fn version(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// Reads everything in the order of versions, by pages, as JSON text; yields its length.
    pub(crate) async fn select_to_json(&mut self) -> usize {
        let sql = format!(
            "SELECT collection, id, version, revision, edited_at, author, data FROM {} \
             WHERE space = $1 AND version > $2 ORDER BY version LIMIT $3",
            self.table
        );
        let limit = i64::try_from(BATCH).expect("a page is small");
        let (mut after, mut n_bytes) = (0_i64, 0);
        loop {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(SPACE).bind(after).bind(limit);
            let rows = query.fetch_all(&mut self.connection).await.expect("the statement is right");
            let mut out = String::new();
            for row in &rows {
                let text = |idx: usize| row.get::<&str, _>(idx);
                after = row.get(2);
                write!(
                    out,
                    r#"{{"collection":"{}","id":"{}","version":{after},"revision":{},"edited_at":{},"author":"{}","data":{}}},"#,
                    text(0), text(1), row.get::<i64, _>(3), row.get::<i64, _>(4), text(5), text(6),
                )
                .expect("a string can be written to");
            }
            n_bytes += out.len();
            if rows.len() < BATCH {
                return n_bytes;
            }
        }
    }
}

/// Writers that hand each record to one task, which writes what waits in one durable statement.
pub(crate) async fn group_commit(mut bare: Bare, n_writers: usize, n_each: usize) -> f64 {
    let (jobs, mut waiting) = mpsc::unbounded_channel::<(Sample, oneshot::Sender<()>)>();
    let group = tokio::spawn(async move {
        let mut batch = Vec::new();
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            let (samples, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
            bare.unnest(&samples).await;
            for reply in replies {
                let _ = reply.send(());
            }
        }
    });
    let mut samples = samples(n_writers * n_each).into_iter();
    let mine: Vec<Vec<Sample>> = (0..n_writers).map(|_| samples.by_ref().take(n_each).collect()).collect();
    let mut tasks = JoinSet::new();
    let clock = start();
    for samples in mine {
        let jobs = jobs.clone();
        tasks.spawn(async move {
            for sample in samples {
                let (reply, answer) = oneshot::channel();
                jobs.send((sample, reply)).expect("the group runs");
                answer.await.expect("the group answers");
            }
        });
    }
    tasks.join_all().await;
    let written = rate(n_writers * n_each, clock.elapsed());
    drop(jobs);
    group.await.expect("the group ends in order");
    written
}
