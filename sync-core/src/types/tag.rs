//! Fingerprints of a history: which run of a space this is, and what it has come through.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{Record, Seq};

/// Bytes that are hashed at once: enough to use the whole width of the processor, little beside the commit itself.
const CHUNK_BYTES: usize = 64 << 10;

macro_rules! bytes16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl From<$name> for String {
            fn from(bytes: $name) -> Self {
                bytes.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::from_hex(&text).ok_or("not 32 hexadecimal digits")
            }
        }

        impl $name {
            /// Takes the 16 bytes as they are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads 32 hexadecimal digits, as [`Display`](fmt::Display) writes them.
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; 16];
                if text.len() != 32 {
                    return None;
                }
                for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

bytes16! {
    /// Which life of a space this is: random, minted when the space is created.
    Epoch
}

bytes16! {
    /// What a space has come through: a hash over the previous tag and what the commit did.
    ///
    /// Two servers whose tags agree at a position have the same history up to there. A server that was restored from
    /// a backup and wrote on has other tags, which is how replicas notice.
    Tag
}

impl Tag {
    /// The tag of a space in which nothing has happened.
    pub const ZERO: Self = Self([0; 16]);

    /// The tag after a commit of `records` with seqs from `first` to `last`.
    #[must_use]
    pub fn after<'a>(self, first: Seq, last: Seq, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(&first.get().to_le_bytes()).update(&last.get().to_le_bytes());
        let mut chunk = Vec::new();
        for record in records {
            record.write_digest(&mut chunk);
            if chunk.len() >= CHUNK_BYTES {
                hasher.update(&chunk);
                chunk.clear();
            }
        }
        let mut tag = [0; 16];
        hasher.update(&chunk).finalize_xof().fill(&mut tag);
        Self(tag)
    }
}
