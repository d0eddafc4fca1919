//! One hash at a time, in memory that is used again and again.
//!
//! The crate's own calls take 19 MiB from the allocator for each hash, aligned; the allocator does not find what was
//! given back for the next one, and a flood of sign-ins left hundreds of megabytes resident.

use argon2::password_hash::Error;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::{MEMORY_KIB_MAX, PASSES_MAX};

/// Whether a hash may cost this much.
pub(super) fn is_bounded(params: &Params) -> bool {
    params.m_cost() <= MEMORY_KIB_MAX && params.t_cost() <= PASSES_MAX
}

/// Room for a hash at least, in KiB. 33 MiB, of which only what is used becomes memory: what is larger than 32 MiB glibc takes
/// from the system each time, and gives back when it is let go.
const ROOM_KIB_MIN: usize = 33 * 1024;

/// What a worker hashes with.
pub(super) struct Hasher {
    params: Params,
    memory: Vec<Block>,
}

impl Hasher {
    /// Takes no memory yet: a server to which nobody signs in needs none.
    pub(super) fn new(params: Params) -> Self {
        Self { params, memory: Vec::new() }
    }

    /// Gives the memory back.
    pub(super) fn forget(&mut self) {
        self.memory = Vec::new();
    }

    #[cfg(test)]
    pub(super) fn n_blocks(&self) -> usize {
        self.memory.len()
    }

    /// The PHC string for a password.
    pub(super) fn hash(&mut self, password: &[u8], salt: &[u8]) -> Option<String> {
        let (algorithm, version, params) = (Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        self.fill(algorithm, version, params, password, salt, &mut out).ok()?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&self.params).ok()?,
            salt: Some(Salt::new(salt).ok()?),
            hash: Some(Output::new(&out).ok()?),
        };
        Some(hash.to_string())
    }

    /// Whether `stored` was made of this password; compared in constant time.
    pub(super) fn verify(&mut self, password: &[u8], stored: &str) -> bool {
        match self.matches(password, stored) {
            Ok(matches) => matches,
            Err(error) => {
                tracing::error!(%error, "a stored password hash cannot be read");
                false
            }
        }
    }

    fn matches(&mut self, password: &[u8], stored: &str) -> Result<bool, Error> {
        let stored = PasswordHash::new(stored).map_err(|_| Error::EncodingInvalid)?;
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Ok(false) };
        let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
        let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from)?;
        let params = Params::try_from(&stored)?;
        if !is_bounded(&params) {
            // Stored hashes come from other servers, too, and whoever wrote one chose what it costs.
            return Err(Error::ParamsInvalid);
        }
        let mut out = vec![0; expected.len()];
        self.fill(algorithm, version, params, password, salt, &mut out)?;
        let computed = Output::new(&out).map_err(|_| Error::OutputSize)?;
        Ok(computed == *expected)
    }

    fn fill(
        &mut self,
        algorithm: Algorithm,
        version: Version,
        params: Params,
        password: &[u8],
        salt: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        // The first time; and a hash of another day may have been made at another cost.
        if params.block_count() > self.memory.len() {
            let n_blocks = params.block_count();
            self.memory.reserve_exact(n_blocks.max(ROOM_KIB_MIN) - self.memory.len());
            self.memory.resize(n_blocks, Block::new());
        }
        let argon2 = Argon2::new(algorithm, version, params);
        argon2.hash_password_into_with_memory(password, salt, out, &mut self.memory[..])?;
        Ok(())
    }
}
