//! Steps, their progress and how long they took.

use std::io::Write;
use std::time::{Duration, Instant};

use sync_core::StateHash;
use sync_core::replica::Phase;

use crate::Error;
use crate::peer::Peer;

/// What was done so far.
#[derive(Default)]
pub(crate) struct Steps(Vec<Step>);

struct Step {
    name: String,
    took: Duration,
    note: String,
}

impl Steps {
    /// Does something at once.
    pub(crate) fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let clock = begin(name);
        let done = work()?;
        self.end(name, clock);
        Ok(done)
    }

    /// Waits for something.
    pub(crate) async fn wait<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let clock = begin(name);
        let done = work.await?;
        self.end(name, clock);
        Ok(done)
    }

    /// Syncs a replica and shows how far it is.
    pub(crate) async fn sync(&mut self, name: &str, peer: &Peer) -> Result<(), Error> {
        let clock = begin(name);
        let report = peer
            .sync(|progress| {
                let phase = match progress.phase {
                    Phase::Pushing => "pushed",
                    Phase::Loading => "loaded",
                    Phase::Pulling => "pulled",
                };
                let total = progress.n_total.map_or(String::new(), |total| format!(" of {total}"));
                say(&format!("\r  {name}: {phase} {}{total}   ", progress.n_done));
            })
            .await?;
        self.end(name, clock);
        let (pushed, pulled) = (report.pushed, report.pulled);
        let (merged, conflicts, rejected) = (report.merged, report.conflicts, report.rejected);
        self.annotate(format!(
            "pushed {pushed}, pulled {pulled}, merged {merged}, conflicts {conflicts}, rejected {rejected}"
        ));
        Ok(())
    }

    /// Says how many things the last step did, and so how fast.
    pub(crate) fn note(&mut self, n: usize, what: &str) {
        let took = self.0.last().map_or(0.0, |step| step.took.as_secs_f64());
        self.annotate(format!("{n} {what}, {:.0} a second", n as f64 / took.max(1e-9)));
    }

    fn annotate(&mut self, note: String) {
        if let Some(step) = self.0.last_mut() {
            step.note = note;
        }
    }

    fn end(&mut self, name: &str, clock: Instant) {
        let took = clock.elapsed();
        say(&format!("\r  {name}: {:.2} s                              \n", took.as_secs_f64()));
        self.0.push(Step { name: name.to_owned(), took, note: String::new() });
    }

    /// Prints what was done and how long each step took.
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    pub(crate) fn print(&self) {
        println!();
        for Step { name, took, note } in &self.0 {
            println!("{:>9.3} s  {name:<34} {note}", took.as_secs_f64());
        }
        let total: Duration = self.0.iter().map(|step| step.took).sum();
        println!("{:>9.3} s  in all\n", total.as_secs_f64());
    }
}

#[expect(clippy::disallowed_methods, reason = "the steps are timed for the person who watches")]
fn begin(name: &str) -> Instant {
    say(&format!("  {name} …"));
    Instant::now()
}

/// Progress goes to the terminal and not into the result.
fn say(text: &str) {
    let mut err = std::io::stderr();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Says what went wrong, with its causes.
pub(crate) fn complain(error: &(dyn std::error::Error + 'static)) {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    say(&format!("\ndataset: {text}\n"));
}

/// Prints whether all ended up the same.
#[expect(clippy::print_stdout, reason = "this is what the program is for")]
pub(crate) fn verdict(hashes: &[StateHash; 3], n_unsent: u64) -> bool {
    let [left, right, server] = hashes;
    println!("left   {left}\nright  {right}\nserver {server}");
    let same = left == right && right == server && n_unsent == 0;
    println!("{}", if same { "all three hold the same records" } else { "THEY DIFFER" });
    same
}
