//! When a running replica does what next: one pure function, so that it can be tried with every outcome.
//!
//! ```text
//!            ┌────────────── unsent, edited, behind ──────────────┐
//!            ▼                                                    │
//!   sync ─── done ──▶ listen ── heard, held ──▶ listen            │
//!    ▲  └── failed ─▶ wait (longer each time, jittered) ──▶ sync  │
//!    └────────────────────────────────────────────────────────────┘
//! ```
//!
//! Whatever the outcome is, the answer has a time at which it goes on. So nothing that waits to be sent is ever without
//! an armed timer.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};

/// Edits are gathered for so long before they are sent: about what a person takes between two key strokes.
pub(crate) const EDIT_DELAY: Duration = Duration::from_millis(200);
/// The first wait after a failure is below this, at random: enough to spread those whom a server that restarts has lost.
const BACKOFF_FIRST: Duration = Duration::from_secs(2);
/// The longest wait after failures. With what one request may take to be noticed as lost it stays below the 30 seconds
/// after which everything is to be in sync again.
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// The longest that a server can ask to wait. It may be wrong about the hour; someone is waiting here.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10 * 60);

/// How a replica that [runs](crate::replica::Replica::run) paces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// How long the server is asked to hold a request until there is something new, where there is no live connection. 20 s
    /// by default: what is lost on the way is noticed soon after, and few requests are made while nothing happens.
    pub wait: Duration,
    /// How often to ask a server that does not hold requests. 20 s by default.
    pub poll_every: Duration,
    /// How often to try while a new sign-in is needed, in case a new one was made elsewhere. 60 s by default; it is tried
    /// at once after [`wake`](crate::replica::Replica::wake).
    pub sign_in_every: Duration,
    /// How often to try while the space cannot be found or edits are not allowed. 60 s by default.
    pub access_every: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        let (short, long) = (Duration::from_secs(20), Duration::from_secs(60));
        Self { wait: short, poll_every: short, sign_in_every: long, access_every: long }
    }
}

/// What became of what was done last.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A sync did all there was to do.
    Synced,
    /// So it did, but the server takes no edits from here.
    Refused,
    /// Changes were heard, or nothing was for as long as was asked.
    Heard,
    /// The server does not hold requests: nothing was heard, at once.
    Unheld,
    /// There is more at the server than was heard.
    Behind,
    /// Someone waits for what the server has.
    Asked,
    /// Something was edited.
    Edited,
    /// Someone asks to try now.
    Woken,
    /// It failed.
    Failed(Error),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Sync. An edit does not bring it forward.
    Sync,
    /// Wait for something to happen, here or at the server.
    Listen,
    /// Give up: this needs a person.
    Stop,
}

/// What to do next, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) act: Act,
    pub(crate) after: Duration,
}

impl Next {
    /// When the server is asked next, or has not answered a request that it was to hold; `None` for never.
    pub(crate) fn at(self, now: Now, options: &RunOptions) -> Option<Timestamp> {
        let held = match self.act {
            Act::Stop => return None,
            Act::Sync => Duration::ZERO,
            Act::Listen => options.wait,
        };
        Some(now.at.saturating_add(self.after).saturating_add(held))
    }
}

/// What is known when the next step is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) at: Timestamp,
    /// Whether edits wait to be sent.
    pub(crate) has_unsent: bool,
    /// A random number for this step.
    pub(crate) chance: u64,
}

/// What is remembered from step to step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Failures in a row.
    n_failed: u32,
    /// Times in a row that listening came to nothing.
    n_idle: u32,
    /// Until then, edits are not sent: the server refuses them.
    refused_until: Option<Timestamp>,
    /// How long that is at most: the clock may go back.
    refused_for: Duration,
}

impl Pace {
    /// What to do next, and when.
    pub(crate) fn next(&mut self, outcome: &Outcome, now: Now, options: &RunOptions) -> Next {
        if !matches!(outcome, Outcome::Failed(_)) {
            self.n_failed = 0;
        }
        match outcome {
            Outcome::Failed(error) => self.after_failure(error, now, options),
            Outcome::Woken => {
                *self = Self::default();
                Next { act: Act::Sync, after: Duration::ZERO }
            }
            Outcome::Synced => {
                self.refused_until = None;
                self.send_or_listen(Duration::ZERO, now)
            }
            Outcome::Refused => {
                self.refused_until = Some(now.at.saturating_add(options.access_every));
                self.refused_for = options.access_every;
                self.send_or_listen(Duration::ZERO, now)
            }
            Outcome::Heard => {
                self.n_idle = 0;
                self.send_or_listen(Duration::ZERO, now)
            }
            Outcome::Unheld => {
                let after = self.idle(now, options);
                self.send_or_listen(after, now)
            }
            Outcome::Behind => Next { act: Act::Sync, after: self.idle(now, options) },
            Outcome::Asked => Next { act: Act::Sync, after: Duration::ZERO },
            Outcome::Edited => {
                self.refused_until = None;
                self.send_or_listen(Duration::ZERO, now)
            }
        }
    }

    /// Whether the server refuses edits.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused_until.is_some()
    }

    fn send_or_listen(&self, after: Duration, now: Now) -> Next {
        let is_over = |until: Timestamp| until <= now.at || until.since(now.at) > self.refused_for;
        let may_send = self.refused_until.is_none_or(is_over);
        if now.has_unsent && may_send {
            return Next { act: Act::Sync, after: EDIT_DELAY };
        }
        Next { act: Act::Listen, after }
    }

    /// How long to wait when listening comes to nothing: not at all the first time, then up to the interval of polling.
    fn idle(&mut self, now: Now, options: &RunOptions) -> Duration {
        let window = doubled(BACKOFF_FIRST, self.n_idle, options.poll_every);
        self.n_idle = self.n_idle.saturating_add(1);
        if self.n_idle == 1 { Duration::ZERO } else { window / 2 + share(window / 2, now.chance) }
    }

    fn after_failure(&mut self, error: &Error, now: Now, options: &RunOptions) -> Next {
        let window = doubled(BACKOFF_FIRST, self.n_failed, BACKOFF_MAX);
        self.n_failed = self.n_failed.saturating_add(1);
        let jitter = share(window, now.chance);
        let asked = error.retry_after().map(|wait| wait.min(RETRY_AFTER_MAX));
        let after = match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Incompatible => {
                return Next { act: Act::Stop, after: Duration::ZERO };
            }
            ErrorKind::Unauthorized => options.sign_in_every,
            ErrorKind::Forbidden | ErrorKind::NotFound => options.access_every,
            _ => asked.unwrap_or_default(),
        };
        Next { act: Act::Sync, after: after + jitter }
    }
}

/// `first`, doubled `n` times, at most `max`.
fn doubled(first: Duration, n: u32, max: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(n).unwrap_or(u32::MAX)).min(max)
}

/// A part of `window`, from nothing to all of it, that `chance` picks.
fn share(window: Duration, chance: u64) -> Duration {
    let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    let part = u128::from(micros) * u128::from(chance) / u128::from(u64::MAX);
    Duration::from_micros(u64::try_from(part).unwrap_or(micros))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now(has_unsent: bool, chance: u64) -> Now {
        Now { at: Timestamp::from_micros(1_000_000).unwrap(), has_unsent, chance }
    }

    fn failed(kind: ErrorKind) -> Outcome {
        Outcome::Failed(Error::new(kind, "no"))
    }

    #[test]
    fn failures_wait_longer_each_time_and_never_longer_than_the_limit() {
        let (mut pace, options) = (Pace::default(), RunOptions::default());
        let waits: Vec<u64> = (0..6)
            .map(|_| {
                pace.next(&failed(ErrorKind::Unavailable), now(true, u64::MAX), &options).after.as_secs()
            })
            .collect();
        assert_eq!(waits, [2, 4, 8, 15, 15, 15]);
        for _ in 0..1000 {
            pace.next(&failed(ErrorKind::Distrusted), now(true, 0), &options);
        }
        assert_eq!(pace.next(&Outcome::Synced, now(false, 0), &options).act, Act::Listen);
        let again = pace.next(&failed(ErrorKind::Unavailable), now(true, u64::MAX), &options);
        assert_eq!(again.after, BACKOFF_FIRST, "a success begins anew");
    }

    #[test]
    fn those_whom_a_server_lost_come_back_spread_over_the_first_wait() {
        let chances = (0..200u64).map(|n| n * (u64::MAX / 200));
        let mut by_tenth = [0; 10];
        for chance in chances {
            let next = Pace::default().next(
                &failed(ErrorKind::Unavailable),
                now(false, chance),
                &RunOptions::default(),
            );
            by_tenth[usize::try_from(next.after.as_millis() * 10 / 2000).unwrap().min(9)] += 1;
        }
        assert!(by_tenth.iter().all(|n| *n >= 15), "{by_tenth:?}");
    }

    #[test]
    fn what_the_server_asks_to_wait_is_waited_up_to_a_limit() {
        let options = RunOptions::default();
        for (asked, expected) in [(1, 1), (60, 60), (600, 600), (1 << 40, 600)] {
            let error = Error::new(ErrorKind::Overloaded, "no").with_retry_after(Duration::from_secs(asked));
            let next = Pace::default().next(&Outcome::Failed(error), now(true, 0), &options);
            assert_eq!(next, Next { act: Act::Sync, after: Duration::from_secs(expected) });
        }
    }

    #[test]
    fn a_server_that_refuses_edits_is_not_asked_again_and_again() {
        let (mut pace, options) = (Pace::default(), RunOptions::default());
        assert_eq!(pace.next(&Outcome::Refused, now(true, 0), &options).act, Act::Listen);
        assert_eq!(pace.next(&Outcome::Heard, now(true, 0), &options).act, Act::Listen);
        let later = Now { at: now(true, 0).at.saturating_add(options.access_every), ..now(true, 0) };
        assert_eq!(pace.next(&Outcome::Heard, later, &options).act, Act::Sync);
        assert_eq!(pace.next(&Outcome::Refused, now(true, 0), &options).act, Act::Listen);
        assert_eq!(pace.next(&Outcome::Edited, now(true, 0), &options).act, Act::Sync, "someone tries");
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        use ErrorKind as K;
        let kinds = [
            K::NotFound,
            K::AlreadyExists,
            K::Invalid,
            K::Forbidden,
            K::Contended,
            K::Overloaded,
            K::Unavailable,
            K::StorageFull,
            K::Corrupt,
            K::Incompatible,
            K::Unauthorized,
            K::Distrusted,
            K::Internal,
        ];
        let failure = (prop::sample::select(kinds.to_vec()), prop::option::of(any::<u64>())).prop_map(
            |(kind, wait)| {
                let error = Error::new(kind, "no");
                Outcome::Failed(match wait {
                    Some(wait) => error.with_retry_after(Duration::from_secs(wait)),
                    None => error,
                })
            },
        );
        let other = (0..8u8).prop_map(|n| match n {
            0 => Outcome::Synced,
            1 => Outcome::Refused,
            2 => Outcome::Heard,
            3 => Outcome::Unheld,
            4 => Outcome::Behind,
            5 => Outcome::Edited,
            6 => Outcome::Asked,
            _ => Outcome::Woken,
        });
        prop_oneof![other, failure]
    }

    proptest! {
        #[test]
        fn whatever_happens_what_waits_to_be_sent_has_a_timer_that_is_not_far(
            outcomes in prop::collection::vec((outcome(), any::<bool>(), any::<u64>()), 1..40)
        ) {
            let (mut pace, options) = (Pace::default(), RunOptions::default());
            for (outcome, has_unsent, chance) in outcomes {
                let next = pace.next(&outcome, now(has_unsent, chance), &options);
                let is_fatal = matches!(&outcome, Outcome::Failed(error)
                    if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible));
                prop_assert_eq!(next.act == Act::Stop, is_fatal);
                let was_asked = matches!(&outcome, Outcome::Failed(error) if error.retry_after().is_some());
                let needs_someone = matches!(&outcome, Outcome::Failed(error) if matches!(
                    error.kind(),
                    ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::NotFound
                ));
                let max = match (was_asked, needs_someone) {
                    (true, _) => RETRY_AFTER_MAX + BACKOFF_MAX,
                    (_, true) => options.access_every + BACKOFF_MAX,
                    _ => options.poll_every,
                };
                prop_assert!(next.after <= max, "{:?} {:?}", outcome, next);
                let is_healthy = !matches!(outcome, Outcome::Failed(_) | Outcome::Behind);
                if has_unsent && is_healthy && !pace.is_refused() {
                    prop_assert_eq!(next.act, Act::Sync);
                    prop_assert!(next.after <= EDIT_DELAY);
                }
            }
        }
    }
}
