//! Passwords: which are accepted, and hashing that cannot take the server down.
//!
//! Hashes are argon2id in PHC form. Each costs 19 MiB and about 15 ms, so only [`HASHES_AT_ONCE`] run at a
//! time on threads of their own, and a bounded number waits.

mod hasher;
mod workers;

use std::sync::Arc;

use argon2::Params;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::problem::{Code, Problem};
use hasher::Hasher;
use workers::Workers;

/// Bytes of a password at least.
pub const BYTES_MIN: usize = 8;

/// Bytes of a password at most. 1 kB: any passphrase; longer is work for us and none for an attacker.
pub const BYTES_MAX: usize = 1024;

/// Hashes computed at the same time. 2: 38 MiB at most, and one core left for everything else.
pub const HASHES_AT_ONCE: usize = 2;

/// Requests that may wait for a hash. 128: about a second of work; who comes later is told to retry.
pub const WAITING_MAX: usize = 128;

/// Memory of a hash at most, in KiB. 64 MiB, what RFC 9106 recommends where memory is scarce: what another server made is
/// read, and nobody's account takes the machine's memory.
pub const MEMORY_KIB_MAX: u32 = 64 * 1024;

/// Passes of a hash at most. 10: with the most memory about half a second.
pub const PASSES_MAX: u32 = 10;

/// Bytes of salt, as RFC 9106 recommends.
const SALT_BYTES: usize = 16;

/// A password within the rules: 8 to 1024 bytes, no NUL.
///
/// It is exactly its bytes: no trimming, no case, no Unicode normalisation, so that what was typed at
/// registration is what has to be typed. `Debug` does not show it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Checks `text` against the rules; nothing is hashed for a text that breaks them.
    ///
    /// # Errors
    ///
    /// `validation_failed` at `/password`.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let refused = |why: &str| Problem::new(Code::ValidationFailed).detail(why).pointer("/password");
        if !(BYTES_MIN..=BYTES_MAX).contains(&text.len()) {
            return Err(refused("a password must have 8 to 1024 bytes").limit(BYTES_MAX as u64));
        }
        if text.contains('\0') {
            return Err(refused("a password must not contain NUL"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

/// What one hash costs.
#[derive(Clone, Copy, Debug)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl Default for HashCost {
    /// 19 MiB and two passes: the smaller of the settings OWASP recommends.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// Hashes and verifies passwords, a few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    workers: Arc<Workers>,
    dummy: Arc<str>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Passwords {
    /// Prepares hashing. It computes one hash, so it takes as long as one.
    ///
    /// # Errors
    ///
    /// Text about a cost that argon2 does not accept, or that is above [`MEMORY_KIB_MAX`] or [`PASSES_MAX`].
    pub fn new(cost: HashCost) -> Result<Self, String> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|error| error.to_string())?;
        if !hasher::is_bounded(&params) {
            return Err(format!("a hash takes at most {MEMORY_KIB_MAX} KiB and {PASSES_MAX} passes"));
        }
        let mut hasher = Hasher::new(params.clone());
        let dummy = hasher.hash(b"nobody has this password", &[0; SALT_BYTES]).ok_or("could not hash")?;
        Ok(Self {
            workers: Arc::new(Workers::start((0..HASHES_AT_ONCE).map(|_| Hasher::new(params.clone())))),
            dummy: dummy.into(),
            running: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            admitted: Arc::new(Semaphore::new(HASHES_AT_ONCE + WAITING_MAX)),
        })
    }

    /// The PHC string to store for `password`. `fill` provides random bytes for the salt.
    ///
    /// # Errors
    ///
    /// `overloaded` when too many requests wait; `internal` when hashing fails.
    pub async fn hash(&self, password: Password, fill: impl FnOnce(&mut [u8])) -> Result<String, Problem> {
        let mut salt = [0; SALT_BYTES];
        fill(&mut salt);
        self.run(move |hasher| hasher.hash(password.0.as_bytes(), &salt))
            .await?
            .ok_or_else(|| Code::Internal.into())
    }

    /// Whether `password` is the one that `stored` was made of.
    ///
    /// Without a stored hash (there is no such user) the answer is no, at the same cost as any other no.
    /// A stored hash that cannot be read, or that would cost more than any may, is a no as well, and an error in the log.
    ///
    /// # Errors
    ///
    /// `overloaded` when too many requests wait; `internal` when the worker dies.
    pub async fn verify(&self, password: Password, stored: Option<&str>) -> Result<bool, Problem> {
        let known = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        let matches = self.run(move |hasher| hasher.verify(password.0.as_bytes(), &stored)).await?;
        Ok(known && matches)
    }

    /// Runs `work` when its turn comes. The permits travel with it: a client that goes away frees nothing
    /// before the work it caused is done.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permits = self.turn().await?;
        let (reply, answer) = oneshot::channel();
        self.workers.run(move |hasher| {
            // Whoever asked may be gone by now.
            let _ = reply.send(work(hasher));
            drop(permits);
        });
        answer.await.map_err(|_| Code::Internal.into())
    }

    async fn turn(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Problem> {
        let busy = |_| Problem::new(Code::Overloaded).retry_after(1);
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Code::Internal)?;
        Ok((admitted, running))
    }
}

#[cfg(test)]
mod tests;
