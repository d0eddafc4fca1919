//! Rounds, medians and the table.

use std::time::{Duration, Instant};

use crate::measure::Delivered;

/// What was measured, as it will be printed.
pub(crate) struct Report {
    rounds: usize,
    rows: Vec<Row>,
    timed: Vec<Timed>,
    notes: Vec<String>,
}

struct Row {
    what: String,
    subject: f64,
    reference_name: String,
    reference: f64,
    /// Median of the ratios of each round; above 1 the subject is faster.
    ratio: f64,
    goal: Option<f64>,
}

impl Report {
    /// A report over medians of `rounds` rounds.
    pub(crate) fn new(rounds: usize) -> Self {
        Self { rounds: rounds.max(1), rows: Vec::new(), timed: Vec::new(), notes: Vec::new() }
    }

    /// How many rounds to run.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    /// Adds a line: rates per second of subject and reference, one pair per round.
    pub(crate) fn add(&mut self, what: &str, reference_name: &str, pairs: &[(f64, f64)], goal: Option<f64>) {
        let row = Row {
            what: what.to_owned(),
            subject: median(pairs.iter().map(|pair| pair.0)),
            reference_name: reference_name.to_owned(),
            reference: median(pairs.iter().map(|pair| pair.1)),
            ratio: median(pairs.iter().map(|pair| pair.0 / pair.1)),
            goal,
        };
        row.print();
        self.rows.push(row);
    }

    /// Adds a line of latencies: milliseconds and rates of subject and reference, one pair per round.
    pub(crate) fn add_timed(&mut self, what: &str, reference_name: &str, pairs: &[(Delivered, Delivered)]) {
        let of = |value: fn(&(Delivered, Delivered)) -> f64| median(pairs.iter().map(value));
        let side = |subject: bool| {
            let pick = |pair: &(Delivered, Delivered)| if subject { pair.0 } else { pair.1 };
            Delivered {
                p50_ms: median(pairs.iter().map(|pair| pick(pair).p50_ms)),
                p99_ms: median(pairs.iter().map(|pair| pick(pair).p99_ms)),
                rate: median(pairs.iter().map(|pair| pick(pair).rate)),
            }
        };
        let row = Timed {
            what: what.to_owned(),
            subject: side(true),
            reference_name: reference_name.to_owned(),
            reference: side(false),
            rate_ratio: of(|(subject, reference)| subject.rate / reference.rate),
            p99_ratio: of(|(subject, reference)| subject.p99_ms / reference.p99_ms),
        };
        row.announce();
        self.timed.push(row);
    }

    /// Adds what is no rate.
    pub(crate) fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Prints the table.
    #[expect(clippy::print_stdout, reason = "a bench talks to its terminal")]
    pub(crate) fn print(&self) {
        if !self.rows.is_empty() {
            println!("\n| what | per second | reference | per second | ratio | goal |");
            println!("|---|---:|---|---:|---:|---:|");
        }
        for row in &self.rows {
            let goal = row.goal.map_or(String::new(), |goal| format!("{goal:.2}"));
            let Row { what, subject, reference_name, reference, ratio, .. } = row;
            println!("| {what} | {subject:.0} | {reference_name} | {reference:.0} | {ratio:.2} | {goal} |");
        }
        if !self.timed.is_empty() {
            println!(
                "\n| what | p50 ms | p99 ms | per second | reference | p50 ms | p99 ms | per second | p99 ratio | rate ratio |"
            );
            println!("|---|---:|---:|---:|---|---:|---:|---:|---:|---:|");
            self.timed.iter().for_each(|row| println!("{}", row.to_line()));
        }
        println!("\nmedians of {} rounds; the ratio is the median of the ratios of each round", self.rounds);
        self.notes.iter().for_each(|note| println!("{note}"));
    }
}

/// How long something took, as it will be printed.
struct Timed {
    what: String,
    subject: Delivered,
    reference_name: String,
    reference: Delivered,
    /// Medians of the ratios of each round.
    rate_ratio: f64,
    p99_ratio: f64,
}

impl Timed {
    fn to_line(&self) -> String {
        let side = |it: Delivered| format!("{:.1} | {:.1} | {:.0}", it.p50_ms, it.p99_ms, it.rate);
        let Self { what, subject, reference_name, reference, rate_ratio, p99_ratio } = self;
        let (subject, reference) = (side(*subject), side(*reference));
        format!("| {what} | {subject} | {reference_name} | {reference} | {p99_ratio:.2} | {rate_ratio:.2} |")
    }

    #[expect(clippy::print_stderr, reason = "a bench talks to its terminal")]
    fn announce(&self) {
        eprintln!("{}", self.to_line());
    }
}

impl Row {
    #[expect(clippy::print_stderr, reason = "a bench talks to its terminal")]
    fn print(&self) {
        eprintln!("{}: {:.0}/s, {:.2} of {}", self.what, self.subject, self.ratio, self.reference_name);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let mid = values.len() / 2;
    if values.len() % 2 == 1 { values[mid] } else { (values[mid - 1] + values[mid]) / 2.0 }
}

/// A stopwatch.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Things per second.
pub(crate) fn rate(n: usize, elapsed: Duration) -> f64 {
    n as f64 / elapsed.as_secs_f64()
}
