//! What is done to users, roles and credentials. Whatever is found by more than one thing is in one more table for each.

use redb::{ReadableTable, WriteTransaction};
use sync_core::{
    ActorId, Change, Changed, Credential, CredentialId, CredentialKind, Holder, NOTICES_KEPT, Notice, Role,
    SpaceId, SpaceInfo, Synced, Timestamp, User,
};

use crate::error::{Job, corrupt};
use crate::pages::after_key;
use crate::rows;
use crate::tables::{
    CREDENTIALS, ENDS, HELD, MEMBERS, NOTICES, ROLES, SPACE_INFOS, SYNCED, USER_ADDRESSES, USER_NAMES, USERS,
};

/// Makes these changes, up to the first that cannot be made: then nothing must be committed.
pub(crate) fn make(txn: &WriteTransaction, changes: &[Change]) -> Job<Changed> {
    for (idx, change) in changes.iter().enumerate() {
        if !make_one(txn, change)? {
            return Ok(Changed::Refused(idx));
        }
        if let Some(notice) = change.notice() {
            leave(txn, &notice)?;
        }
    }
    Ok(Changed::Done)
}

fn make_one(txn: &WriteTransaction, change: &Change) -> Job<bool> {
    match change {
        Change::CreateUser(user) => create_user(txn, user),
        Change::UpdateUser(user) => update_user(txn, user),
        Change::DeleteUser(id) => delete_user(txn, id),
        Change::SetRole { space, actor, role } => {
            set_role(txn, space.as_str(), actor.as_str(), *role).map(|()| true)
        }
        Change::DescribeSpace(info) => describe(txn, info).map(|()| true),
        Change::ForgetSpace(space) => forget_space(txn, space).map(|()| true),
        Change::PassOn { from, to } => pass_on(txn, from, to).map(|()| true),
        Change::AddCredential(credential) => add(txn, credential),
        Change::ReplaceCredential(credential) => replace(txn, credential),
        Change::TakeCredential { id, revision } => take(txn, id, *revision),
        Change::EndCredentials { holder, kind, except } => {
            end(txn, holder, Some(*kind), except.as_ref()).map(|()| true)
        }
        Change::ForgetExpired { before, limit } => forget_expired(txn, *before, *limit).map(|()| true),
        Change::NoteSynced(synced) => note(txn, synced).map(|()| true),
        Change::RequireUser(id) => Ok(txn.open_table(USERS)?.get(id.as_str())?.is_some()),
        Change::RequireRole { space, actor, role } => {
            let roles = txn.open_table(ROLES)?;
            let found = roles.get((actor.as_str(), space.as_str()))?;
            Ok(found.as_ref().map(|word| word.value()) == role.map(Role::as_str))
        }
        Change::RequireCredential(id) => Ok(find(txn, id.as_str())?.is_some()),
        Change::RequireUnchanged(user) => Ok(find_user(txn, &user.id)?.as_ref() == Some(user)),
        Change::RequireNobody(space) => Ok(members(txn, space.as_str())?.is_empty()),
        Change::RequireSuccessors(actor) => {
            let sizes = owned_alone(txn, actor)?.into_iter().map(|space| Ok(members(txn, &space)?.len()));
            Ok(sizes.collect::<Job<Vec<_>>>()?.iter().all(|size| *size == 1))
        }
        Change::RequireOwner(space) => {
            Ok(members(txn, space.as_str())?.iter().any(|(_, word)| word == Role::Owner.as_str()))
        }
    }
}

fn create_user(txn: &WriteTransaction, user: &User) -> Job<bool> {
    let is_new = find_user(txn, &user.id)?.is_none();
    Ok(is_new && put_user(txn, user)?)
}

fn update_user(txn: &WriteTransaction, user: &User) -> Job<bool> {
    let Some(before) = find_user(txn, &user.id)? else { return Ok(false) };
    forget_names(txn, &before)?;
    put_user(txn, user)
}

fn delete_user(txn: &WriteTransaction, id: &ActorId) -> Job<bool> {
    let Some(user) = find_user(txn, id)? else { return Ok(false) };
    forget_names(txn, &user)?;
    txn.open_table(USERS)?.remove(id.as_str())?;
    let spaces =
        after_key(&txn.open_table(ROLES)?, (id.as_str(), ""), usize::MAX, |space, _| Ok(space.to_owned()))?;
    spaces.iter().try_for_each(|space| set_role(txn, space, id.as_str(), None))?;
    end(txn, &Holder::User(id.clone()), None, None)?;
    Ok(true)
}

fn find_user(txn: &WriteTransaction, id: &ActorId) -> Job<Option<User>> {
    let row = txn.open_table(USERS)?.get(id.as_str())?.map(|row| row.value().to_owned());
    Ok(row.map(|row| rows::to_value("a user", &row)).transpose()?)
}

/// Writes a user of whom nothing is there; `false` when a name of theirs is someone else's.
fn put_user(txn: &WriteTransaction, user: &User) -> Job<bool> {
    let id = user.id.as_str();
    for (table, name) in [(USER_NAMES, &user.name_key), (USER_ADDRESSES, &user.address)] {
        if let Some(name) = name
            && txn.open_table(table)?.insert(name.as_str(), id)?.is_some()
        {
            return Ok(false);
        }
    }
    txn.open_table(USERS)?.insert(id, rows::from_value(user).as_slice())?;
    Ok(true)
}

fn forget_names(txn: &WriteTransaction, user: &User) -> Job<()> {
    for (table, name) in [(USER_NAMES, &user.name_key), (USER_ADDRESSES, &user.address)] {
        if let Some(name) = name {
            txn.open_table(table)?.remove(name.as_str())?;
        }
    }
    Ok(())
}

fn set_role(txn: &WriteTransaction, space: &str, actor: &str, role: Option<Role>) -> Job<()> {
    let (mut roles, mut members) = (txn.open_table(ROLES)?, txn.open_table(MEMBERS)?);
    match role {
        Some(role) => {
            roles.insert((actor, space), role.as_str())?;
            members.insert((space, actor), role.as_str())?;
        }
        None => {
            roles.remove((actor, space))?;
            members.remove((space, actor))?;
        }
    }
    Ok(())
}

fn describe(txn: &WriteTransaction, info: &SpaceInfo) -> Job<()> {
    txn.open_table(SPACE_INFOS)?.insert(info.space.as_str(), rows::from_value(info).as_slice())?;
    Ok(())
}

/// Who is in a space, with the words for their roles.
fn members(txn: &WriteTransaction, space: &str) -> Job<Vec<(String, String)>> {
    after_key(&txn.open_table(MEMBERS)?, (space, ""), usize::MAX, |actor, word| {
        Ok((actor.to_owned(), word.to_owned()))
    })
}

/// The spaces of which someone is the only owner.
fn owned_alone(txn: &WriteTransaction, actor: &ActorId) -> Job<Vec<String>> {
    let mut alone = Vec::new();
    let mine =
        after_key(
            &txn.open_table(ROLES)?,
            (actor.as_str(), ""),
            usize::MAX,
            |space, _| Ok(space.to_owned()),
        )?;
    for space in mine {
        let mut owners = members(txn, &space)?;
        owners.retain(|(_, word)| word == Role::Owner.as_str());
        if matches!(&owners[..], [(owner, _)] if owner == actor.as_str()) {
            alone.push(space);
        }
    }
    Ok(alone)
}

fn pass_on(txn: &WriteTransaction, from: &ActorId, to: &ActorId) -> Job<()> {
    for space in owned_alone(txn, from)? {
        forget_space(txn, &SpaceId::new(&space).map_err(|_| corrupt("a space has no valid name"))?)?;
        set_role(txn, &space, to.as_str(), Some(Role::Owner))?;
    }
    Ok(())
}

fn forget_space(txn: &WriteTransaction, space: &SpaceId) -> Job<()> {
    let members = members(txn, space.as_str())?;
    members.iter().try_for_each(|(actor, _)| set_role(txn, space.as_str(), actor, None))?;
    end(txn, &Holder::Space(space.clone()), None, None)?;
    txn.open_table(SPACE_INFOS)?.remove(space.as_str())?;
    // All there are: spaces are seldom deleted, and one more table would be written with every note.
    Ok(txn.open_table(SYNCED)?.retain(|(_, of), _| of != space.as_str())?)
}

fn add(txn: &WriteTransaction, credential: &Credential) -> Job<bool> {
    let is_free = txn.open_table(CREDENTIALS)?.get(credential.id.as_str())?.is_none();
    if is_free {
        put(txn, credential)?;
    }
    Ok(is_free)
}

fn replace(txn: &WriteTransaction, next: &Credential) -> Job<bool> {
    let Some(now) = find(txn, next.id.as_str())? else { return Ok(false) };
    let follows = now.revision.checked_add(1) == Some(next.revision);
    if !follows || now.holder != next.holder || now.kind() != next.kind() {
        return Ok(false);
    }
    forget_end(txn, &now)?;
    put(txn, next)?;
    Ok(true)
}

fn take(txn: &WriteTransaction, id: &CredentialId, revision: u32) -> Job<bool> {
    let Some(found) = find(txn, id.as_str())?.filter(|found| found.revision == revision) else {
        return Ok(false);
    };
    forget(txn, &found)?;
    Ok(true)
}

/// Removes what someone holds, of one kind or of all, but for one.
fn end(
    txn: &WriteTransaction,
    holder: &Holder,
    kind: Option<CredentialKind>,
    except: Option<&CredentialId>,
) -> Job<()> {
    let held =
        after_key(&txn.open_table(HELD)?, (&text_of(holder), ""), usize::MAX, |id, ()| Ok(id.to_owned()))?;
    for id in held {
        let found = find(txn, &id)?.ok_or_else(|| corrupt("a credential is missing"))?;
        if kind.is_none_or(|kind| found.kind() == kind) && except != Some(&found.id) {
            forget(txn, &found)?;
        }
    }
    Ok(())
}

fn forget_expired(txn: &WriteTransaction, before: Timestamp, limit: usize) -> Job<()> {
    let mut ended = Vec::new();
    for entry in txn.open_table(ENDS)?.iter()?.take(limit) {
        let (key, ()) = entry.map(|(key, _)| (key, ()))?;
        let (end, id) = key.value();
        if end > before.as_micros() {
            break;
        }
        ended.push(id.to_owned());
    }
    for id in ended {
        forget(txn, &find(txn, &id)?.ok_or_else(|| corrupt("a credential is missing"))?)?;
    }
    Ok(())
}

fn note(txn: &WriteTransaction, synced: &Synced) -> Job<()> {
    let id = synced.credential.as_str();
    if txn.open_table(CREDENTIALS)?.get(id)?.is_some() {
        txn.open_table(SYNCED)?.insert((id, synced.space.as_str()), rows::from_value(synced).as_slice())?;
    }
    Ok(())
}

fn find(txn: &WriteTransaction, id: &str) -> Job<Option<Credential>> {
    let row = txn.open_table(CREDENTIALS)?.get(id)?.map(|row| row.value().to_owned());
    Ok(row.map(|row| rows::to_value("a credential", &row)).transpose()?)
}

/// Writes a credential, of which nothing but its older row is there.
fn put(txn: &WriteTransaction, credential: &Credential) -> Job<()> {
    let id = credential.id.as_str();
    txn.open_table(CREDENTIALS)?.insert(id, rows::from_value(credential).as_slice())?;
    txn.open_table(HELD)?.insert((text_of(&credential.holder).as_str(), id), ())?;
    if let Some(end) = credential.expires_at {
        txn.open_table(ENDS)?.insert((end.as_micros(), id), ())?;
    }
    Ok(())
}

/// Removes a credential, and how far it was.
fn forget(txn: &WriteTransaction, credential: &Credential) -> Job<()> {
    let id = credential.id.as_str();
    txn.open_table(CREDENTIALS)?.remove(id)?;
    txn.open_table(HELD)?.remove((text_of(&credential.holder).as_str(), id))?;
    forget_end(txn, credential)?;
    let mut synced = txn.open_table(SYNCED)?;
    for space in after_key(&synced, (id, ""), usize::MAX, |space, _| Ok(space.to_owned()))? {
        synced.remove((id, space.as_str()))?;
    }
    Ok(())
}

fn forget_end(txn: &WriteTransaction, credential: &Credential) -> Job<()> {
    if let Some(end) = credential.expires_at {
        txn.open_table(ENDS)?.remove((end.as_micros(), credential.id.as_str()))?;
    }
    Ok(())
}

/// Adds a notice after the newest, which is never removed: its number is where the next one goes on from.
fn leave(txn: &WriteTransaction, notice: &Notice) -> Job<()> {
    let mut notices = txn.open_table(NOTICES)?;
    let position = notices.last()?.map_or(0, |(position, _)| position.value()) + 1;
    notices.insert(position, rows::from_value(notice).as_slice())?;
    if let Some(old) = position.checked_sub(NOTICES_KEPT) {
        notices.remove(old)?;
    }
    Ok(())
}

/// Who holds a credential, in words that begin with what they are.
pub(crate) fn text_of(holder: &Holder) -> String {
    match holder {
        Holder::User(actor) => format!("user:{actor}"),
        Holder::Space(space) => format!("space:{space}"),
        Holder::Address(hidden) => format!("address:{hidden}"),
        Holder::Server => "server".to_owned(),
    }
}
