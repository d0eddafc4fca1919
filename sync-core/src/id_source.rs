//! Where random ids come from: injected, so that a seed replays a run exactly.

use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A source of random bytes for ids, epochs and tokens.
pub trait IdSource: Send + Sync + std::fmt::Debug {
    /// Fills `bytes` with randomness fit for the purpose of the program: unpredictable in production, repeatable in a
    /// simulation.
    fn fill(&self, bytes: &mut [u8]);

    /// A new id of 128 random bits: 22 characters of `A-Z a-z 0-9 - _`.
    fn new_id(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A new id of 128 random bits as 32 lower-case hexadecimal digits, for names that become file names.
    fn new_hex_id(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Randomness of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsIds;

impl IdSource for OsIds {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's randomness is read")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("an operating system without randomness cannot run a server safely");
    }
}

/// Ids that follow from a seed, for tests and simulations. Not random to anyone who knows the seed.
///
/// ```
/// use sync_core::{IdSource, SeededIds};
/// assert_eq!(SeededIds::new(7).new_id(), SeededIds::new(7).new_id());
/// ```
#[derive(Debug)]
pub struct SeededIds(Mutex<blake3::OutputReader>);

impl SeededIds {
    /// The ids of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof()))
    }
}

impl IdSource for SeededIds {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill(bytes);
    }
}
