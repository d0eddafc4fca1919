//! Messages with the time at which they were sent, how long they took, and the table of that.

use std::collections::BTreeMap;
use std::fmt;

use sync_core::{Clock, SystemClock};

/// What a message begins its time with.
const MARK: &[u8] = b"\"sent\":";

/// Bytes of the content of a message.
pub(crate) const MESSAGE_BYTES: usize = 200;

/// Microseconds on the clock that all processes of this machine share.
pub(crate) fn now_us() -> u64 {
    u64::try_from(SystemClock.now().as_micros()).expect("this clock was set after 1970")
}

/// The content of a message that is sent now.
pub(crate) fn message(n_bytes: usize) -> String {
    let head = format!(r#"{{"sent":{},"text":""#, now_us());
    let n_left = n_bytes.saturating_sub(head.len() + 2);
    format!("{head}{}\"}}", "x".repeat(n_left))
}

/// When the messages in a text were sent.
pub(crate) fn sent(text: &[u8]) -> impl Iterator<Item = u64> {
    let places = (0..text.len().saturating_sub(MARK.len())).filter(|at| text[*at..].starts_with(MARK));
    places.map(|at| {
        let digits = text[at + MARK.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
    })
}

/// How long deliveries took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Deliveries a second, from the first message that was sent to the last that arrived.
    pub(crate) rate: f64,
}

impl Delivered {
    /// From the microseconds of each delivery, and all of them together.
    pub(crate) fn of(mut took_us: Vec<u64>, all_us: u64) -> Self {
        took_us.sort_unstable();
        let at = |part: f64| {
            let idx = (took_us.len() as f64 * part) as usize;
            took_us.get(idx.min(took_us.len().saturating_sub(1))).map_or(f64::NAN, |took| *took as f64 / 1e3)
        };
        let rate = took_us.len() as f64 * 1e6 / all_us.max(1) as f64;
        Self { p50_ms: at(0.50), p99_ms: at(0.99), rate }
    }

    /// As a line between processes.
    pub(crate) fn to_line(self) -> String {
        format!("{} {} {}", self.p50_ms, self.p99_ms, self.rate)
    }

    /// Reads such a line.
    pub(crate) fn from_line(line: &str) -> Self {
        let mut numbers = line.split(' ').map(|number| number.parse().expect("the line has numbers"));
        let mut next = || numbers.next().expect("the line has three numbers");
        Self { p50_ms: next(), p99_ms: next(), rate: next() }
    }
}

/// How those came back whom a server had lost.
#[derive(Clone, Debug)]
pub(crate) struct Returned {
    p50_ms: u64,
    p99_ms: u64,
    max_ms: u64,
    /// What went wrong meanwhile, and how often.
    failures: BTreeMap<String, usize>,
}

impl Returned {
    /// From the microseconds after which each was back.
    pub(crate) fn of(mut took_us: Vec<u64>, failures: BTreeMap<String, usize>) -> Self {
        took_us.sort_unstable();
        let last = took_us.len().saturating_sub(1);
        let at = |percent: usize| took_us.get(last * percent / 100).map_or(0, |took_us| took_us / 1000);
        Self { p50_ms: at(50), p99_ms: at(99), max_ms: at(100), failures }
    }

    /// As a line between processes.
    pub(crate) fn to_line(&self) -> String {
        serde_json::json!([self.p50_ms, self.p99_ms, self.max_ms, self.failures]).to_string()
    }

    /// Reads such a line.
    pub(crate) fn from_line(line: &str) -> Self {
        let read = serde_json::from_str(line).expect("the line was written by this program");
        let (p50_ms, p99_ms, max_ms, failures) = read;
        Self { p50_ms, p99_ms, max_ms, failures }
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, max_ms, failures } = self;
        write!(f, "p50 {p50_ms} ms, p99 {p99_ms} ms, the last {max_ms} ms")?;
        failures.iter().try_for_each(|(what, n)| write!(f, "; {n} times: {what}"))
    }
}
