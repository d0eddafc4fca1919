//! Everything that is logged while these tests run, at every level, to look for what must not be there.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts collecting, once for all tests of this binary.
pub(crate) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Lines)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// What was logged since `mark`.
pub(crate) fn since(mark: usize) -> String {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&lines[mark..]).into_owned()
}

/// The place in the log now.
pub(crate) fn mark() -> usize {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Fails when a log shows one of these, or anything that no log may show: a token of any kind, a cookie, a mail address,
/// a hash of a password.
pub(crate) fn shows_nothing(logged: &str, secrets: &[&str]) {
    let always = ["$argon2", "@example.", "__Host-session=", "eyJ"];
    for secret in secrets.iter().chain(&always) {
        let at = logged.find(secret).map(|at| logged[..at].lines().last().unwrap_or_default());
        assert!(at.is_none(), "the log shows {secret:?} after {at:?}");
    }
    for prefix in ["sd_", "sr_", "sc_", "sl_", "sp_", "sq_", "si_"] {
        for (at, _) in logged.match_indices(prefix) {
            let id = &logged.as_bytes()[at + 3..logged.len().min(at + 35)];
            assert!(
                id.iter().filter(|byte| byte.is_ascii_hexdigit()).count() < 32,
                "the log shows a token of the kind {prefix}"
            );
        }
    }
}
