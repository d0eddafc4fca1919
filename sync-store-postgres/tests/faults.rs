//! A database that is cut off, restarted and killed under load: what was acknowledged is there, once, and everything
//! goes on by itself.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use postgres_testing::{Cluster, Shutdown};
use sqlx::{Connection, PgConnection};
use sync_core::conformance::{Dice, actor, contents, space_id};
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest};
use sync_core::service::{Actor, Service};
use sync_core::store::Store;
use sync_core::{CursorToken, ErrorKind, Outcome, Role, Seq, SpaceId, TokioRuntime};
use sync_store_postgres::{PostgresOptions, PostgresStore};
use tokio::time::{sleep, timeout};

const N_SPACES: usize = 3;
/// Writers of each space, in turns through one process and another.
const N_WRITERS: usize = 2;
/// Within this everything is well again after the last fault, without help.
const HEALED: Duration = Duration::from_secs(30);

/// Two processes on one database.
struct Processes {
    stores: [PostgresStore; 2],
    services: [Service; 2],
    is_over: AtomicBool,
    /// Batches that failed at least once and were repeated.
    n_repeated: AtomicUsize,
}

impl Processes {
    async fn start(url: &str) -> Arc<Self> {
        let options =
            || PostgresOptions::from_url(url).unwrap().connections_max(6).wait_max(Duration::from_secs(2));
        let stores =
            [PostgresStore::open(options()).await.unwrap(), PostgresStore::open(options()).await.unwrap()];
        let service = |store: &PostgresStore| Service::new(Arc::new(store.clone()), Arc::new(TokioRuntime));
        let services = [service(&stores[0]), service(&stores[1])];
        for n in 0..N_SPACES {
            services[0].create_space(&space_of(n)).await.unwrap();
        }
        Arc::new(Self { stores, services, is_over: AtomicBool::new(false), n_repeated: AtomicUsize::new(0) })
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

fn space_of(n: usize) -> SpaceId {
    space_id(&format!("s{n}"))
}

/// What a writer was told: the version of each of its records.
type Acknowledged = BTreeMap<String, Seq>;

/// Writes batch after batch, each again and again until it is answered, as a replica does.
async fn write(processes: Arc<Processes>, n: usize) -> Acknowledged {
    let (anna, space) = (Actor::new(actor("anna"), Role::Owner), space_of(n / N_WRITERS));
    let mut acknowledged = Acknowledged::new();
    let mut first = 1;
    while !processes.is_over() {
        let ids = [format!("{n}-{first}-a"), format!("{n}-{first}-b")];
        let mutation = |id: &String| format!(r#"{{"op":"put","collection":"notes","id":"{id}","data":1}}"#);
        let mutations = ids.each_ref().map(mutation).join(",");
        let body = format!(r#"{{"client_id":"writer-{n:02}","first":{first},"mutations":[{mutations}]}}"#);
        let push = PushRequest::from_json(body.as_bytes()).unwrap();
        let mut n_tries = 0;
        let reply = loop {
            // A repeated batch may come to another process.
            match processes.services[(n + n_tries) % 2].push(&anna, &space, push.clone()).await {
                Ok(reply) => break reply,
                Err(error) => assert!(passes_by(error.kind()), "writer {n}: {error:?}"),
            }
            n_tries += 1;
            sleep(Duration::from_millis(5)).await;
        };
        processes.n_repeated.fetch_add(usize::from(n_tries > 0), Ordering::SeqCst);
        let PushReply::Done(done) = reply else { panic!("writer {n}, batch {first}: {reply:?}") };
        for (id, outcome) in ids.into_iter().zip(&done.outcomes) {
            let Outcome::Applied { version, .. } = outcome else { panic!("writer {n}: {outcome:?}") };
            acknowledged.insert(id, *version);
        }
        first += 2;
    }
    acknowledged
}

/// The kinds of which the documentation says to try again.
fn passes_by(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Contended | ErrorKind::Overloaded | ErrorKind::Unavailable)
}

/// Pages through the feed with the cursor of one page for the next, waiting for changes in between, until nothing is
/// left after the end. Yields what it saw.
async fn read(processes: Arc<Processes>, n: usize) -> Acknowledged {
    let anna = Actor::new(actor("anna"), Role::Owner);
    let (space, mut seen, mut after, mut last) =
        (space_of(n), Acknowledged::new(), None::<CursorToken>, Seq::ZERO);
    for turn in n.. {
        let was_over = processes.is_over();
        let wait = Some(Duration::from_millis(200));
        let request = PullRequest { after: after.clone(), limit: Some(7), wait, ..PullRequest::default() };
        let page = match processes.services[turn % 2].pull(&anna, &space, request).await {
            Ok(PullReply::Page(page)) => page,
            Ok(resync) => panic!("reader {n}: {resync:?}"),
            Err(error) => {
                assert!(passes_by(error.kind()), "reader {n}: {error:?}");
                sleep(Duration::from_millis(5)).await;
                continue;
            }
        };
        if was_over && page.changes.is_empty() && !page.has_more {
            break;
        }
        for record in page.changes {
            assert!(
                record.meta.version > last,
                "reader {n} went back from {last} to {}",
                record.meta.version
            );
            last = record.meta.version;
            let before = seen.insert(record.key.id.to_string(), last);
            assert_eq!(before, None, "reader {n} saw {} twice, though it was written once", record.key);
        }
        after = Some(page.cursor);
    }
    seen
}

/// Runs writers and readers while `faults` happen, and compares what they know with what is there.
async fn survives(cluster: &mut Cluster, faults: impl AsyncFnOnce(&mut Cluster)) {
    let processes = Processes::start(&cluster.url()).await;
    let writers: Vec<_> =
        (0..N_SPACES * N_WRITERS).map(|n| tokio::spawn(write(processes.clone(), n))).collect();
    let readers: Vec<_> = (0..N_SPACES).map(|n| tokio::spawn(read(processes.clone(), n))).collect();
    faults(cluster).await;
    processes.is_over.store(true, Ordering::SeqCst);

    let healed = async {
        let (mut told, mut seen) = (Vec::new(), Vec::new());
        for writer in writers {
            told.push(writer.await.unwrap());
        }
        for reader in readers {
            seen.push(reader.await.unwrap());
        }
        hints_pass(&processes).await;
        (told, seen)
    };
    let (told, seen) = timeout(HEALED, healed).await.expect("writers, readers and hints go on by themselves");
    assert!(processes.n_repeated.load(Ordering::SeqCst) > 0, "no fault met a writer, which shows nothing");
    for n in 0..N_SPACES {
        let of_space = told[n * N_WRITERS..][..N_WRITERS].iter().flat_map(|told| told.clone()).collect();
        check_space(&processes, n, &of_space, &seen[n]).await;
    }
    for store in &processes.stores {
        store.close().await;
    }
}

async fn check_space(processes: &Processes, n: usize, told: &Acknowledged, seen: &Acknowledged) {
    let found = contents(&processes.stores[0], &space_of(n)).await.unwrap();
    let there: Acknowledged =
        found.feed.iter().map(|record| (record.key.id.to_string(), record.meta.version)).collect();
    assert!(told.len() > 20, "{} records were written to a space, which shows nothing", told.len());
    // Everything that was acknowledged, with the version that was; and nothing else, as every batch was repeated until
    // it was answered.
    assert_eq!(&there, told, "what is there is not what was acknowledged");
    assert_eq!(seen, told, "the reader missed something, or saw what is not there");
    assert!(found.feed.iter().all(|record| record.meta.revision == 1));
    assert_eq!(found.log.len() * 2, told.len(), "one entry of the log for each batch");
    assert!(found.commits.is_sorted_by(|a, b| a.last < b.first), "commits overlap or go back");
}

/// A commit through one process wakes who follows in the other.
async fn hints_pass(processes: &Processes) {
    let space = space_id("later");
    processes.services[0].create_space(&space).await.unwrap();
    let mut hints = processes.stores[1].hints(&space);
    let body = br#"{"mutations":[{"op":"put","collection":"notes","id":"1","data":1}]}"#;
    let anna = Actor::new(actor("anna"), Role::Owner);
    processes.services[0].push(&anna, &space, PushRequest::from_json(body).unwrap()).await.unwrap();
    while hints.next().await.unwrap() == Seq::ZERO {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_ended_at_random_lose_and_repeat_nothing() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    survives(&mut cluster, async |cluster| {
        let mut killer = PgConnection::connect(&cluster.url()).await.unwrap();
        let dice = Dice::new(5);
        for _ in 0..60 {
            sleep(Duration::from_millis(50 + dice.below(50) as u64)).await;
            let one = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'sync' ORDER BY random() LIMIT 1";
            sqlx::raw_sql(one).execute(&mut killer).await.unwrap();
        }
        killer.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_every_kind_lose_and_repeat_nothing() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    survives(&mut cluster, async |cluster| {
        let dice = Dice::new(6);
        for n in 0..6 {
            sleep(Duration::from_millis(200 + dice.below(300) as u64)).await;
            // These block: the other worker goes on.
            tokio::task::block_in_place(|| match n % 3 {
                0 => cluster.restart(Shutdown::Fast),
                1 => cluster.restart(Shutdown::Immediate),
                _ => {
                    cluster.kill_all();
                    cluster.start_again();
                }
            });
        }
        sleep(Duration::from_millis(500)).await;
    })
    .await;
}
