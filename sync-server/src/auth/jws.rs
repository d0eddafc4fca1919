//! The signature of a token: compact JWS with HS256, and nothing else.
//!
//! Written by hand because the usual crate reads the system clock itself, takes its cryptography from a
//! setting of the whole process (an embedder may need that for itself), and lets unknown header fields,
//! `crit` among them, and fractional times pass. What is left to do is two base64 parts and one MAC.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::secret::JwtSecret;

/// Bytes of a token. 4 kB: ours have about 350; headers of a request have to fit elsewhere too.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// A signing key with the name under which tokens refer to it.
#[derive(Clone)]
pub struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The only header that is understood; a field that is not listed, or is listed twice, is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'t> {
    alg: &'t str,
    typ: &'t str,
    kid: Option<String>,
}

/// A token taken apart, its signature not yet checked.
#[derive(Debug)]
pub struct Parsed<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    key_id: Option<String>,
    /// The claims, as the bytes of a JSON document. Believe them after [`Key::signed`].
    pub claims: Vec<u8>,
}

impl Key {
    /// The key made of `secret`. Its id is a digest, so it is the same in every process with that secret.
    pub fn new(secret: &JwtSecret) -> Self {
        let mac = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        let digest = Sha256::new().chain_update(b"key id\0").chain_update(secret.as_bytes()).finalize();
        Self { id: URL_SAFE_NO_PAD.encode(&digest[..6]), mac }
    }

    /// The compact token for `claims`.
    pub fn sign(&self, claims: &[u8]) -> String {
        let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, self.id);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.mac.clone().chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// 32 bytes that follow from this key, a purpose and a text, and tell nothing about the key.
    pub fn derive(&self, purpose: &str, text: &str) -> [u8; 32] {
        // No token begins like this: a signature is never one of these.
        let mac = self.mac.clone().chain_update("derive\0").chain_update(purpose).chain_update("\0");
        mac.chain_update(text).finalize().into_bytes().into()
    }

    /// Whether this key signed the token; compared in constant time. A token without a key id is tried.
    pub fn signed(&self, parsed: &Parsed<'_>) -> bool {
        parsed.key_id.as_ref().is_none_or(|id| *id == self.id)
            && self.mac.clone().chain_update(parsed.signed).verify_slice(&parsed.signature).is_ok()
    }
}

/// Takes a token apart; `None` for anything that is not exactly a compact HS256 token.
pub fn parse(token: &str) -> Option<Parsed<'_>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = decode(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).ok()?;
    let typ = header.typ.to_ascii_lowercase();
    if header.alg != "HS256" || !["at+jwt", "jwt"].contains(&typ.as_str()) {
        return None;
    }
    Some(Parsed { signed, signature: decode(signature)?, key_id: header.kid, claims: decode(claims)? })
}

/// Strict: no padding, no other alphabet, no spare bits; a `.` in the claims (four parts) is refused too.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
