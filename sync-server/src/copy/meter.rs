//! What a person is told while a copy runs, and at its end.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use sync_core::copy::{Progress, Totals};
use sync_core::{Clock, Timestamp};

/// How often the line of progress changes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Goes back to the beginning of the line of a terminal and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Tells how far a copy is, about once a second and only to a terminal.
pub(super) struct Meter<'a> {
    clock: &'a dyn Clock,
    doing: &'static str,
    quiet: bool,
    is_shown: bool,
    begun: Timestamp,
    last: Timestamp,
    n_last: u64,
}

impl<'a> Meter<'a> {
    /// Begins to count; `doing` is the word for what is done.
    pub(super) fn start(doing: &'static str, clock: &'a dyn Clock, quiet: bool) -> Self {
        let now = clock.now();
        let is_shown = !quiet && std::io::stderr().is_terminal();
        Self { clock, doing, quiet, is_shown, begun: now, last: now, n_last: 0 }
    }

    /// Takes note of the progress.
    pub(super) fn tick(&mut self, progress: Progress) {
        let now = self.clock.now();
        let elapsed = now.since(self.last);
        if !self.is_shown || elapsed < INTERVAL {
            return;
        }
        let per_second = per_second(progress.n_records_overall - self.n_last, elapsed);
        (self.last, self.n_last) = (now, progress.n_records_overall);
        tell(&format!("{CLEAR}{}: {}", self.doing, line(progress, per_second)));
    }

    /// Tells the end; `done` is the word for what was done.
    pub(super) fn done(self, done: &str, totals: Totals) {
        if self.quiet {
            return;
        }
        let elapsed = self.clock.now().since(self.begun);
        let clear = if self.is_shown { CLEAR } else { "" };
        tell(&format!("{clear}{done} {} in {:.1} s\n", summary(totals), elapsed.as_secs_f64()));
    }
}

fn tell(text: &str) {
    let mut stderr = std::io::stderr();
    // Who does not listen is not told.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn per_second(n: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    n.saturating_mul(1000) / millis
}

fn line(progress: Progress, per_second: u64) -> String {
    let Progress { n_spaces, n_spaces_total, n_records, n_records_total, n_records_overall } = progress;
    format!(
        "space {} of {n_spaces_total}, record {n_records} of {n_records_total} ({n_records_overall} in all), \
         {per_second} records/s",
        (n_spaces + 1).min(n_spaces_total)
    )
}

fn summary(totals: Totals) -> String {
    let Totals { n_spaces, n_records, n_users, n_members, n_credentials, n_spaces_there, .. } = totals;
    let there = match n_spaces_there {
        0 => String::new(),
        n => format!(" ({n} there already)"),
    };
    format!(
        "spaces: {n_spaces}{there}, records: {n_records}, users: {n_users}, members: {n_members}, devices and invites: {n_credentials}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_of_what_and_how_fast() {
        let progress = Progress {
            n_spaces: 2,
            n_spaces_total: 5,
            n_records: 1_000,
            n_records_total: 4_000,
            n_records_overall: 9_000,
        };
        let wanted = "space 3 of 5, record 1000 of 4000 (9000 in all), 500 records/s";
        assert_eq!(line(progress, per_second(750, Duration::from_millis(1500))), wanted);
        assert_eq!(per_second(7, Duration::ZERO), 7_000);
        let last = Progress { n_spaces: 5, ..progress };
        assert!(line(last, 0).starts_with("space 5 of 5"));
    }

    #[test]
    fn the_end_counts_everything() {
        let totals = Totals {
            n_spaces: 3,
            n_records: 10,
            n_users: 2,
            n_space_infos: 1,
            n_members: 4,
            n_credentials: 5,
            n_spaces_there: 0,
        };
        assert_eq!(summary(totals), "spaces: 3, records: 10, users: 2, members: 4, devices and invites: 5");
        let again = summary(Totals { n_spaces_there: 2, ..totals });
        assert_eq!(
            again,
            "spaces: 3 (2 there already), records: 10, users: 2, members: 4, devices and invites: 5"
        );
    }
}
