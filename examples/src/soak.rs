//! `soak`: runs simulated worlds until it is told to stop, and says what it has seen.
//!
//! Each seed is a world of servers and replicas in which things go wrong; see `sync_core::simulator`. It ends with an
//! error at the first promise that is broken, and names the seed that shows it again.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it has seen")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use sync_core::simulator::{Disks, MemoryDisks, OpenedDisks, Report, Scenario, run};
use sync_store_sqlite::SqliteStore;

/// Runs simulated worlds of servers and replicas until the time is over or a promise is broken.
#[derive(Debug, Parser)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// What every server and every replica keeps its data in.
    #[arg(long, value_enum, default_value_t = StoreKind::Memory)]
    store: StoreKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StoreKind {
    /// Memory: a seed shows the same again, always.
    Memory,
    /// SQLite files in a temporary folder: slower, and with the timing of a real disk.
    Sqlite,
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    n_seeds: u64,
    virtual_time: Duration,
    counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    fn add(&mut self, report: &Report) {
        self.n_seeds += 1;
        self.virtual_time += report.virtual_time;
        for (what, n) in &report.counts {
            *self.counts.entry(what).or_default() += n;
        }
    }

    fn print(&self, took: Duration) {
        let Self { n_seeds, virtual_time, counts } = self;
        let n: u64 = counts.values().sum();
        println!(
            "{n_seeds} worlds, {:.1} hours of their time in {:.0} s, {n} things happened ({:.0} a second)",
            virtual_time.as_secs_f64() / 3600.0,
            took.as_secs_f64(),
            n as f64 / took.as_secs_f64(),
        );
        for (what, n) in counts {
            println!("  {n:>10} {what}");
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let _entered = runtime.enter();
    let (began, mut seen) = (start(), Seen::default());
    let mut seed = options.from;
    while began.elapsed().as_secs_f64() < options.minutes * 60.0 {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let disks: Box<dyn Disks> = match options.store {
            StoreKind::Memory => Box::new(MemoryDisks::default()),
            StoreKind::Sqlite => Box::new(sqlite(folder.path())),
        };
        match run(seed, &scenario(seed), &*disks) {
            Ok(report) => seen.add(&report),
            Err(violation) => {
                seen.print(began.elapsed());
                eprintln!("{violation}");
                let store = options.store.to_possible_value().expect("no store is hidden");
                eprintln!("shown again by: soak --from {seed} --store {}", store.get_name());
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
    }
    seen.print(began.elapsed());
    ExitCode::SUCCESS
}

/// Worlds of every kind, in turns.
fn scenario(seed: u64) -> Scenario {
    match seed % 4 {
        0 => Scenario::restored(),
        1 => Scenario { replicas_run: true, ..Scenario::small() },
        _ => Scenario::small(),
    }
}

fn sqlite(folder: &Path) -> impl Disks + use<> {
    let folder = folder.to_owned();
    OpenedDisks::new(move |name: String| {
        let file = folder.join(format!("{name}.db"));
        async move { Ok(Arc::new(SqliteStore::open_file(file).await?)) }
    })
}

#[expect(clippy::disallowed_methods, reason = "it tells how long it took, and decides nothing by it")]
fn start() -> Instant {
    Instant::now()
}
