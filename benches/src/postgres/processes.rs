//! One, two and three server processes on one database: this program, started again as a server.

use std::net::SocketAddr;

use hyper::Method;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::data::{push_body, samples};
use crate::program::Program;
use crate::report::{Report, rate, start};
use crate::subject::{Place, register, server};

/// Spaces that are written to: some for each process.
const N_SPACES: usize = 12;

pub(super) async fn run(report: &mut Report, url: &str, n_writers: usize, n_each: usize) {
    let (mut two, mut three) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let alone = push(url, 1, n_writers, n_each).await;
        two.push((push(url, 2, n_writers, n_each).await, alone));
        three.push((push(url, 3, n_writers, n_each).await, alone));
    }
    let what =
        |n| format!("Postgres: single mutations in {N_SPACES} spaces, {n_writers} writers, {n} processes");
    report.add(&what("2"), "one process", &two, None);
    report.add(&what("3"), "one process", &three, None);
}

/// Writers spread over spaces, each space served by one of the processes.
async fn push(url: &str, n_processes: usize, n_writers: usize, n_each: usize) -> f64 {
    let store = Place::Postgres(url).store(std::path::Path::new(""));
    let processes: Vec<_> = (0..n_processes).map(|_| process(&store)).collect();
    let mut accounts = Vec::new();
    for n in 0..N_SPACES {
        let address = processes[n % n_processes].1;
        accounts.push((address, register(address, &format!("bench-{n}")).await));
    }
    let samples = samples(n_writers * n_each);
    let mut writers = Vec::new();
    for (n, mine) in samples.chunks(n_each).enumerate() {
        let (address, (token, space)) = &accounts[n % N_SPACES];
        let bodies: Vec<String> = mine.chunks(1).map(push_body).collect();
        writers.push((Client::connect(*address, token).await, format!("{space}/changes"), bodies));
    }
    let mut tasks = JoinSet::new();
    let clock = start();
    for (mut client, path, bodies) in writers {
        tasks.spawn(async move {
            for body in bodies {
                client.ok(Method::POST, &path, body).await;
            }
        });
    }
    tasks.join_all().await;
    rate(n_writers * n_each, clock.elapsed())
}

/// A server in a process of its own, and where it listens.
fn process(store: &str) -> (Program, SocketAddr) {
    let mut program = Program::myself(&["serve", store]);
    let address = program.line().parse().expect("the line is an address");
    (program, address)
}

/// Serves until standard input ends.
#[expect(clippy::print_stdout, reason = "whoever started this reads the address")]
pub(crate) async fn serve(store: &str) {
    let server = server(store).await;
    println!("{}", server.address());
    let mut stdin = tokio::io::stdin();
    let mut nothing = [0; 1];
    server
        .run(async {
            let _ = stdin.read(&mut nothing).await;
        })
        .await;
    // The thread that reads standard input is not waited for.
    std::process::exit(0);
}
