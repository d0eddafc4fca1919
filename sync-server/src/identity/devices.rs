//! Devices: what is signed in, how far it is, and its end.

use sync_core::{
    ActorId, Change, Changed, Credential, CredentialId, Device, ErrorKind, Holder, Proof, Purpose, Seq,
    SpaceId, Synced, Timestamp,
};

use super::behalf::Behalf;
use super::grant::Grant;
use super::signed_in::SignedIn;
use crate::auth::username::is_invisible;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// Devices of one user with tokens of their own. 100: a household of machines.
pub const DEVICES_MAX: usize = 100;

/// Sign-ins of one user, in browsers and elsewhere; of more the oldest end. 100: as many again.
pub const SIGN_INS_MAX: usize = 100;

/// Characters of the name of a device, and of its platform. 100: a line.
const NAME_CHARS_MAX: usize = 100;

/// Bytes looked at before counting characters.
const NAME_BYTES_MAX: usize = 1024;

/// Positions that are read for a list of devices. 20,000: two hundred devices in a hundred spaces.
const SYNCED_MAX: usize = 20_000;

/// What a device says of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDevice {
    name: String,
    platform: Option<String>,
}

impl NewDevice {
    /// A device with this name, on this platform. Without a name it is called after the way it came in.
    ///
    /// # Errors
    ///
    /// `validation_failed` at `/device_name` or `/platform` for what is empty, longer than 100 characters, or has control
    /// characters or such that nobody sees: people read these lines to decide whom they let in.
    pub fn new(name: Option<&str>, platform: Option<&str>) -> Result<Self, Problem> {
        let name = name.map(|name| plain("/device_name", name)).transpose()?;
        let platform = platform.map(|platform| plain("/platform", platform)).transpose()?;
        Ok(Self { name: name.unwrap_or_else(|| "unnamed".to_owned()), platform })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it runs on.
    pub fn platform(&self) -> Option<&str> {
        self.platform.as_deref()
    }
}

impl std::fmt::Debug for NewDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewDevice(***)")
    }
}

/// A line of text for people, exactly as it was given.
pub(super) fn plain(pointer: &str, text: &str) -> Result<String, Problem> {
    let refused = |why: &str| Err(Problem::new(Code::ValidationFailed).detail(why).pointer(pointer));
    if text.len() > NAME_BYTES_MAX || text.chars().count() > NAME_CHARS_MAX {
        return refused("it must have at most 100 characters")
            .map_err(|p: Problem| p.limit(NAME_CHARS_MAX as u64));
    }
    if text.trim().is_empty() {
        return refused("it must not be empty");
    }
    if !is_seen(text) {
        return refused("it must not contain control or invisible characters");
    }
    Ok(text.to_owned())
}

/// Whether people see all of a text. What joins pictures to one, and gives them colour, is seen in them: telephones are
/// called "❤️".
fn is_seen(text: &str) -> bool {
    let mut before = None;
    text.chars().all(|c| {
        let is_in_picture = matches!(c, '\u{200d}' | '\u{fe0f}')
            && before.is_some_and(|before: char| !before.is_ascii() && !before.is_alphanumeric());
        before = Some(c);
        is_in_picture || !(c.is_control() || is_invisible(c))
    })
}

/// A device, and how far it is.
#[derive(Clone)]
pub struct DeviceStatus {
    /// Its id.
    pub id: CredentialId,
    /// What its user calls it.
    pub name: String,
    /// What it runs on.
    pub platform: Option<String>,
    /// What it shows to sign in.
    pub proof: Proof,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Where it synced, and up to which position.
    pub synced: Vec<SyncedSpace>,
}

impl DeviceStatus {
    /// What people call its way of signing in: `sign_in`, `browser` or `device`.
    pub fn kind(&self) -> &'static str {
        match self.proof {
            Proof::Refresh => "sign_in",
            Proof::Cookie => "browser",
            Proof::Token => "device",
        }
    }
}

/// How far a device is in one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedSpace {
    /// The space.
    pub space: SpaceId,
    /// When it last synced.
    pub at: Timestamp,
    /// It has everything up to here.
    pub position: Seq,
}

impl Identity {
    /// Adds a device of someone who is signed in.
    ///
    /// # Errors
    ///
    /// `quota_exceeded`.
    pub async fn add_device(&self, who: &SignedIn, device: &NewDevice) -> Result<Grant, Problem> {
        let user = self.user(&who.user).await?;
        let there = (Change::RequireCredential(who.device.clone()), Code::TokenRevoked);
        self.grant_taking(user, vec![there], Proof::Token, device).await
    }

    /// The devices of a user that have not ended, oldest first, with how far they are.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn devices(&self, user: &ActorId) -> Result<Vec<DeviceStatus>, Problem> {
        self.write_notes().await?;
        let mut devices = self.devices_in_use(user).await?;
        devices.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let ids: Vec<_> = devices.iter().map(|device| device.id.clone()).collect();
        let synced = self.accounts().synced(&ids, SYNCED_MAX).await?;
        Ok(devices.iter().filter_map(|device| status(device, &synced)).collect())
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// `not_found`, alike for a device that is not there and for one of somebody else.
    pub async fn device(&self, user: &ActorId, id: &CredentialId) -> Result<DeviceStatus, Problem> {
        self.write_notes().await?;
        let device = self.own_device(user, id).await?;
        let synced = self.accounts().synced(std::slice::from_ref(id), SYNCED_MAX).await?;
        Ok(status(&device, &synced).ok_or(Code::NotFound)?)
    }

    /// How old the oldest change is that a device has not got yet, counted from the newest, in microseconds; `None` when
    /// its user is not in that space any more.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn lag_us(&self, user: &ActorId, synced: &SyncedSpace) -> Result<Option<i64>, Problem> {
        if self.accounts().role(&synced.space, user).await?.is_none() {
            return Ok(None);
        }
        match self.0.service.head(&synced.space).await {
            Ok(head) => Ok(Some((head.get() - synced.position.get()).max(0))),
            // A role may outlive its space for a moment.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a device another name.
    ///
    /// # Errors
    ///
    /// `not_found`, `validation_failed`, `token_revoked`.
    pub async fn rename_device(
        &self,
        who: impl Into<Behalf<'_>>,
        id: &CredentialId,
        name: &str,
    ) -> Result<(), Problem> {
        let who = who.into();
        let name = plain("/device_name", name)?;
        let device = self.own_device(who.user(), id).await?;
        let renamed = device.changed(|next| {
            if let Purpose::Device(details) = &mut next.purpose {
                details.name = name;
            }
        });
        self.change_as(who, vec![(Change::ReplaceCredential(renamed), Code::Overloaded)]).await
    }

    /// Signs a device out for good: its next request is refused, and its open connections end. What it has not sent yet
    /// stays with it.
    ///
    /// # Errors
    ///
    /// `not_found`, as [`device`](Identity::device); `token_revoked`.
    pub async fn revoke_device(&self, who: impl Into<Behalf<'_>>, id: &CredentialId) -> Result<(), Problem> {
        let who = who.into();
        let device = self.own_device(who.user(), id).await?;
        self.revoke_as(Some(who), &device).await
    }

    /// Removes a credential, in whichever revision it is by now.
    pub(super) async fn revoke(&self, credential: &Credential) -> Result<(), Problem> {
        self.revoke_as(None, credential).await
    }

    /// As [`revoke`](Self::revoke), on somebody's behalf.
    pub(super) async fn revoke_as(
        &self,
        who: Option<Behalf<'_>>,
        credential: &Credential,
    ) -> Result<(), Problem> {
        let (id, mut revision) = (&credential.id, credential.revision);
        for _ in 0..REVISIONS_MAX {
            let mut changes: Vec<_> =
                who.and_then(Behalf::there).map(|(there, _)| there).into_iter().collect();
            changes.push(Change::TakeCredential { id: id.clone(), revision });
            match self.change(&changes).await? {
                Changed::Done => return Ok(()),
                Changed::Refused(idx) if idx + 1 < changes.len() => return Err(Code::TokenRevoked.into()),
                Changed::Refused(_) => {}
            }
            match self.accounts().credential(id).await? {
                Some(now) => revision = now.revision,
                None => return Ok(()),
            }
        }
        Err(Problem::new(Code::Overloaded).retry_after(1))
    }

    async fn own_device(&self, user: &ActorId, id: &CredentialId) -> Result<Credential, Problem> {
        let found = self.accounts().credential(id).await?;
        let is_theirs = |device: &Credential| {
            device.holder == Holder::User(user.clone())
                && matches!(device.purpose, Purpose::Device(_))
                && !device.is_expired(self.now())
        };
        Ok(found.filter(is_theirs).ok_or(Code::NotFound)?)
    }

    /// The devices of a user that have not ended.
    pub(super) async fn devices_in_use(&self, user: &ActorId) -> Result<Vec<Credential>, Problem> {
        let holder = Holder::User(user.clone());
        let (mut devices, mut last, now) = (Vec::new(), None::<CredentialId>, self.now());
        loop {
            let page = self.accounts().credentials(&holder, last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            last = page.last().map(|credential| credential.id.clone());
            let is_device =
                |one: &Credential| matches!(one.purpose, Purpose::Device(_)) && !one.is_expired(now);
            devices.extend(page.into_iter().filter(is_device));
            if is_last {
                return Ok(devices);
            }
        }
    }
}

/// How often a credential may have changed before it could be removed. 1,000: what changes one is limited, and giving up
/// would leave a thief signed in.
const REVISIONS_MAX: usize = 1000;

/// Credentials that are read at once.
const PAGE: usize = 500;

fn status(device: &Credential, synced: &[Synced]) -> Option<DeviceStatus> {
    let Purpose::Device(Device { proof, name, platform, .. }) = &device.purpose else { return None };
    let its = synced.iter().filter(|synced| synced.credential == device.id);
    Some(DeviceStatus {
        id: device.id.clone(),
        name: name.clone(),
        platform: platform.clone(),
        proof: *proof,
        created_at: device.created_at,
        expires_at: device.expires_at,
        synced: its
            .map(|Synced { space, position, at, .. }| SyncedSpace {
                space: space.clone(),
                at: *at,
                position: *position,
            })
            .collect(),
    })
}
