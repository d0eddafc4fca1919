//! Refresh tokens: a device shows one after another, and they form a chain.
//!
//! ```text
//! secret    family, 16 bytes                   in all tokens of a device; its hash is stored with the device
//!           part of its own, 16 bytes          random, or what follows from the token before it and a word
//! ```
//! Who shows the family with another part than that of the newest token has a copy of an older one, however old, whatever
//! key the server signs with by now. A wrong secret without it is a guess. Who repeats a token with its word gets the same
//! next one again, so it does not matter which of the answers arrive, nor when.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sync_core::{CredentialId, IdSource, SecretHash};

use super::opaque::{OpaqueToken, TokenKind};

/// Bytes of the family, and as many of its own in each token: 128 bits each.
const HALF: usize = 16;

/// The first refresh token of a device. Its own part is random, and the family follows from that.
pub fn first(id: CredentialId, ids: &dyn IdSource) -> OpaqueToken {
    let mut secret = [0; 2 * HALF];
    ids.fill(&mut secret[HALF..]);
    let family = derived(&secret[HALF..], "the family of this token", "");
    secret[..HALF].copy_from_slice(&family);
    OpaqueToken::with_secret(TokenKind::Refresh, id, &secret)
}

/// A token after this one that nobody can tell. `None` for one whose secret is not as long as it should be.
pub fn next(token: &OpaqueToken, ids: &dyn IdSource) -> Option<OpaqueToken> {
    let mut secret = token.secret()?;
    ids.fill(&mut secret[HALF..]);
    Some(OpaqueToken::with_secret(TokenKind::Refresh, token.id().clone(), &secret))
}

/// The token after this one that belongs to a word: the same each time, and known to nobody who has not both.
///
/// ```
/// use sync_core::{CredentialId, OsIds};
/// use sync_server::auth::chain;
/// let token = chain::first(CredentialId::new("0123456789abcdef")?, &OsIds);
/// let next = chain::next_with(&token, "a random word").unwrap();
/// assert!(chain::next_with(&token, "a random word") == Some(next.clone()));
/// assert!(chain::next_with(&token, "another word") != Some(next.clone()));
/// assert!(chain::family(&token) == chain::family(&next) && token != next);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn next_with(token: &OpaqueToken, word: &str) -> Option<OpaqueToken> {
    let mut secret = token.secret()?;
    let part = derived(&secret, "the token after this", word);
    secret[HALF..].copy_from_slice(&part);
    Some(OpaqueToken::with_secret(TokenKind::Refresh, token.id().clone(), &secret))
}

/// What follows from a secret, for a purpose and a text, and tells nothing about either.
fn derived(secret: &[u8], purpose: &str, text: &str) -> [u8; HALF] {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    let whole = mac.chain_update(purpose).chain_update("\0").chain_update(text).finalize().into_bytes();
    std::array::from_fn(|idx| whole[idx])
}

/// What is stored of the family of a token.
pub fn family(token: &OpaqueToken) -> Option<SecretHash> {
    Some(SecretHash::of(&family_text(token)?))
}

/// Whether a token is of a family; compared in constant time.
pub fn is_of_family(token: &OpaqueToken, family: &SecretHash) -> bool {
    family_text(token).is_some_and(|text| family.matches(&text))
}

fn family_text(token: &OpaqueToken) -> Option<String> {
    let secret = token.secret()?;
    Some(secret[..HALF].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}
