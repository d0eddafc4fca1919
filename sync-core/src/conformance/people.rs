//! Users, credentials and changes of them, in few words.

use std::sync::Arc;

use crate::accounts::{
    Accounts, Change, Changed, Credential, CredentialKind, Device, Holder, Invite, Notices, Pairing, Proof,
    Purpose, Role, SecretHash, SpaceInfo, SpaceName, Synced, User,
};
use crate::clock::Timestamp;
use crate::conformance::{Verdict, actor, seq, space_id};
use crate::error::Result;
use crate::types::{ActorId, CredentialId, SpaceId};

/// A user who signs in with a name and a password, without an address.
///
/// # Panics
///
/// When the id is not valid; so do the other functions here that take names.
pub fn user(id: &str, name: &str) -> User {
    User {
        id: actor(id),
        name: name.into(),
        name_key: Some(name.to_lowercase()),
        address: None,
        password_hash: Some("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into()),
        home: None,
        created_at: Timestamp::ZERO,
    }
}

/// A user.
pub fn held_by(id: &str) -> Holder {
    Holder::User(actor(id))
}

/// The id of a credential: `name`, made as long as ids have to be.
pub fn credential_id(name: &str) -> CredentialId {
    CredentialId::new(format!("{name:-<16}")).expect("tests use valid credential ids")
}

/// A moment, in microseconds.
pub fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("tests use moments within the range")
}

/// A credential in its first revision, which does not end by itself.
pub fn credential(name: &str, holder: Holder, purpose: Purpose) -> Credential {
    Credential {
        id: credential_id(name),
        holder,
        revision: 1,
        secret: SecretHash::of(name),
        created_at: Timestamp::ZERO,
        expires_at: None,
        purpose,
    }
}

/// A device that shows a token, of the user with this id.
pub fn device(name: &str, of: &str) -> Credential {
    let device = Device {
        proof: Proof::Token,
        name: format!("the {name} of {of}"),
        platform: None,
        family: None,
        spent: Vec::new(),
        exchange: None,
        ends_at: None,
    };
    credential(name, held_by(of), Purpose::Device(device))
}

/// A pairing of the user with this id.
pub fn pairing(name: &str, of: &str) -> Credential {
    credential(
        name,
        held_by(of),
        Purpose::Pairing(Pairing { misses: 0, confirm: false, claim: None, by: None }),
    )
}

/// An invite to a space.
pub fn invite(name: &str, space: &str) -> Credential {
    let invite = Invite { role: Role::Editor, address: None, by: None };
    credential(name, Holder::Space(space_id(space)), Purpose::Invite(invite))
}

/// How far a device is in a space.
pub fn synced(name: &str, space: &str, position: i64) -> Synced {
    let (credential, space) = (credential_id(name), space_id(space));
    Synced { credential, space, position: seq(position), at: time(position * 10) }
}

/// What is known about a space that was created at the beginning of time, with this name or none.
pub fn space_info(space: &str, name: Option<&str>) -> SpaceInfo {
    SpaceInfo {
        space: space_id(space),
        name: name.map(|name| SpaceName::new(name).expect("tests use valid space names")),
        created_at: Some(Timestamp::ZERO),
        updated_at: time(1),
    }
}

/// Describes a space with that.
pub fn describe(space: &str, name: Option<&str>) -> Change {
    Change::DescribeSpace(space_info(space, name))
}

/// Gives someone a role in a space, or takes it away.
pub fn set_role(space: &str, id: &str, role: impl Into<Option<Role>>) -> Change {
    Change::SetRole { space: space_id(space), actor: actor(id), role: role.into() }
}

/// Takes a credential in a revision.
pub fn take(name: &str, revision: u32) -> Change {
    Change::TakeCredential { id: credential_id(name), revision }
}

/// Makes changes that must be possible.
///
/// # Errors
///
/// Those of the store.
///
/// # Panics
///
/// When they are refused.
pub async fn make(accounts: &dyn Accounts, changes: &[Change]) -> Verdict {
    assert_eq!(accounts.change(changes).await?, Changed::Done, "{changes:?}");
    Ok(())
}

/// All that accounts answer, as far as tests have anything there.
#[derive(Debug, PartialEq, Eq)]
pub struct People {
    users: Vec<User>,
    members: Vec<(SpaceId, Vec<(ActorId, Role)>)>,
    spaces: Vec<Vec<(SpaceId, Role)>>,
    infos: Vec<SpaceInfo>,
    held: Vec<Credential>,
    synced: Vec<Synced>,
    notices: Notices,
}

/// Asks for everything about these spaces and users, and about the server.
///
/// # Errors
///
/// Those of the store.
pub async fn people(accounts: &Arc<dyn Accounts>, spaces: &[&str], ids: &[&str]) -> Result<People> {
    let (mut members, mut of, mut held) = (Vec::new(), Vec::new(), Vec::new());
    let mut holders = vec![Holder::Server];
    for name in spaces {
        members.push((space_id(name), accounts.members(&space_id(name), None, usize::MAX).await?));
        holders.push(Holder::Space(space_id(name)));
    }
    for id in ids {
        of.push(accounts.spaces_of(&actor(id), None, usize::MAX).await?);
        holders.push(held_by(id));
    }
    for holder in holders {
        held.extend(accounts.credentials(&holder, None, usize::MAX).await?);
    }
    let devices: Vec<CredentialId> = held.iter().map(|credential| credential.id.clone()).collect();
    Ok(People {
        users: accounts.users(None, usize::MAX).await?,
        members,
        spaces: of,
        infos: accounts.space_infos(&spaces.iter().map(|name| space_id(name)).collect::<Vec<_>>()).await?,
        held,
        synced: accounts.synced(&devices, usize::MAX).await?,
        notices: accounts.notices(Some(0)).await?,
    })
}

/// One of every kind of change, each possible after those before it, and then everything that can be asked: for backends
/// that look at the statements by which they do it. Refusals do not end it.
///
/// # Errors
///
/// Those of the store.
pub async fn everything_about_people(accounts: &dyn Accounts, space: &str, id: &str) -> Result<()> {
    let (space_id, actor, phone) = (space_id(space), actor(id), device("phone", id));
    let end = |except| Change::EndCredentials { holder: held_by(id), kind: CredentialKind::Device, except };
    let changes = [
        Change::CreateUser(user(id, id)),
        Change::UpdateUser(User { address: Some("a@b.c".into()), ..user(id, id) }),
        set_role(space, id, Role::Owner),
        set_role(space, id, None),
        describe(space, Some("Home")),
        Change::AddCredential(phone.clone()),
        Change::ReplaceCredential(phone.changed(|_| {})),
        Change::NoteSynced(synced("phone", space, 1)),
        take("phone", 2),
        end(Some(phone.id.clone())),
        end(None),
        Change::ForgetExpired { before: time(1), limit: 100 },
        Change::RequireUser(actor.clone()),
        Change::RequireRole { space: space_id.clone(), actor: actor.clone(), role: None },
        Change::RequireOwner(space_id.clone()),
        Change::RequireNobody(space_id.clone()),
        Change::RequireSuccessors(actor.clone()),
        Change::PassOn { from: actor.clone(), to: ActorId::new("heir").expect("a valid id") },
        Change::DeleteUser(actor.clone()),
        Change::ForgetSpace(space_id.clone()),
    ];
    for change in changes {
        let _ = accounts.change(&[change]).await?;
    }
    accounts.user(&actor).await?;
    accounts.user_by_name(id).await?;
    accounts.user_by_address("a@b.c").await?;
    accounts.role(&space_id, &actor).await?;
    accounts.credential(&phone.id).await?;
    for n in [1, 2, 50] {
        let devices: Vec<CredentialId> = (0..n).map(|n| credential_id(&format!("phone-{n}"))).collect();
        accounts.synced(&devices, 9).await?;
        let spaces: Vec<SpaceId> = (0..n).map(|n| self::space_id(&format!("{space}-{n}"))).collect();
        accounts.space_infos(&spaces).await?;
    }
    for (after_user, after_space, after_device) in
        [(None, None, None), (Some(&actor), Some(&space_id), Some(&phone.id))]
    {
        accounts.users(after_user, 9).await?;
        accounts.members(&space_id, after_user, 9).await?;
        accounts.spaces_of(&actor, after_space, 9).await?;
        accounts.credentials(&held_by(id), after_device, 9).await?;
    }
    accounts.notices(None).await?;
    accounts.notices(Some(5)).await.map(drop)
}
