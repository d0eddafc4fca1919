//! What the database is asked: how many times, and by which index it answers.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;

use postgres_testing::Cluster;
use sea_query::Value;
use sync_core::conformance::{
    Change as Written, client_id, client_state, commit, credential_id, device, epoch,
    everything_about_people, held_by, key, log_entry, put, seq, set_op, set_role, space_id, stamp, synced,
    user,
};
use sync_core::sql::{Dialect, Recorder, SqlTxn, Statement, spaces};
use sync_core::store::{
    ClientQuery, CommitWrite, FeedQuery, HintHub, KEYS_MAX, Mode, ScanQuery, Store, StoreExt, StoreTxn,
    StoreTxnExt,
};
use sync_core::{Accounts, Change, Collection, RecordKey, Role, SpaceId};
use world::{Session, World, soon};

fn recorder() -> Recorder {
    Recorder::new(Dialect::Postgres)
}

async fn txn(recorder: &Recorder, mode: Mode) -> SqlTxn<Recorder> {
    SqlTxn::begin(recorder.clone(), &space_id(SPACE), mode, Arc::new(HintHub::default())).await.unwrap()
}

/// The space that is asked about: one of many in the database.
const SPACE: &str = "s3";

fn note(n: usize) -> Written {
    put("notes", &n.to_string(), "1")
}

fn op(n: usize) -> Written {
    set_op("outline", &format!("{}@a1", n + 1), "v", "n", Some("1"))
}

fn keys(n: usize) -> Vec<RecordKey> {
    (0..n).map(|n| note(n).key).collect()
}

/// Everything a push may do, with so many records or ops.
async fn push(txn: &mut dyn StoreTxn, n: usize, change: fn(usize) -> Written) -> CommitWrite {
    let changes: Vec<Written> = (0..n).map(change).collect();
    let keys = changes.iter().map(|change| change.key.clone()).collect();
    txn.client(&client_id("replica-1")).await.unwrap();
    let mut write = stamp(txn, changes).await.unwrap();
    write.clients = vec![client_state("replica-1", 1)];
    write.log = vec![log_entry(txn.head().log_head + 1, txn.head().head)];
    write.purges = keys;
    txn.apply(&write).await.unwrap();
    write
}

/// Each text is prepared once and its plan kept, so they must not grow with what is pushed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_texts_of_a_push_do_not_depend_on_its_size() {
    for change in [note, op] {
        the_texts_do_not_depend_on_the_size(change).await;
    }
}

async fn the_texts_do_not_depend_on_the_size(change: fn(usize) -> Written) {
    let texts = async |n| {
        let recorder = recorder();
        push(&mut txn(&recorder, Mode::Write).await, n, change).await;
        recorder.take().into_iter().map(|statement| (statement.sql, statement.reusable)).collect::<Vec<_>>()
    };
    let two = texts(2).await;
    assert!(two.iter().all(|(_, reusable)| *reusable));
    for n in [17, 499, 500] {
        assert_eq!(texts(n).await, two, "a push of {n}");
    }
    assert!(texts(KEYS_MAX).await.len() <= two.len() + 1, "keys are read in two statements");
}

/// Counted where it costs: by the server that is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_round_trips_of_a_push_do_not_depend_on_its_size() {
    let Some(cluster) = Cluster::start(&[("log_statement", "all")]) else { return };
    let world = World::at(&cluster.url(), |options| options.listens(false)).await;
    world.store.create_space(&space_id(SPACE), epoch(1)).await.unwrap();
    let n_asked = || {
        let log = cluster.log();
        log.lines().filter(|line| line.contains("statement: ") || line.contains("execute ")).count()
    };
    let mut counts = Vec::new();
    for (n, change) in [1, 2, 50, 500].into_iter().flat_map(|n| [(n, note as fn(usize) -> Written), (n, op)])
    {
        // Moves are told and connections given back by tasks of their own.
        world.is_quiet().await;
        let mut txn = world.store.write(&space_id(SPACE)).await.unwrap();
        let before = n_asked();
        push(&mut *txn, n, change).await;
        counts.push(n_asked() - before);
    }
    world.is_quiet().await;
    assert_eq!(counts, [5; 8], "the replica, the records, new records, purges, and the rest");
}

/// What a list costs beside its own changes: to begin with the lock, the notices, the commit. Reading costs one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_round_trips_of_accounts_are_few() {
    let Some(cluster) = Cluster::start(&[("log_statement", "all")]) else { return };
    let world = World::at(&cluster.url(), |options| options.listens(false)).await;
    let n_asked = || {
        let log = cluster.log();
        // Not what the test itself asks, and not what readers end with when they have their answer.
        let is_counted = |line: &&str| {
            (line.contains("statement: ") || line.contains("execute "))
                && !line.contains("pg_stat_activity")
                && !line.ends_with("statement: ROLLBACK")
        };
        log.lines().filter(is_counted).count()
    };
    let phone = device("phone", "ada");
    let notes =
        |n| (0..n).map(|n| Change::NoteSynced(synced("phone", &format!("s{n}"), 1))).collect::<Vec<_>>();
    for (list, wanted, what) in [
        (
            vec![
                Change::CreateUser(user("ada", "Ada")),
                set_role("home", "ada", Role::Owner),
                Change::AddCredential(phone.clone()),
            ],
            6,
            "registering",
        ),
        (vec![Change::ReplaceCredential(phone.changed(|_| {}))], 4, "a refresh"),
        (notes(1), 3, "one note"),
        (notes(100), 3, "a hundred notes"),
    ] {
        world.is_quiet().await;
        let before = n_asked();
        assert!(world.store.change(&list).await.unwrap().is_done());
        world.is_quiet().await;
        assert_eq!(n_asked() - before, wanted, "{what}");
    }
    let before = n_asked();
    world.store.credential(&credential_id("phone")).await.unwrap();
    world.store.credentials(&held_by("ada"), None, 9).await.unwrap();
    world.store.user_by_address("ada@example.org").await.unwrap();
    world.store.notices(Some(1)).await.unwrap();
    world.is_quiet().await;
    assert_eq!(n_asked() - before, 4, "readers");
}

/// Everything a store asks, on a database with rows of many spaces, with and without knowing the parameters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_or_sorts_a_whole_space() {
    let Some(world) = World::new().await else { return };
    fill(&world).await;
    let statements = everything_that_is_asked().await;
    let mut session = world.connect().await;
    for mode in ["force_custom_plan", "force_generic_plan"] {
        session.run(&format!("SET plan_cache_mode TO {mode}")).await;
        for statement in &statements {
            check_plan(&mut session, statement, mode).await;
        }
    }
}

/// The first plans are made while the tables are empty, and they are kept. Counted by the rows that were looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_pulls_read_what_they_touch_also_before_postgres_knows_the_tables() {
    const N_PUSHES: usize = 20;
    let Some(world) = World::with(|options| options.connections_max(1)).await else { return };
    for table in ["records", "tree_ops"] {
        world.sql(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    let space = space_id(SPACE);
    world.store.create_space(&space, epoch(1)).await.unwrap();
    let n_rows = N_PUSHES * KEYS_OF_REQUEST;
    for first in (0..n_rows).step_by(KEYS_OF_REQUEST) {
        for change in [note, op] {
            let changes = (first..first + KEYS_OF_REQUEST).map(change);
            commit(&world.store, &space, changes).await.unwrap();
        }
        let mut txn = world.store.read(&space).await.unwrap();
        let (up_to, bytes_max, rows_max) = (txn.head().head, usize::MAX, 10);
        for collections in [None, Some(vec![note(0).key.collection]), Some(vec![op(0).key.collection])] {
            let query = FeedQuery { after: seq(1), up_to, collections, rows_max, bytes_max };
            assert_eq!(txn.feed(&query).await.unwrap().records.len(), rows_max);
        }
        for (after, descending) in [(None, true), (Some(op(5).key), false)] {
            let query =
                ScanQuery { collection: None, after, descending, tombstones: true, rows_max, bytes_max };
            assert_eq!(txn.scan(&query).await.unwrap().records.len(), rows_max);
        }
    }
    world.is_quiet().await;
    for table in ["records", "tree_ops"] {
        let of_it =
            format!("FROM pg_stat_user_tables WHERE relname = '{table}' AND schemaname = current_schema()");
        // Connections report now and then.
        soon("all rows to be counted", async || {
            world.sql(&format!("SELECT n_tup_ins::text {of_it}")).await.unwrap() == n_rows.to_string()
        })
        .await;
        let n_read =
            world.sql(&format!("SELECT (seq_tup_read + idx_tup_fetch)::text {of_it}")).await.unwrap();
        // What pushes read to write, and a page of each kind now and then.
        let n_allowed = n_rows + N_PUSHES * 5 * 20;
        assert!(
            n_read.parse::<usize>().unwrap() <= n_allowed,
            "{n_read} rows of {table} were read to write {n_rows}"
        );
    }
}

async fn everything_that_is_asked() -> Vec<Statement> {
    let recorder = recorder();
    let mut txn = txn(&recorder, Mode::Write).await;
    read_pages(&mut txn).await;
    for n in [1, 2, KEYS_OF_REQUEST] {
        txn.records(&keys(n)).await.unwrap();
        txn.records(&(0..n).map(|n| op(n).key).collect::<Vec<_>>()).await.unwrap();
    }
    let names = [client_id("replica-1"), client_id("replica-2")];
    for query in
        [ClientQuery::Named(&names), ClientQuery::After(None, 9), ClientQuery::After(Some(&names[0]), 9)]
    {
        txn.clients(query).await.unwrap();
    }
    txn.commits(seq(300), 1).await.unwrap();
    txn.collect(seq(5), 10).await.unwrap();
    txn.log(Some(4), 10).await.unwrap();
    for n in [1, 3, KEYS_OF_REQUEST] {
        push(&mut txn, n, note).await;
        push(&mut txn, n, op).await;
    }
    everything_about_people(&recorder, SPACE, "u7").await.unwrap();
    // Of a twentieth of all rows and more, Postgres reads the whole table, and rightly so.
    let followed: Vec<SpaceId> = (0..100).map(|n| space_id(&format!("s{n}"))).collect();
    for n in [1, 100] {
        spaces::heads(&mut recorder.clone(), &followed[..n]).await.unwrap();
    }
    for after in [None, Some(&followed[0])] {
        spaces::list(&mut recorder.clone(), after, 9).await.unwrap();
    }
    spaces::create(&mut recorder.clone(), &followed[0], epoch(1)).await.unwrap();
    recorder.take()
}

async fn read_pages(txn: &mut dyn StoreTxn) {
    let (notes, tree) = (Collection::new("notes").unwrap(), op(0).key.collection);
    let both = vec![notes.clone(), tree.clone()];
    for collections in [None, Some(vec![notes.clone()]), Some(vec![tree.clone()]), Some(both)] {
        for bytes_max in [1, usize::MAX] {
            let (collections, rows_max) = (collections.clone(), 10);
            let query = FeedQuery { after: seq(1), up_to: seq(900), collections, rows_max, bytes_max };
            txn.feed(&query).await.unwrap();
        }
    }
    let places =
        [None, Some(note(1).key), Some(op(1).key), Some(key("$tree:outline", "5")), Some(key("$a", "1"))];
    for collection in [None, Some(notes), Some(tree)] {
        for (after, bytes_max) in places.iter().flat_map(|after| [(after, 1), (after, usize::MAX)]) {
            for (tombstones, descending) in [(true, false), (false, false), (true, true), (false, true)] {
                let (collection, after) = (collection.clone(), after.clone());
                let rows_max = 10;
                let query = ScanQuery { collection, after, descending, tombstones, rows_max, bytes_max };
                txn.scan(&query).await.unwrap();
            }
        }
    }
}

/// Keys of the largest request here: they may be sorted.
const KEYS_OF_REQUEST: usize = 500;
/// Records of each space: they may not.
const ROWS_OF_SPACE: usize = 1_000;

/// 20 spaces with records, of which the one that is asked about was written as stores do.
async fn fill(world: &World) {
    let space = space_id(SPACE);
    world.store.create_space(&space, epoch(1)).await.unwrap();
    commit(&world.store, &space, (0..ROWS_OF_SPACE).map(note)).await.unwrap();
    commit(&world.store, &space, (0..ROWS_OF_SPACE).map(op)).await.unwrap();
    let copy = "
        INSERT INTO records SELECT 'o' || n, collection, id, version, meta, CASE WHEN version % 10 > 0 THEN data END
            FROM records, generate_series(1, 19) n;
        INSERT INTO tree_ops SELECT 'o' || n, tree_id, clock, peer_id, target_id, parent_id, key, value, seq, meta
            FROM tree_ops, generate_series(1, 19) n;
        INSERT INTO commits SELECT space, version, version, meta FROM records ON CONFLICT DO NOTHING;
        INSERT INTO log SELECT space, version, version, meta FROM records;
        INSERT INTO clients SELECT space, 'replica-' || n, 'anna', 1, '', 1, 1, '{}'
            FROM (SELECT DISTINCT space FROM records) s, generate_series(1, 100) n;
        INSERT INTO spaces SELECT 's' || (n + 100), epoch, head, floor, tag, log_head, largest
            FROM spaces, generate_series(1, 20000) n;
        INSERT INTO users SELECT 'u' || n, n, n, n, n, 'a' || n, n FROM generate_series(1, 3000) n;
        INSERT INTO members SELECT space, actor, 'editor' FROM (SELECT DISTINCT space FROM records) s,
            (SELECT 'u' || n AS actor FROM generate_series(1, 200) n) a;
        INSERT INTO space_infos SELECT space, space, 1, 1 FROM spaces;
        INSERT INTO credentials SELECT 'phone-' || n, 'user:u' || (n % 1000), 'device', 1, nullif(n % 5, 0) * n, '{}'
            FROM generate_series(0, 5000) n;
        INSERT INTO synced SELECT id, space, 1, 1 FROM credentials, (SELECT DISTINCT space FROM records) s;
        INSERT INTO notices SELECT n, '{}' FROM generate_series(1, 1000) n;
        ANALYZE spaces, records, tree_ops, commits, clients, log, users, members, space_infos, credentials, synced, notices, noticed";
    world.sql(copy).await;
}

/// Sorting what is bounded already, such as the keys of a request, is fine; so is reading them.
async fn check_plan(session: &mut Session, statement: &Statement, mode: &str) {
    let (types, values): (Vec<_>, Vec<_>) = statement.values.0.iter().map(parameter).unzip();
    let (types, values) = (in_brackets(&types.join(", ")), in_brackets(&values.join(", ")));
    session.run(&format!("PREPARE q {types} AS {}", statement.sql)).await;
    let plan = session.lines(&format!("EXPLAIN EXECUTE q {values}")).await;
    session.run("DEALLOCATE q").await;
    let told = format!("{mode}\n{}\n{}", statement.sql.replace('\u{1e}', "^"), plan.join("\n"));
    for step in plan.iter().filter(|step| step.contains("Sort  (")) {
        let n_rows = step.split("rows=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(n_rows.parse::<usize>().unwrap() <= KEYS_OF_REQUEST, "{told}");
    }
    // A thousand notices are kept, and the position of the newest is the one row of its table.
    let is_whole_table = |step: &String| step.contains("Seq Scan") && !step.contains("Seq Scan on notice");
    assert!(!plan.iter().any(is_whole_table), "{told}");
}

fn in_brackets(list: &str) -> String {
    if list.is_empty() { String::new() } else { format!("({list})") }
}

fn parameter(value: &Value) -> (&'static str, String) {
    match value {
        Value::String(Some(text)) => ("text", format!("'{}'", text.replace('\'', "''"))),
        Value::BigInt(Some(number)) => ("bigint", number.to_string()),
        Value::BigUnsigned(Some(number)) => ("bigint", number.to_string()),
        Value::String(None) => ("text", "NULL".to_owned()),
        Value::BigInt(None) => ("bigint", "NULL".to_owned()),
        Value::Int(Some(number)) => ("int", number.to_string()),
        other => panic!("no such parameter is expected: {other:?}"),
    }
}
