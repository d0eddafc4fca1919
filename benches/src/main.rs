//! Benchmarks, each beside a reference from the same run.
//!
//! `cargo run --release -p sync-benches` runs all of them and prints a table. Machines are noisy, so subject and
//! reference take turns for a number of rounds, and what is quoted are medians and the ratio between them.
//!
//! - [`bulk_push`]: batches of a thousand records over HTTP, against a bare prepared-statement loop
//! - [`single_push`]: many writers of one durable record each, against a bare group commit and one commit each
//! - [`pull`]: the whole feed by pages over HTTP, against a bare SELECT that writes JSON
//! - [`snapshot`]: the first load over HTTP, against the bare SELECT
//! - [`replica`]: local reads and writes, sync, first load, and a sync with nothing to do
//! - [`accounts`]: what it costs to know who asks, and to ask again in the commit
//! - [`live`]: telling a thousand at once, beside a bare broadcast; ten thousand idle connections; those who do not read
//! - [`tree`]: replicated trees beside Loro's: ops in order, in none, late ones, two branches, a checkpoint, memory;
//!   on SQLite beside records, and after a start
//! - [`postgres`]: the first three and the accounts on Postgres, and over several server processes

mod accounts;
mod bare;
mod bulk_push;
mod client;
mod data;
mod live;
mod measure;
mod postgres;
mod program;
mod pull;
mod replica;
mod report;
mod single_push;
mod snapshot;
mod subject;
mod tree;

use clap::Parser;

use crate::report::Report;

/// How much to do, and which benches.
#[derive(Debug, Parser)]
#[command(about = "Benchmarks of the sync library, each beside a reference from the same run")]
struct Options {
    /// Records in bulk benches
    #[arg(long, default_value_t = 100_000)]
    records: usize,
    /// Durable single mutations of each writer
    #[arg(long, default_value_t = 200)]
    singles: usize,
    /// Concurrent writers
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Durable edits of a replica, one after the other; a tenth as many syncs with nothing to do
    #[arg(long, default_value_t = 5_000)]
    edits: usize,
    /// Edited records in a sync
    #[arg(long, default_value_t = 10_000)]
    dirty: usize,
    /// Small records in a first load
    #[arg(long, default_value_t = 1_000_000)]
    loaded: usize,
    /// Followers of one space
    #[arg(long, default_value_t = 1_000)]
    followers: usize,
    /// Connections that do nothing, and those of a storm
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Ops of a replicated tree; ten times as many for its checkpoint
    #[arg(long, default_value_t = 100_000)]
    tree_ops: usize,
    /// Rounds in which subject and reference take turns; the median is quoted
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these benches: bulk-push, single-push, pull, snapshot, accounts, processes, replica-write, replica-read, replica-sync,
    /// replica-load, replica-idle, live, live-memory, live-stalled, live-storm, tree, tree-stored
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only on these stores: sqlite, postgres
    #[arg(long, value_delimiter = ',')]
    on: Vec<String>,
    /// A tenth of the work in two rounds, to see that everything runs
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve the store at this URL until standard input ends; the bench of several processes starts itself so
    #[command(hide = true)]
    Serve { store: String },
    /// Broadcast over WebSockets until standard input ends: the reference of live connections
    #[command(hide = true)]
    ServeBare,
    /// Follow as standard input says: the clients of live connections
    #[command(hide = true)]
    Follow,
    /// Run replicas as standard input says: the clients of a server that ends and begins again
    #[command(hide = true)]
    Return,
    /// Print the ops of a tree as lines of JSON: random or doc; in-order, shuffled or branches; how many
    #[command(hide = true)]
    TreeOps { shape: String, order: String, n_ops: usize },
    /// Print what a tree holds, for the bench of trees, which starts itself so
    #[command(hide = true)]
    TreeMemory { subject: String, shape: String, order: String, n_ops: usize },
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn is_on(&self, store: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|on| on == store)
    }
}

#[tokio::main]
async fn main() {
    let mut options = Options::parse();
    match &options.command {
        Some(Command::Serve { store }) => return postgres::serve(store).await,
        Some(Command::ServeBare) => return live::serve_bare().await,
        Some(Command::Follow) => return live::follow().await,
        Some(Command::Return) => return live::come_back().await,
        Some(Command::TreeOps { shape, order, n_ops }) => return tree::print_ops(shape, order, *n_ops),
        Some(Command::TreeMemory { subject, shape, order, n_ops }) => {
            return tree::measure_alone(subject, shape, order, *n_ops);
        }
        None => {}
    }
    if options.quick {
        let amounts = [
            &mut options.records,
            &mut options.singles,
            &mut options.edits,
            &mut options.dirty,
            &mut options.loaded,
            &mut options.followers,
            &mut options.idle,
            &mut options.tree_ops,
        ];
        amounts.into_iter().for_each(|amount| *amount = amount.div_ceil(10));
        options.rounds = 2;
    }
    let mut report = Report::new(options.rounds);
    if options.wants("tree") {
        tree::run(&mut report, options.tree_ops);
    }
    if options.wants("tree-stored") && options.is_on("sqlite") {
        tree::run_stored(&mut report, options.tree_ops).await;
    }
    if options.is_on("sqlite") {
        on_sqlite(&mut report, &options).await;
    }
    if options.is_on("postgres") {
        postgres::run(&mut report, &options).await;
    }
    report.print();
}

async fn on_sqlite(report: &mut Report, options: &Options) {
    if options.wants("bulk-push") {
        bulk_push::run(report, options.records).await;
    }
    if options.wants("single-push") {
        single_push::run(report, options.writers, options.singles).await;
    }
    if options.wants("pull") {
        pull::run(report, options.records).await;
    }
    if options.wants("snapshot") {
        snapshot::run(report, options.records).await;
    }
    if options.wants("accounts") {
        accounts::run(report, subject::Place::Sqlite, options.writers, options.singles).await;
    }
    replica::run(report, options).await;
    live::run(report, options).await;
}
