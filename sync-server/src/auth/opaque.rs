//! Tokens that mean nothing by themselves: a kind, the id of a credential, and a secret of 256 random bits.
//!
//! ```text
//! sd_53d1…e0_Jx0…   a device   sr_ refresh   sc_ cookie   sl_ link   sp_ pairing   sq_ claim   si_ invite
//! ```
//! The kind stands in front so that people and scanners of leaked secrets know what they see, and so that a token of one
//! kind is never taken for another. The id finds the credential; only a hash of the secret is ever stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sync_core::{CredentialId, IdSource, SecretHash};

/// Random bytes in a secret.
const SECRET_BYTES: usize = 32;

/// Characters of a secret, in unpadded base64.
const SECRET_CHARS: usize = 43;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Signs in a device, for as long as it is not revoked.
    Device,
    /// Yields the next access token, and the next of its own kind.
    Refresh,
    /// Signs in a browser.
    Cookie,
    /// Came by mail, and signs in once.
    Link,
    /// Makes a device, once.
    Pairing,
    /// Fetches the token of a device whose pairing has to be agreed to.
    Claim,
    /// Makes a member, once.
    Invite,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Device => "sd_",
            Self::Refresh => "sr_",
            Self::Cookie => "sc_",
            Self::Link => "sl_",
            Self::Pairing => "sp_",
            Self::Claim => "sq_",
            Self::Invite => "si_",
        }
    }
}

/// A token taken apart. `Debug` does not show its secret.
///
/// ```
/// use sync_core::OsIds;
/// use sync_server::auth::opaque::{OpaqueToken, TokenKind};
/// let token = OpaqueToken::new(TokenKind::Device, &OsIds);
/// let shown = OpaqueToken::parse(TokenKind::Device, &token.text()).unwrap();
/// assert!(shown.is_of(&token.hash()));
/// assert!(OpaqueToken::parse(TokenKind::Refresh, &token.text()).is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueToken {
    kind: TokenKind,
    id: CredentialId,
    secret: String,
}

impl std::fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpaqueToken").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

impl OpaqueToken {
    /// A new token for a new credential.
    pub fn new(kind: TokenKind, ids: &dyn IdSource) -> Self {
        Self::for_credential(kind, new_credential_id(ids), ids)
    }

    /// A new token for a credential that is there.
    pub fn for_credential(kind: TokenKind, id: CredentialId, ids: &dyn IdSource) -> Self {
        let mut secret = [0; SECRET_BYTES];
        ids.fill(&mut secret);
        Self::with_secret(kind, id, &secret)
    }

    /// The token with this secret.
    pub fn with_secret(kind: TokenKind, id: CredentialId, secret: &[u8; SECRET_BYTES]) -> Self {
        Self { kind, id, secret: URL_SAFE_NO_PAD.encode(secret) }
    }

    /// The same for another credential.
    #[must_use]
    pub fn belonging_to(self, id: CredentialId) -> Self {
        Self { id, ..self }
    }

    /// Takes a text apart that should be a token of this kind.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(kind.prefix())?.split_once('_')?;
        let is_secret_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if secret.len() != SECRET_CHARS || !secret.bytes().all(is_secret_byte) {
            return None;
        }
        Some(Self { kind, id: CredentialId::new(id).ok()?, secret: secret.to_owned() })
    }

    /// Whether a text looks like a token of this kind.
    pub fn looks_like(kind: TokenKind, text: &str) -> bool {
        text.starts_with(kind.prefix())
    }

    /// The credential it belongs to.
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// The bytes of its secret; `None` when they are not as many as they should be.
    pub fn secret(&self) -> Option<[u8; SECRET_BYTES]> {
        URL_SAFE_NO_PAD.decode(&self.secret).ok()?.try_into().ok()
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.secret)
    }

    /// Whether `hash` is of its secret; compared in constant time.
    pub fn is_of(&self, hash: &SecretHash) -> bool {
        hash.matches(&self.secret)
    }

    /// The text that is handed out.
    pub fn text(&self) -> String {
        format!("{}{}_{}", self.kind.prefix(), self.id, self.secret)
    }
}

/// A new id for a credential, of 128 random bits.
pub fn new_credential_id(ids: &dyn IdSource) -> CredentialId {
    CredentialId::new(ids.new_hex_id()).expect("32 hexadecimal digits are a credential id")
}

/// The id of what a one-time credential makes. It follows from that credential's, so that whoever made that one can ask
/// later what came of it, when it is gone itself.
pub fn successor_id(of: &CredentialId) -> CredentialId {
    let hash = SecretHash::of(&format!("made by {of}")).to_hex();
    CredentialId::new(&hash[..ID_CHARS]).expect("32 hexadecimal digits are a credential id")
}

/// Characters of the id of a credential.
const ID_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::SeededIds;

    #[test]
    fn what_is_not_exactly_a_token_of_its_kind_is_none() {
        let token = OpaqueToken::new(TokenKind::Device, &SeededIds::new(1));
        let text = token.text();
        assert_eq!(OpaqueToken::parse(TokenKind::Device, &text), Some(token));
        let cut = &text[..text.len() - 1];
        let other_kind = text.replacen("sd_", "sr_", 1);
        let no_id = format!("sd__{}", &text[text.len() - SECRET_CHARS..]);
        let long = format!("{text}A");
        let foreign = format!("{cut}ä");
        for wrong in ["", "sd_", cut, &other_kind, &no_id, &long, &foreign, &text[3..]] {
            assert_eq!(OpaqueToken::parse(TokenKind::Device, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn two_tokens_share_nothing() {
        let ids = SeededIds::new(1);
        let (one, two) = (OpaqueToken::new(TokenKind::Link, &ids), OpaqueToken::new(TokenKind::Link, &ids));
        assert!(one.id() != two.id() && !one.is_of(&two.hash()) && one.is_of(&one.hash()));
        assert!(!format!("{one:?}").contains(&one.secret));
    }
}
