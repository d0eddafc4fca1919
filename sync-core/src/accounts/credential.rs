//! Credentials: everything by which the server knows someone again. A store keeps hashes of their secrets, never a secret.
//!
//! ```text
//! device    signs in until it is revoked   held by a user      password sign-ins, browsers, paired devices
//! link      signs in once, by mail         held by an address
//! pairing   makes one device               held by a user
//! invite    makes one member or user       held by a space, or by the server
//! ```

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::accounts::Role;
use crate::clock::Timestamp;
use crate::types::{ActorId, CredentialId, Seq, SpaceId};

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id, which is no secret.
    pub id: CredentialId,
    /// To whom or what it belongs: with that it goes.
    pub holder: Holder,
    /// How often it was changed: 1, 2, 3 …
    pub revision: u32,
    /// Of the secret that has to be shown.
    pub secret: SecretHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// What it is good for.
    pub purpose: Purpose,
}

impl Credential {
    /// Whether it has ended by itself.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Which kind it is of.
    pub fn kind(&self) -> CredentialKind {
        match &self.purpose {
            Purpose::Device(_) => CredentialKind::Device,
            Purpose::Link(_) => CredentialKind::Link,
            Purpose::Pairing(_) => CredentialKind::Pairing,
            Purpose::Invite(_) => CredentialKind::Invite,
        }
    }

    /// Whether its own secret is what requests show.
    pub(super) fn is_shown(&self) -> bool {
        matches!(&self.purpose, Purpose::Device(device) if device.proof != Proof::Refresh)
    }

    /// What there is after `change`: the next revision.
    #[must_use]
    pub fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        next.revision = self.revision.saturating_add(1);
        next
    }
}

/// To whom or what a credential belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A user.
    User(ActorId),
    /// A space.
    Space(SpaceId),
    /// Whoever reads the mail of an address, in a form that does not show the address.
    Address(String),
    /// The server itself.
    Server,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// [`Purpose::Device`]
    Device,
    /// [`Purpose::Link`]
    Link,
    /// [`Purpose::Pairing`]
    Pairing,
    /// [`Purpose::Invite`]
    Invite,
}

impl CredentialKind {
    /// The word for it in stores and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Link => "link",
            Self::Pairing => "pairing",
            Self::Invite => "invite",
        }
    }
}

/// What a credential is good for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Signs in, again and again.
    Device(Device),
    /// Signs in once whoever reads the mail of an address.
    Link(Link),
    /// Makes a device, once.
    Pairing(Pairing),
    /// Makes a member of a space, or a user, once.
    Invite(Invite),
}

impl fmt::Debug for Purpose {
    /// Shows the kind alone: names of devices and addresses do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device(_) => "Device",
            Self::Link(_) => "Link",
            Self::Pairing(_) => "Pairing",
            Self::Invite(_) => "Invite",
        })
    }
}

/// Something that signs in and can be revoked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What it shows to sign in.
    pub proof: Proof,
    /// What its user calls it.
    pub name: String,
    /// What it runs on, by its own word.
    pub platform: Option<String>,
    /// Of what is the same in all secrets that it shows one after another: who shows that with an older one has a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<SecretHash>,
    /// Secrets shown before there were families, newest last: who shows one of them has a copy.
    #[serde(default)]
    pub spent: Vec<SecretHash>,
    /// What the one before this secret was shown together with, by someone who may repeat both.
    #[serde(default)]
    pub exchange: Option<SecretHash>,
    /// However often it is used, it ends then.
    pub ends_at: Option<Timestamp>,
}

/// What a device shows to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A refresh token, which is another one after each use, and access tokens in between.
    Refresh,
    /// A cookie.
    Cookie,
    /// A token that stays.
    Token,
}

/// A letter that signs in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The normal form of the address it was sent to.
    pub address: String,
}

/// An offer to sign in a device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// How often a wrong secret was shown.
    pub misses: u32,
    /// Whether its user has to agree when they see who has taken it.
    pub confirm: bool,
    /// Who has taken it.
    pub claim: Option<Claim>,
    /// The device that shows it, without which it is void.
    #[serde(default)]
    pub by: Option<CredentialId>,
}

/// A device that has taken a pairing and waits for its user to agree.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What the device calls itself.
    pub name: String,
    /// What it runs on, by its own word.
    pub platform: Option<String>,
    /// From where it came.
    pub from: String,
    /// When.
    pub at: Timestamp,
    /// Of what it alone knows, to fetch its token with.
    pub secret: SecretHash,
    /// Whether its user agreed.
    pub is_confirmed: bool,
}

/// An offer to become a member of a space, or a user of the server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Which role it gives in the space that holds it.
    pub role: Role,
    /// Whose address the one who accepts must have.
    pub address: Option<String>,
    /// Who made it. It is void when they may not any more.
    pub by: Option<ActorId>,
}

/// How far a device is in a space, by what it last asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// The device.
    pub credential: CredentialId,
    /// The space.
    pub space: SpaceId,
    /// It has everything up to here.
    pub position: Seq,
    /// When it last synced.
    pub at: Timestamp,
}

/// The hash of a secret: BLAKE3, as secrets have 256 random bits and nobody guesses them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Of a secret.
    ///
    /// ```
    /// use sync_core::SecretHash;
    /// let hash = SecretHash::of("correct horse");
    /// assert!(hash.matches("correct horse") && !hash.matches("battery staple"));
    /// ```
    pub fn of(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }

    /// As hexadecimal digits.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_string()
    }

    /// Whether it is of this secret; compared in constant time.
    pub fn matches(&self, secret: &str) -> bool {
        blake3::hash(secret.as_bytes()) == blake3::Hash::from_bytes(self.0)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(***)")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(hex).map_err(serde::de::Error::custom)?;
        Ok(Self(*hash.as_bytes()))
    }
}
