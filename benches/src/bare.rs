//! References: SQLite alone, with the same durability, the same columns and prepared statements, and nothing around it.

use std::path::Path;
use std::sync::mpsc;

use rusqlite::{Connection, params};

use crate::data::Sample;

/// A bare database.
pub(crate) struct Bare {
    connection: Connection,
    next: i64,
}

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE records (
  space TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  revision INTEGER NOT NULL, edited_at INTEGER NOT NULL, author TEXT NOT NULL, data TEXT,
  PRIMARY KEY (space, collection, id)
);
CREATE UNIQUE INDEX feed ON records (space, version);
";

const SPACE: &str = "00112233445566778899aabbccddeeff";
const AUTHOR: &str = "ffeeddccbbaa99887766554433221100";

impl Bare {
    /// An empty database in `folder`.
    pub(crate) fn create(folder: &Path, name: &str) -> Self {
        let connection = Connection::open(folder.join(name)).expect("the folder can be written");
        connection.execute_batch(SCHEMA).expect("the schema is right");
        Self { connection, next: 1_700_000_000_000_000 }
    }

    /// Writes some records in one durable transaction.
    pub(crate) fn write(&mut self, samples: &[Sample]) {
        let txn = self.connection.transaction().expect("nobody else writes");
        {
            let sql = "INSERT INTO records VALUES (?1, 'notes', ?2, ?3, 1, ?4, ?5, ?6) \
                       ON CONFLICT DO UPDATE SET version = excluded.version, data = excluded.data";
            let mut insert = txn.prepare_cached(sql).expect("the statement is right");
            for Sample { id, data } in samples {
                self.next += 1;
                insert.execute(params![SPACE, id, self.next, self.next, AUTHOR, data]).expect("the row fits");
            }
        }
        txn.commit().expect("the disk is well");
    }

    /// The content of a record.
    pub(crate) fn get(&self, id: &str) -> serde_json::Value {
        let sql = "SELECT data FROM records WHERE space = ?1 AND collection = 'notes' AND id = ?2";
        let mut select = self.connection.prepare_cached(sql).expect("the statement is right");
        let parse = |row: &rusqlite::Row<'_>| Ok(serde_json::from_str(row.get_ref(0)?.as_str()?));
        select.query_row(params![SPACE, id], parse).expect("the record is there").expect("samples are JSON")
    }

    /// Reads everything in the order of ids, `limit` records at a time, each into a record of its own; yields how many
    /// there were.
    pub(crate) fn list(&self, limit: usize) -> usize {
        type Row = (String, i64, i64, i64, String, String);
        let sql = "SELECT id, version, revision, edited_at, author, data FROM records \
                   WHERE space = ?1 AND collection = 'notes' AND id > ?2 ORDER BY id LIMIT ?3";
        let mut select = self.connection.prepare_cached(sql).expect("the statement is right");
        let (mut after, mut n) = (String::new(), 0);
        loop {
            let row = |row: &rusqlite::Row<'_>| row.try_into();
            let rows =
                select.query_map(params![SPACE, after, limit as i64], row).expect("the statement runs");
            let page: Vec<Row> = rows.collect::<Result<_, _>>().expect("the rows can be read");
            n += page.len();
            let Some(last) = page.last() else { return n };
            after = last.0.clone();
        }
    }

    /// Reads everything in the order of versions as JSON text; yields its length.
    pub(crate) fn select_to_json(&self) -> usize {
        let sql = "SELECT collection, id, version, revision, edited_at, author, data FROM records \
                   WHERE space = ?1 AND version > ?2 ORDER BY version";
        let mut select = self.connection.prepare_cached(sql).expect("the statement is right");
        let mut rows = select.query(params![SPACE, 0]).expect("the statement runs");
        let mut out = String::new();
        let mut n_bytes = 0;
        while let Some(row) = rows.next().expect("the rows can be read") {
            let text =
                |idx| row.get_ref(idx).and_then(|value| Ok(value.as_str()?)).expect("the column is text");
            let number = |idx| row.get::<_, i64>(idx).expect("the column is a number");
            out.push_str(&format!(
                r#"{{"collection":"{}","id":"{}","version":{},"revision":{},"edited_at":{},"author":"{}","data":{}}},"#,
                text(0), text(1), number(2), number(3), number(4), text(5), text(6),
            ));
            if out.len() > 1 << 20 {
                n_bytes += out.len();
                out.clear();
            }
        }
        n_bytes + out.len()
    }
}

/// A thread that writes what waits in one durable transaction, and then tells who waited.
pub(crate) struct GroupCommit {
    jobs: mpsc::Sender<(Sample, tokio::sync::oneshot::Sender<()>)>,
    thread: std::thread::JoinHandle<()>,
}

impl GroupCommit {
    /// Starts the thread.
    pub(crate) fn start(mut bare: Bare) -> Self {
        let (jobs, waiting) = mpsc::channel::<(Sample, tokio::sync::oneshot::Sender<()>)>();
        let thread = std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let (samples, replies): (Vec<_>, Vec<_>) =
                    std::iter::once(first).chain(waiting.try_iter()).unzip();
                bare.write(&samples);
                for reply in replies {
                    let _ = reply.send(());
                }
            }
        });
        Self { jobs, thread }
    }

    /// A handle for one writer.
    pub(crate) fn writer(&self) -> mpsc::Sender<(Sample, tokio::sync::oneshot::Sender<()>)> {
        self.jobs.clone()
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.jobs);
        self.thread.join().expect("the writer ends in order");
    }
}
