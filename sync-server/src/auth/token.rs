//! Access tokens: what they claim, and which claims are believed.

use serde::{Deserialize, Serialize};
use sync_core::CredentialId;

use super::jws::{Key, parse};
use super::secret::JwtSecret;
use crate::problem::{Code, Problem};

/// Who issues the tokens: `iss`.
pub const ISSUER: &str = "sync-server";

/// Whom they are for: `aud`.
pub const AUDIENCE: &str = "sync";

/// The kind of token this file knows: `typ`.
const ACCESS: &str = "access";

/// How far two clocks may differ. 5 s: servers keep time, and a longer grace is a longer life for a stolen token.
pub const LEEWAY_S: i64 = 5;

/// Issues and verifies access tokens.
///
/// ```
/// use sync_server::auth::{secret::JwtSecret, token::Tokens};
/// let secret = JwtSecret::given("Vb3kq0ZyT8mXr5Lw2Nc7Ju1Gd6Hs9Ea4")?;
/// let tokens = Tokens::new(&secret, 3600);
/// let device = sync_core::CredentialId::new("0123456789abcdef")?;
/// let token = tokens.issue("user-1", &device, "token-1", 1_000_000);
/// assert_eq!(tokens.verify(&token, 1_000_010).unwrap().user, "user-1");
/// assert!(tokens.verify(&token, 1_003_605).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tokens {
    key: Key,
    previous: Option<(Key, i64)>,
    lifetime_s: i64,
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The user it was issued to.
    pub user: String,
    /// The device that is signed in; when it is revoked, so is the token.
    pub device: CredentialId,
    /// When it was issued, in seconds; compare with the time a password was changed.
    pub issued_at: i64,
    /// When it ends, in seconds.
    pub expires_at: i64,
}

/// The whole document. A claim that is not listed, or is listed twice, makes the token invalid.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    typ: String,
    jti: String,
    sid: CredentialId,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    nbf: Option<i64>,
    exp: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Tokens {
    /// Tokens signed with `secret` that live `lifetime_s` seconds.
    ///
    /// The lifetime is also the longest that is accepted: shortening it ends older, longer tokens.
    pub fn new(secret: &JwtSecret, lifetime_s: u32) -> Self {
        Self { key: Key::new(secret), previous: None, lifetime_s: lifetime_s.into() }
    }

    /// Also accepts what `secret` signed, until the second `until`: the overlap of a key rotation.
    pub fn with_previous(mut self, secret: &JwtSecret, until: i64) -> Self {
        self.previous = Some((Key::new(secret), until));
        self
    }

    /// A new token for `user` on `device`, named `token_id`, beginning at the second `now`.
    pub fn issue(&self, user: &str, device: &CredentialId, token_id: &str, now: i64) -> String {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: Audience::One(AUDIENCE.into()),
            sub: user.into(),
            typ: ACCESS.into(),
            jti: token_id.into(),
            sid: device.clone(),
            iat: now,
            nbf: None,
            exp: now.saturating_add(self.lifetime_s),
        };
        self.key.sign(&serde_json::to_vec(&claims).expect("strings and numbers always serialise"))
    }

    /// 32 bytes that nobody without the secret can tell: always the same for a purpose and a text.
    pub fn derive(&self, purpose: &str, text: &str) -> [u8; 32] {
        self.key.derive(purpose, text)
    }

    /// What `token` says, if it holds at the second `now`.
    ///
    /// Whether its user, its device or the token itself still exists is for the caller to ask.
    ///
    /// # Errors
    ///
    /// `token_expired` for a token that is right in everything but its age; `invalid_token` for all else.
    pub fn verify(&self, token: &str, now: i64) -> Result<Access, Problem> {
        let claims =
            self.claims(token, now).filter(|claims| self.believes(claims, now)).ok_or(Code::InvalidToken)?;
        if now >= claims.exp.saturating_add(LEEWAY_S) {
            return Err(Code::TokenExpired.into());
        }
        Ok(Access { user: claims.sub, device: claims.sid, issued_at: claims.iat, expires_at: claims.exp })
    }

    fn claims(&self, token: &str, now: i64) -> Option<Claims> {
        let parsed = parse(token)?;
        let previous = self.previous.iter().filter(|(_, until)| now < *until).map(|(key, _)| key);
        if !std::iter::once(&self.key).chain(previous).any(|key| key.signed(&parsed)) {
            return None;
        }
        serde_json::from_slice(&parsed.claims).ok()
    }

    fn believes(&self, claims: &Claims, now: i64) -> bool {
        let for_us = match &claims.aud {
            Audience::One(audience) => audience == AUDIENCE,
            Audience::Many(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
        };
        let latest_start = now.saturating_add(LEEWAY_S);
        let lifetime = claims.exp.saturating_sub(claims.iat);
        for_us
            && claims.iss == ISSUER
            && claims.typ == ACCESS
            && !claims.sub.is_empty()
            && (0..=latest_start).contains(&claims.iat)
            && claims.nbf.is_none_or(|nbf| (0..=latest_start).contains(&nbf))
            && (1..=self.lifetime_s).contains(&lifetime)
    }
}

/// An optional claim may be left out, but `null` is not a number.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
