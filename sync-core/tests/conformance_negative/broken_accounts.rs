//! Accounts with one planted fault.

use async_trait::async_trait;
use sync_core::conformance::{actor, space_id};
use sync_core::{
    Accounts, AccountsExt, ActorId, Change, Changed, Credential, CredentialId, CredentialKind, Holder,
    LookedUp, Notices, Result, Role, SPACE_INFOS_MAX, SpaceId, SpaceInfo, Synced, Timestamp, User,
};

use crate::broken::{BrokenStore, Fault};

impl BrokenStore {
    /// The list as it is carried out.
    async fn as_made(&self, changes: &[Change]) -> Result<Vec<Change>> {
        let mut made = Vec::new();
        for change in changes {
            match (self.fault, change) {
                (Fault::CreatesUsersWithOneRole, Change::SetRole { .. }) if made.len() == 2 => {}
                (Fault::ReplacesAnyRevision, Change::ReplaceCredential(next)) => {
                    let found = self.inner.credential(&next.id).await?;
                    made.extend(
                        found.map(|now| Change::TakeCredential { id: now.id, revision: now.revision }),
                    );
                    made.push(Change::AddCredential(next.clone()));
                }
                (Fault::TakesTwice, Change::TakeCredential { id, .. })
                    if self.inner.credential(id).await?.is_none() => {}
                (Fault::PassesOnShared, Change::PassOn { from, to }) => {
                    for (space, _) in self.inner.spaces_of(from, None, usize::MAX).await? {
                        made.push(Change::ForgetSpace(space.clone()));
                        made.push(Change::SetRole { space, actor: to.clone(), role: Some(Role::Owner) });
                    }
                }
                // Whoever owns a space is somebody; an editor is not.
                (Fault::NobodyIsNoOwner, Change::RequireNobody(space)) => {
                    let members = self.inner.members(space, None, usize::MAX).await?;
                    if members.iter().any(|(_, role)| *role == Role::Owner) {
                        made.push(change.clone());
                    }
                }
                (Fault::SuccessorsUnasked, Change::RequireSuccessors(_)) => {
                    made.push(Change::EndCredentials {
                        holder: Holder::Server,
                        kind: CredentialKind::Link,
                        except: None,
                    });
                }
                (Fault::EndsEveryKind, Change::EndCredentials { holder, except, .. }) => {
                    made.extend([CredentialKind::Device, CredentialKind::Pairing].map(|kind| {
                        Change::EndCredentials { holder: holder.clone(), kind, except: except.clone() }
                    }));
                }
                (Fault::ForgetsWithoutLimit, Change::ForgetExpired { before, .. }) => {
                    made.push(Change::ForgetExpired { before: *before, limit: usize::MAX });
                }
                (Fault::NamesStay, Change::DescribeSpace(next)) => {
                    let known = self.inner.space_infos(std::slice::from_ref(&next.space)).await?;
                    let before = known.into_iter().next().and_then(|known| known.name);
                    let name = next.name.clone().or(before);
                    made.push(Change::DescribeSpace(SpaceInfo { name, ..next.clone() }));
                }
                (Fault::NoticesOfNames, Change::DescribeSpace(info)) => {
                    let (space, actor) = (info.space.clone(), actor("nobody"));
                    made.extend([change.clone(), Change::SetRole { space, actor, role: None }]);
                }
                (Fault::SpacesLeaveInfos, Change::ForgetSpace(space)) => {
                    let known = self.inner.space_infos(std::slice::from_ref(space)).await?;
                    made.push(change.clone());
                    made.extend(known.into_iter().map(Change::DescribeSpace));
                }
                (Fault::NotesOnlyTheFirst, Change::NoteSynced(note)) => {
                    let known = self.inner.synced(std::slice::from_ref(&note.credential), usize::MAX).await?;
                    if !known.iter().any(|known| known.space == note.space) {
                        self.inner.unconditionally(change.clone()).await?;
                    }
                }
                _ => made.push(change.clone()),
            }
        }
        Ok(made)
    }

    /// One change after the other, whatever becomes of those after it.
    async fn in_halves(&self, changes: &[Change]) -> Result<Changed> {
        for (idx, change) in changes.iter().enumerate() {
            if !self.inner.change(std::slice::from_ref(change)).await?.is_done() {
                return Ok(Changed::Refused(idx));
            }
        }
        Ok(Changed::Done)
    }

    /// Asks what the list requires before anything is done, and not again.
    async fn conditions_first(&self, changes: &[Change]) -> Result<Changed> {
        let is_condition = |change: &Change| {
            matches!(change, Change::RequireUser(_) | Change::RequireRole { .. } | Change::RequireOwner(_))
        };
        for (idx, change) in changes.iter().enumerate().filter(|(_, change)| is_condition(change)) {
            if !self.inner.change(std::slice::from_ref(change)).await?.is_done() {
                return Ok(Changed::Refused(idx));
            }
        }
        let rest: Vec<Change> = changes.iter().filter(|change| !is_condition(change)).cloned().collect();
        self.inner.change(&rest).await
    }

    /// What goes with a list that should not, but stays.
    async fn leftovers(&self, changes: &[Change]) -> Result<Vec<Credential>> {
        let mut left = Vec::new();
        for change in changes {
            if let (Fault::PassesOnWithCredentials, Change::PassOn { from, .. }) = (self.fault, change) {
                for (space, _) in self.inner.spaces_of(from, None, usize::MAX).await? {
                    left.extend(self.inner.credentials(&Holder::Space(space), None, usize::MAX).await?);
                }
                continue;
            }
            let holder = match (self.fault, change) {
                (Fault::UsersLeaveCredentials, Change::DeleteUser(id)) => Holder::User(id.clone()),
                (Fault::SpacesLeaveCredentials, Change::ForgetSpace(space)) => Holder::Space(space.clone()),
                _ => continue,
            };
            left.extend(self.inner.credentials(&holder, None, usize::MAX).await?);
        }
        Ok(left)
    }

    fn remember(&self, changes: &[Change]) {
        for change in changes {
            if let Change::NoteSynced(note) = change {
                self.memory().synced.insert((note.credential.clone(), note.space.clone()), note.clone());
            }
        }
    }
}

#[async_trait]
impl Accounts for BrokenStore {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        if self.has(Fault::HalfCreatesUsers) {
            for change in changes.iter().filter(|change| matches!(change, Change::SetRole { .. })) {
                self.inner.unconditionally(change.clone()).await?;
            }
        }
        let (made, left) = (self.as_made(changes).await?, self.leftovers(changes).await?);
        let changed = match self.fault {
            Fault::ListsInHalves => self.in_halves(&made).await?,
            Fault::ChecksConditionsFirst => self.conditions_first(&made).await?,
            _ => self.inner.change(&made).await?,
        };
        self.remember(changes);
        match (self.fault, changed) {
            (Fault::RefusesTheFirst, Changed::Refused(_)) => return Ok(Changed::Refused(0)),
            (Fault::NoticesOfRefusals, Changed::Refused(_)) => {
                self.inner.set_role(&space_id("never"), &actor("nobody"), None).await?;
            }
            _ => {}
        }
        for credential in left {
            // One that is still there is not added again.
            let _ = self.inner.change(&[Change::AddCredential(credential)]).await?;
        }
        Ok(changed)
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        let limit = if self.has(Fault::UsersWithoutLimit) { usize::MAX } else { limit };
        let mut users = self.inner.users(after, limit).await?;
        if self.has(Fault::UsersByName) {
            users.sort_by(|a, b| a.name_key.cmp(&b.name_key));
        }
        Ok(users)
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        self.inner.user(id).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        self.inner.user_by_name(name_key).await
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        self.inner.user_by_address(address).await
    }

    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp> {
        let mut found = self.inner.look_up(credentials, roles).await?;
        if self.has(Fault::LooksUpWithoutOrder) {
            found.roles.sort_by_key(|role| role.map(Role::as_str));
        }
        Ok(found)
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        let after = after.filter(|_| !self.has(Fault::SpacesFromTheFirst));
        self.inner.spaces_of(actor, after, limit).await
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        let mut members = self.inner.members(space, after, limit).await?;
        if let (Fault::MembersFromTheLast, Some(after)) = (self.fault, after) {
            let last = self.inner.role(space, after).await?;
            members.splice(0..0, last.map(|role| (after.clone(), role)));
        }
        if self.has(Fault::MembersByPrefix) {
            let other = SpaceId::new(format!("{space}2")).expect("a valid name");
            members.extend(self.inner.members(&other, after, limit).await?);
        }
        Ok(members)
    }

    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
        let mut found = Vec::new();
        match self.fault {
            Fault::InfosAsAsked => {
                for space in spaces {
                    found.extend(self.inner.space_infos(std::slice::from_ref(space)).await?);
                }
            }
            Fault::InfosOfAnyNumber => {
                for spaces in spaces.chunks(SPACE_INFOS_MAX) {
                    found.extend(self.inner.space_infos(spaces).await?);
                }
            }
            _ => return self.inner.space_infos(spaces).await,
        }
        Ok(found)
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        let mut found = self.inner.credentials(holder, after, limit).await?;
        if self.has(Fault::ExpiredAreHidden) {
            found.retain(|credential| !credential.is_expired(Timestamp::MAX));
        }
        if let (Fault::CredentialsFromTheLast, Some(after)) = (self.fault, after) {
            let last = self.inner.credential(after).await?;
            found.splice(0..0, last);
        }
        Ok(found)
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        if !self.has(Fault::PositionsStay) {
            return self.inner.synced(devices, limit).await;
        }
        let mut found: Vec<Synced> = self.memory().synced.values().cloned().collect();
        found.retain(|synced| devices.contains(&synced.credential));
        found.truncate(limit);
        Ok(found)
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        let mut found = self.inner.notices(after).await?;
        match self.fault {
            Fault::NoticesNewestFirst => found.notices.reverse(),
            Fault::NoticesNeverMissed => found.missed = false,
            Fault::NoticesOncePerList => found.notices.dedup(),
            Fault::PositionsRunAhead => found.position += u64::from(after.is_some()),
            _ => {}
        }
        Ok(found)
    }
}
