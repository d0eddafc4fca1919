//! What a cluster promises, asked with `psql`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use postgres_testing::{Cluster, Shutdown};

use support::{ask, assert_nothing_left, processes_in, try_ask, wait_until};

const MAKE: &str = "CREATE TABLE kept (id INT); INSERT INTO kept VALUES (1), (2)";
const COUNT: &str = "SELECT count(*) FROM kept";
/// Made by the test that kills it, and printed for it.
const HOLDER: &str = "holds_a_cluster_for_a_test_that_kills_it";

#[test]
fn a_cluster_is_set_up_for_tests_and_takes_settings() {
    let Some(cluster) =
        Cluster::start(&[("max_connections", "20"), ("fsync", "on"), ("cluster_name", "it's")])
    else {
        return;
    };
    let setting = |name: &str| ask(&cluster.url(), &format!("SHOW {name}"));
    assert_eq!(setting("max_connections"), "20");
    assert_eq!(setting("fsync"), "on");
    assert_eq!(setting("cluster_name"), "it's");
    assert_eq!(setting("full_page_writes"), "off");
    assert_eq!(setting("synchronous_commit"), "on");
    assert_eq!(setting("listen_addresses"), "");
    assert_eq!(setting("server_encoding"), "UTF8");
    ask(&cluster.url(), "CREATE DATABASE other");
    assert_eq!(ask(&cluster.url_of("other"), "SELECT current_database(), current_user"), "other|postgres");
}

#[test]
fn data_survives_both_ways_to_restart() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    ask(&cluster.url(), MAKE);
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        cluster.restart(how);
        assert_eq!(ask(&cluster.url(), COUNT), "2", "{how:?}");
    }
    let recoveries = cluster.log().matches("automatic recovery in progress").count();
    assert_eq!(recoveries, 1, "only the immediate one recovers: {}", cluster.log());
}

#[test]
fn a_stopped_cluster_refuses_until_it_is_started_again() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    cluster.stop(Shutdown::Fast);
    cluster.stop(Shutdown::Fast);
    assert!(try_ask(&cluster.url(), "SELECT 1").is_err());
    cluster.configure(&[("work_mem", "7MB")]);
    cluster.start_again();
    assert_eq!(ask(&cluster.url(), "SHOW work_mem"), "7MB");
}

#[test]
fn data_survives_the_death_of_every_process() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    ask(&cluster.url(), MAKE);
    for _ in 0..3 {
        let url = cluster.url();
        let busy = std::thread::spawn(move || try_ask(&url, "SELECT pg_sleep(600)"));
        let backend = sleeping_backend(&cluster);
        // It cannot see that the server is gone.
        send("STOP", &backend);
        cluster.kill_all();
        assert!(!is_alive(&backend), "a process of the cluster is alive");
        assert!(busy.join().unwrap().is_err(), "its connection is cut");
        assert!(try_ask(&cluster.url(), "SELECT 1").is_err());
        cluster.start_again();
        assert_eq!(ask(&cluster.url(), COUNT), "2");
    }
    assert!(cluster.log().contains("was not properly shut down"), "{}", cluster.log());
}

#[test]
fn a_killed_backend_takes_all_connections_with_it_and_the_server_recovers() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    ask(&cluster.url(), MAKE);
    let url = cluster.url();
    let busy = std::thread::spawn(move || try_ask(&url, "SELECT pg_sleep(600)"));
    cluster.kill_backend(sleeping_backend(&cluster).parse().unwrap());
    assert!(busy.join().unwrap().is_err());
    wait_until(|| try_ask(&cluster.url(), COUNT).is_ok());
    assert_eq!(ask(&cluster.url(), COUNT), "2");
}

/// The process that serves `SELECT pg_sleep`, as soon as it does.
fn sleeping_backend(cluster: &Cluster) -> String {
    let sleeping = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
    wait_until(|| !ask(&cluster.url(), sleeping).is_empty());
    ask(&cluster.url(), sleeping)
}

fn send(signal: &str, process: &str) {
    let kill = Command::new("sh").args(["-c", &format!("kill -s {signal} {process}")]).status();
    assert!(kill.unwrap().success());
}

fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

#[test]
#[should_panic(expected = "is no process of this cluster")]
fn no_process_of_others_is_killed() {
    let Some(cluster) = Cluster::start(&[]) else { panic!("is no process of this cluster") };
    cluster.kill_backend(std::process::id().try_into().unwrap());
}

#[test]
fn nothing_is_left_of_a_dropped_cluster() {
    let ways: [fn(&mut Cluster); 3] = [|_| (), |cluster| cluster.stop(Shutdown::Fast), Cluster::kill_all];
    for how_it_was in ways {
        let Some(mut cluster) = Cluster::start(&[]) else { return };
        let folder = cluster.socket_dir().to_owned();
        let memory = shared_memory(&cluster);
        assert!(memory_ids().contains(&memory), "Postgres has a piece of shared memory");
        how_it_was(&mut cluster);
        drop(cluster);
        assert_nothing_left(&folder);
        assert!(!memory_ids().contains(&memory), "shared memory is left");
    }
}

/// Line 7 of the lock file is the key and the id of the memory.
fn shared_memory(cluster: &Cluster) -> String {
    let lock = std::fs::read_to_string(cluster.socket_dir().join("data/postmaster.pid")).unwrap();
    lock.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

fn memory_ids() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    table.lines().filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect()
}

#[test]
fn nothing_is_left_when_the_test_is_killed() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", HOLDER, "--ignored", "--nocapture"]).stdout(Stdio::piped());
    let mut holder = command.spawn().unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let held = lines.filter_map(|line| line.strip_prefix("folder ").map(str::to_owned)).next();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let Some(folder) = held else { return };
    let folder = std::path::Path::new(&folder);
    wait_until(|| !folder.exists());
    wait_until(|| processes_in(folder).is_empty());
}

#[test]
#[ignore = "started, and killed, by another test"]
fn holds_a_cluster_for_a_test_that_kills_it() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    println!("\nfolder {}", cluster.socket_dir().display());
    std::thread::park();
}
