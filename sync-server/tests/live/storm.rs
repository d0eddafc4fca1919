//! A server that ends with hundreds of replicas on it, and is started again: the program itself, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use sync_core::Timestamp;
use sync_core::replica::{Query, Replica, SyncState};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::replicas::{OnlyLive, running, way};
use crate::world::{User, World};

/// Replicas, each with a connection of its own, and the spaces that they follow.
const N_REPLICAS: usize = 300;
const N_SPACES: usize = 30;

/// Within this time everybody is back.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// The server as people run it. Dropping it kills it.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(listen: SocketAddr, store: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
        command.args(["--listen", &listen.to_string(), "--store", store, "--log-level", "error"]);
        let mut child = command.env_clear().stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit('/').next().unwrap().parse().unwrap();
        Self { child, address }
    }

    /// Ends it with a signal, and waits for it.
    fn end(&mut self, signal: &str) {
        let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status();
        assert!(kill.unwrap().success());
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes a record to each space.
async fn put(world: &World, user: &User, spaces: &[String], n: usize) {
    for space in spaces {
        world.put(user, space, &n.to_string(), json!(n)).await;
    }
}

async fn begin(world: &World, user: &User, spaces: &[String]) -> Vec<(Replica, OnlyLive)> {
    let mut begun = JoinSet::new();
    for n in 0..N_REPLICAS {
        let (way, user, space) = (way(world, user), user.clone(), spaces[n % spaces.len()].clone());
        begun.spawn(async move { (running(&way, &user, &space).await, way) });
    }
    begun.join_all().await
}

/// Waits until each has so many records.
async fn all_have(replicas: &[(Replica, OnlyLive)], n_records: usize) {
    for (replica, _) in replicas {
        let has_all = async {
            while replica.list("notes", &Query::all()).await.unwrap().len() < n_records {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(BACK_WITHIN, has_all).await.unwrap_or_else(|_| panic!("{:?}", replica.status()));
    }
}

/// When each means to come back, as it says right after it was lost.
fn returns(replicas: &[(Replica, OnlyLive)]) -> Arc<Mutex<Vec<Timestamp>>> {
    let returns: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
    for (replica, _) in replicas {
        let (mut states, returns) = (replica.states(), Arc::clone(&returns));
        tokio::spawn(async move {
            while let Some(state) = states.next().await {
                if let SyncState::Offline { retry_at: Some(at), .. } = state {
                    return returns.lock().unwrap().push(at);
                }
            }
        });
    }
    returns
}

/// The most of them within any half second.
fn most_at_once(returns: &Mutex<Vec<Timestamp>>) -> usize {
    let mut at: Vec<Timestamp> = returns.lock().unwrap().clone();
    at.sort_unstable();
    assert!(at.len() > N_REPLICAS * 9 / 10, "{} of {N_REPLICAS} have noticed", at.len());
    let until = |first: &Timestamp| first.saturating_add(Duration::from_millis(500));
    at.iter().enumerate().map(|(n, first)| at.partition_point(|at| *at < until(first)) - n).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_server_is_started_again_all_its_replicas_come_back_spread_out_and_miss_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", home.path().join("sync.db").display());
    let mut server = Program::start(SocketAddr::from(([127, 0, 0, 1], 0)), &store);
    let world = World::around(server.address, home);
    let ada = world.user("ada").await;
    let spaces: Vec<String> = (0..N_SPACES).map(|n| format!("club-{n}")).collect();
    for space in &spaces {
        let (status, answer) =
            world.ask("POST /v1/spaces", &ada.token, json!({"space": space, "name": space})).await;
        assert_eq!(status, 201, "{answer}");
    }
    let replicas = begin(&world, &ada, &spaces).await;
    put(&world, &ada, &spaces, 0).await;
    all_have(&replicas, 1).await;
    // Told to come back within 5 s, or cut off: then within 2 s. Spread evenly, a tenth and a quarter come in half a second.
    for (n, signal, most) in [(1, "TERM", N_REPLICAS / 5), (3, "KILL", N_REPLICAS * 2 / 5)] {
        let returns = returns(&replicas);
        put(&world, &ada, &spaces, n).await;
        server.end(signal);
        server = Program::start(world.address, &store);
        put(&world, &ada, &spaces, n + 1).await;
        all_have(&replicas, n + 2).await;
        let at_once = most_at_once(&returns);
        assert!(at_once <= most, "{at_once} of {N_REPLICAS} come in the same half second after {signal}");
    }
    let n_refused: usize = replicas.iter().map(|(_, way)| way.n_refused.load(Ordering::SeqCst)).sum();
    assert_eq!(n_refused, 0, "a server that is only busy refuses nobody");
}
