//! Measures the store against bare rusqlite on the same tables: `cargo run --release --example against_bare_sqlite`.
//!
//! Rounds are interleaved and the median is shown, so that a busy machine disturbs both alike. Figures are ratios.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use sync_core::json::Json;
use sync_core::store::{CommitInfo, CommitWrite, FeedQuery, ScanQuery, Store, StoreExt};
use sync_core::{
    ActorId, ClientId, Collection, Epoch, Record, RecordId, RecordKey, RecordMeta, Seq, SpaceId, Tag,
    Timestamp,
};
use sync_store_sqlite::SqliteStore;

/// The same table and indexes with a column for each field.
const BARE: &str = "CREATE TABLE records (space TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, version \
    INTEGER NOT NULL, revision INTEGER NOT NULL, edited_at INTEGER NOT NULL, upstream INTEGER NOT NULL, checksum \
    INTEGER NOT NULL, author TEXT NOT NULL, client TEXT, data TEXT, PRIMARY KEY (space, collection, id)) STRICT; \
    CREATE UNIQUE INDEX records_feed ON records (space, version); \
    CREATE INDEX records_tombstones ON records (space, version) WHERE data IS NULL;";
const ROUNDS: usize = 7;
const BATCHES: i64 = 30;
const ROWS: i64 = 1000;

fn record(n: i64) -> Record {
    let data = format!("{{\"body\":\"{}\",\"n\":{n},\"title\":\"note {n}\"}}", "lorem ipsum ".repeat(13));
    Record {
        key: RecordKey::new(
            Collection::new("notes").unwrap(),
            RecordId::new(format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))).unwrap(),
        ),
        data: Some(Json::from_canonical(data)),
        meta: RecordMeta {
            version: Seq::new(n).unwrap(),
            revision: 1,
            edited_at: Timestamp::from_micros(1_700_000_000_000_000 + n).unwrap(),
            author: ActorId::new("user-0123456789").unwrap(),
            client: Some(ClientId::new("replica-0123456789").unwrap()),
            upstream: Seq::ZERO,
        },
    }
}

fn batch(first: i64, n: i64) -> CommitWrite {
    let records = (first..first + n).map(record).collect();
    let info = CommitInfo {
        first: Seq::new(first).unwrap(),
        last: Seq::new(first + n - 1).unwrap(),
        tag: Tag::from_bytes([7; 16]),
    };
    CommitWrite { records, commits: vec![info], ..CommitWrite::default() }
}

async fn write(store: &SqliteStore, space: &SpaceId, writes: &[CommitWrite]) {
    for write in writes {
        let mut txn = store.write(space).await.unwrap();
        txn.apply(write).await.unwrap();
        txn.commit().await.unwrap();
    }
}

fn bare_write(path: &Path, writes: &[CommitWrite]) {
    let mut database = Connection::open(path).unwrap();
    database.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;").unwrap();
    database.execute_batch(BARE).unwrap();
    let begun = start();
    for write in writes {
        let txn = database.transaction().unwrap();
        {
            let mut insert = txn
                .prepare_cached(
                    "INSERT INTO records (space, collection, id, version, revision, edited_at, upstream, checksum, \
                     author, client, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (space, collection, \
                     id) DO UPDATE SET version = excluded.version, revision = excluded.revision, edited_at = \
                     excluded.edited_at, upstream = excluded.upstream, checksum = excluded.checksum, author = \
                     excluded.author, client = excluded.client, data = excluded.data",
                )
                .unwrap();
            for r in &write.records {
                insert
                    .execute(params![
                        "family",
                        r.key.collection.as_str(),
                        r.key.id.as_str(),
                        r.meta.version.get(),
                        r.meta.revision,
                        r.meta.edited_at.as_micros(),
                        0,
                        r.checksum().cast_signed(),
                        r.meta.author.as_str(),
                        r.meta.client.as_ref().map(|c| c.as_str()),
                        r.data.as_ref().map(|d| d.as_str()),
                    ])
                    .unwrap();
            }
        }
        txn.commit().unwrap();
    }
    report("bare write", begun);
}

type Figures = (String, f64, f64);

static FIGURES: std::sync::Mutex<Vec<Figures>> = std::sync::Mutex::new(Vec::new());

/// Wall clock and processor time.
struct Start(Instant, f64);

fn start() -> Start {
    Start(Instant::now(), cpu_seconds())
}

/// Of all threads so far (Linux; elsewhere zero).
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let times = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    times.filter_map(|line| line.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
}

fn report(what: &str, start: Start) {
    let n = (BATCHES * ROWS) as f64;
    let figures = (what.to_owned(), n / start.0.elapsed().as_secs_f64(), n / (cpu_seconds() - start.1));
    FIGURES.lock().unwrap().push(figures);
}

fn bare_read(path: &Path) {
    let database = Connection::open(path).unwrap();
    let mut select = database
        .prepare(
            "SELECT version, revision, edited_at, upstream, checksum, collection, id, author, client, data FROM \
             records WHERE space = ? AND version > ? ORDER BY version LIMIT ?",
        )
        .unwrap();
    let begun = start();
    let (mut after, mut n, mut out) = (0_i64, 0, Vec::new());
    loop {
        let n_before = n;
        out.clear();
        let mut rows = select.query(params!["family", after, ROWS]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            after = row.get(0).unwrap();
            for idx in 1..5 {
                let number: i64 = row.get(idx).unwrap();
                out.extend_from_slice(&number.to_le_bytes());
            }
            for idx in 5..10 {
                out.extend_from_slice(row.get_ref(idx).unwrap().as_bytes().unwrap());
            }
            n += 1;
        }
        if n == n_before {
            break;
        }
    }
    assert_eq!(n, BATCHES * ROWS);
    report("bare read", begun);
}

/// The same loop, yielding what the store yields: checked records that the program owns.
fn bare_read_records(path: &Path) {
    let database = Connection::open(path).unwrap();
    let mut select = database
        .prepare(
            "SELECT version, revision, edited_at, upstream, checksum, collection, id, author, client, data FROM \
             records WHERE space = ? AND version > ? ORDER BY version LIMIT ?",
        )
        .unwrap();
    let begun = start();
    let (mut after, mut n) = (0_i64, 0);
    loop {
        let mut page: Vec<Record> = Vec::new();
        let mut rows = select.query(params!["family", after, ROWS]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let number = |idx| row.get::<_, i64>(idx).unwrap();
            let text = |idx| row.get_ref(idx).unwrap().as_str().unwrap();
            let record = Record {
                key: RecordKey::new(Collection::new(text(5)).unwrap(), RecordId::new(text(6)).unwrap()),
                data: Some(Json::from_canonical(text(9))),
                meta: RecordMeta {
                    version: Seq::new(number(0)).unwrap(),
                    revision: number(1),
                    edited_at: Timestamp::from_micros(number(2)).unwrap(),
                    author: ActorId::new(text(7)).unwrap(),
                    client: Some(ClientId::new(text(8)).unwrap()),
                    upstream: Seq::new(number(3)).unwrap(),
                },
            };
            assert_eq!(record.checksum().cast_signed(), number(4));
            after = number(0);
            page.push(record);
        }
        if page.is_empty() {
            break;
        }
        n += page.len() as i64;
    }
    assert_eq!(n, BATCHES * ROWS);
    report("bare read, records", begun);
}

async fn read(store: &SqliteStore, space: &SpaceId, bytes_max: usize, what: &str) {
    let begun = start();
    let (mut after, mut n) = (Seq::ZERO, 0);
    loop {
        let mut txn = store.read(space).await.unwrap();
        let query = FeedQuery { after, up_to: txn.head().head, collections: None, rows_max: 1000, bytes_max };
        let page = txn.feed(&query).await.unwrap();
        txn.commit().await.unwrap();
        let Some(last) = page.records.last() else { break };
        after = last.meta.version;
        n += page.records.len() as i64;
    }
    assert_eq!(n, BATCHES * ROWS);
    report(what, begun);
}

async fn scan(store: &SqliteStore, space: &SpaceId) {
    let begun = start();
    let mut txn = store.read(space).await.unwrap();
    let mut after = None;
    loop {
        let query = ScanQuery {
            collection: None,
            after,
            descending: false,
            tombstones: true,
            rows_max: 1000,
            bytes_max: 8 << 20,
        };
        let page = txn.scan(&query).await.unwrap();
        after = page.records.last().map(|r| r.key.clone());
        if !page.more {
            break;
        }
    }
    report("scan", begun);
}

async fn by_keys(store: &SqliteStore, space: &SpaceId, writes: &[CommitWrite]) {
    let begun = start();
    for write in writes {
        let keys: Vec<_> = write.records.iter().map(|r| r.key.clone()).collect();
        let mut txn = store.read(space).await.unwrap();
        let found = txn.records(&keys).await.unwrap();
        assert!(found.iter().all(Option::is_some));
        txn.commit().await.unwrap();
    }
    report("by keys", begun);
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let space = SpaceId::new("family").unwrap();
    let full: Vec<_> = (0..BATCHES).map(|n| batch(1 + n * ROWS, ROWS)).collect();
    let odd: Vec<_> = (0..BATCHES).map(|n| batch(1 + n * (ROWS - 1), ROWS - 1 - n % 7)).collect();
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        bare_write(&folder.path().join("bare.db"), &full);
        bare_read(&folder.path().join("bare.db"));
        bare_read_records(&folder.path().join("bare.db"));
        let store = SqliteStore::open_file(folder.path().join("odd.db")).await.unwrap();
        store.create_space(&space, Epoch::from_bytes([1; 16])).await.unwrap();
        let begun = start();
        write(&store, &space, &odd).await;
        report("write (odd sizes)", begun);
        store.close().await;
        let store = SqliteStore::open_file(folder.path().join("sync.db")).await.unwrap();
        store.create_space(&space, Epoch::from_bytes([1; 16])).await.unwrap();
        let begun = start();
        write(&store, &space, &full).await;
        report("write", begun);
        read(&store, &space, usize::MAX, "read").await;
        read(&store, &space, 200 << 10, "read (measured)").await;
        scan(&store, &space).await;
        by_keys(&store, &space, &full).await;
        store.close().await;
    }
    summary();
}

fn summary() {
    let figures = FIGURES.lock().unwrap().clone();
    let median = |what: &str, of: fn(&Figures) -> f64| {
        let mut rates: Vec<f64> = figures.iter().filter(|f| f.0 == what).map(of).collect();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    println!("{:22} {:>9} {:>5}   {:>13} {:>5}", "", "rows/s", "ratio", "rows/CPU-s", "ratio");
    for (what, reference) in [
        ("bare write", "bare write"),
        ("write", "bare write"),
        ("write (odd sizes)", "bare write"),
        ("bare read", "bare read"),
        ("read", "bare read"),
        ("bare read, records", "bare read, records"),
        ("read", "bare read, records"),
        ("read (measured)", "bare read, records"),
        ("scan", "bare read, records"),
        ("by keys", "bare read, records"),
    ] {
        let (wall, cpu) = (median(what, |f| f.1), median(what, |f| f.2));
        let ratios = (wall / median(reference, |f| f.1), cpu / median(reference, |f| f.2));
        println!("{what:22} {wall:9.0} {:5.2}   {cpu:13.0} {:5.2}", ratios.0, ratios.1);
    }
}
