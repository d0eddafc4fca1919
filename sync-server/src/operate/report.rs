//! What is reported: types whose JSON is what scripts read. Keys are added, never changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sync_core::store::SpaceStats;
use sync_core::{
    ActorId, Claim, Collection, CredentialId, Role, Seq, SpaceId, SpaceInfo, SpaceName, Timestamp, User,
};

use crate::config::Hidden;
use crate::identity::{DeviceStatus, Invited};
use crate::origin::Origin;
use crate::pages::invite_link;

/// What came of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It is done.
    Done,
    /// Some of the users.
    Users(Page<UserLine>),
    /// A user.
    User(Box<UserReport>),
    /// Devices.
    Devices(Vec<DeviceLine>),
    /// Some of the spaces.
    Spaces(Page<SpaceLine>),
    /// A space.
    Space(Box<SpaceReport>),
    /// The members of a space.
    Members(Vec<MemberLine>),
    /// An invite.
    Invite(InviteReport),
    /// Invites that are open.
    Invites(Vec<InviteLine>),
    /// A link that signs in.
    Link(LinkReport),
    /// A code for another device.
    Pairing(PairingReport),
    /// What became of a code.
    Progress(PairingProgress),
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// Whether there may be more after the last of them.
    pub more: bool,
}

/// A user in a list.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserLine {
    /// Their id.
    pub user: ActorId,
    /// What they are called.
    pub name: String,
    /// Their mail address.
    pub address: Option<String>,
    /// Whether they can sign in with a password.
    pub has_password: bool,
    /// Their personal space.
    pub space: Option<SpaceId>,
    /// When they came.
    pub created_at: Timestamp,
}

impl UserLine {
    pub(super) fn of(user: &User) -> Self {
        Self {
            user: user.id.clone(),
            name: user.name.clone(),
            address: user.address.clone(),
            has_password: user.password_hash.is_some(),
            space: user.home.clone(),
            created_at: user.created_at,
        }
    }
}

impl std::fmt::Debug for UserLine {
    /// Names and addresses do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserLine").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A user with what is theirs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserReport {
    /// Who.
    #[serde(flatten)]
    pub user: UserLine,
    /// Where they are in, and as what.
    pub spaces: BTreeMap<SpaceId, Role>,
    /// What they have signed in.
    pub devices: Vec<DeviceLine>,
}

/// A device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceLine {
    /// Its id.
    pub device: CredentialId,
    /// What its user calls it.
    pub name: String,
    /// What it runs on.
    pub platform: Option<String>,
    /// How it is signed in: `sign_in`, `browser` or `device`.
    pub kind: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it synced last, wherever.
    pub last_sync_at: Option<Timestamp>,
    /// How far it is.
    pub spaces: Vec<SyncLine>,
}

impl DeviceLine {
    pub(super) fn of(device: DeviceStatus, spaces: Vec<SyncLine>) -> Self {
        Self {
            kind: device.kind().to_owned(),
            device: device.id,
            name: device.name,
            platform: device.platform,
            created_at: device.created_at,
            expires_at: device.expires_at,
            last_sync_at: device.synced.iter().map(|synced| synced.at).max(),
            spaces,
        }
    }
}

/// How far a device is in a space.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncLine {
    /// The space.
    pub space: SpaceId,
    /// When it synced last.
    pub last_sync_at: Timestamp,
    /// It has everything up to here.
    pub position: Seq,
    /// Microseconds between that and the newest change.
    pub lag_us: i64,
}

/// A space in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceLine {
    /// Its id.
    pub space: SpaceId,
    /// What its members call it.
    pub name: Option<SpaceName>,
    /// When it was created, if that is known.
    pub created_at: Option<Timestamp>,
}

impl SpaceLine {
    pub(super) fn of(space: SpaceId, info: Option<SpaceInfo>) -> Self {
        let (name, created_at) = info.map(|info| (info.name, info.created_at)).unwrap_or_default();
        Self { space, name, created_at }
    }
}

/// A space with who is in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceReport {
    /// Which.
    #[serde(flatten)]
    pub space: SpaceLine,
    /// The position of its newest change.
    pub head: Seq,
    /// Records in it.
    pub n_records: u64,
    /// Records in each collection.
    pub collections: BTreeMap<Collection, u64>,
    /// Who is in it.
    pub members: Vec<MemberLine>,
}

impl SpaceReport {
    pub(super) fn of(space: SpaceLine, head: Seq, stats: SpaceStats, members: Vec<MemberLine>) -> Self {
        // What the library keeps for itself is no record of anyone.
        let own = stats.collections.into_iter().filter(|one| !one.collection.is_system());
        let collections: BTreeMap<_, _> = own.map(|one| (one.collection, one.n_records)).collect();
        Self { space, head, n_records: collections.values().sum(), collections, members }
    }
}

/// Someone in a space.
#[derive(Clone, Serialize, Deserialize)]
pub struct MemberLine {
    /// Who.
    pub user: ActorId,
    /// What they are called.
    pub name: Option<String>,
    /// As what.
    pub role: Role,
}

impl std::fmt::Debug for MemberLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberLine")
            .field("user", &self.user)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// An invite, which works once, for whoever has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteReport {
    /// Its id, which lets nobody in: with it the invite can be taken back.
    pub id: CredentialId,
    /// Where to open it.
    pub url: Hidden,
    /// What it says there: what an app shows as `invite` when it registers someone, or accepts for who has an account.
    pub invite: Hidden,
    /// Until when.
    pub expires_at: Timestamp,
}

impl InviteReport {
    pub(super) fn of(base_url: &Origin, Invited { id, token, expires_at }: Invited) -> Self {
        let url = invite_link(base_url.as_str(), &token).as_str().into();
        Self { id, url, invite: token.as_str().into(), expires_at }
    }
}

/// An invite that is open, without what lets in.
#[derive(Clone, Serialize, Deserialize)]
pub struct InviteLine {
    /// Its id.
    pub id: CredentialId,
    /// The role it gives; none for an invite to register.
    pub role: Option<Role>,
    /// The mail address of the one who may accept it, if not everyone may.
    pub address: Option<String>,
    /// Who made it, if not an operator.
    pub by: Option<ActorId>,
    /// Until when.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for InviteLine {
    /// Addresses do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InviteLine").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A link that signs in once, whoever opens it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkReport {
    /// The link.
    pub url: Hidden,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A code for another device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PairingReport {
    /// Whose device it will be.
    pub user: ActorId,
    /// The pairing.
    pub pairing: CredentialId,
    /// The text of the code: the address of the server and a one-time token.
    pub url: Hidden,
    /// Until when it can be redeemed.
    pub expires_at: Timestamp,
}

/// What became of a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingProgress {
    /// Nobody has taken it yet.
    Offered,
    /// Someone has, and waits for a yes.
    Claimed(Claimed),
    /// They got it, and fetch their token.
    Confirmed,
    /// This device came in by it.
    Paired(Box<DeviceLine>),
    /// Nobody came in by it: it was taken back, refused, guessed at too often, or is too old.
    Over,
}

/// Who has redeemed a code and waits for a yes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Claimed {
    /// What the device calls itself.
    pub name: String,
    /// What it says it runs on.
    pub platform: Option<String>,
    /// Where it comes from.
    pub from: String,
    /// When it came.
    pub at: Timestamp,
}

impl Claimed {
    pub(super) fn of(Claim { name, platform, from, at, .. }: Claim) -> Self {
        Self { name, platform, from, at }
    }
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed").field("at", &self.at).finish_non_exhaustive()
    }
}
