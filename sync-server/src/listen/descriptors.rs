//! Descriptors: as many as the system lets this process have, and no more connections than they are for.
//!
//! A server that has none left accepts nobody, not even the operator who asks whether it is well.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for all but connections. 768: the hundred files that a folder of spaces has open, six for each, and the
/// database, letters and the log.
const RESERVE: u64 = 768;

/// Raises the limit of descriptors to what the system lets this process have. Systems begin with 1,024 for the sake of old
/// programs that cannot count further; it is the limit of the whole process, so whoever embeds the server decides for itself.
pub fn raise_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "could not raise the limit of descriptors");
    }
}

/// How many descriptors this process may have; `None` for as many as it likes.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many connections there are descriptors for. Where the reserve is more than half, both get a half.
pub(super) fn for_connections(limit: Option<u64>) -> usize {
    let n = limit.map(|limit| limit.saturating_sub(RESERVE).max(limit / 2));
    n.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (limit, expected) in [
            (Some(65_536), 64_768),
            (Some(1_024), 512),
            (Some(1_536), 768),
            (Some(64), 32),
            (None, usize::MAX),
        ] {
            assert_eq!(for_connections(limit), expected, "{limit:?}");
        }
    }
}
