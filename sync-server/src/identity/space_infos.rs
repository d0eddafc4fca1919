//! What is known about spaces: the names that members give them, and when they were created.

use std::collections::BTreeMap;

use sync_core::{Change, Role, SPACE_INFOS_MAX, SpaceId, SpaceInfo, SpaceName};

use super::signed_in::SignedIn;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// A text as the name of a space.
///
/// # Errors
///
/// `validation_failed` at `/name`, saying which rule is broken.
pub fn space_name(text: &str) -> Result<SpaceName, Problem> {
    SpaceName::new(text)
        .map_err(|error| Problem::new(Code::ValidationFailed).detail(error.to_string()).pointer("/name"))
}

impl Identity {
    /// Gives a space another name, or takes its name away.
    ///
    /// # Errors
    ///
    /// `space_not_found`, `forbidden_role`.
    pub async fn rename_space(
        &self,
        who: &SignedIn,
        space: &SpaceId,
        name: Option<SpaceName>,
    ) -> Result<(), Problem> {
        self.owner(who, space).await?;
        let _turn = self.1.turn(space).await;
        let (of, actor) = (space.clone(), who.user.clone());
        let is_owner = Change::RequireRole { space: of, actor, role: Some(Role::Owner) };
        let describe = self.renamed(space, name).await?;
        self.change_as(who, vec![(is_owner, Code::ForbiddenRole), (describe, Code::Internal)]).await
    }

    /// Gives a space another name for an operator, or takes its name away.
    ///
    /// # Errors
    ///
    /// `space_not_found`.
    pub async fn put_space_name(&self, space: &SpaceId, name: Option<SpaceName>) -> Result<(), Problem> {
        let _turn = self.1.turn(space).await;
        // Accounts know nothing of spaces: any could be described.
        self.0.service.head(space).await?;
        let describe = self.renamed(space, name).await?;
        self.change_or(vec![(describe, Code::Internal)]).await
    }

    /// What is known about those of these spaces that were described. Names are for members: who asks has seen to that.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn space_infos(&self, spaces: &[SpaceId]) -> Result<BTreeMap<SpaceId, SpaceInfo>, Problem> {
        let mut infos = BTreeMap::new();
        for some in spaces.chunks(SPACE_INFOS_MAX) {
            let found = self.accounts().space_infos(some).await?;
            infos.extend(found.into_iter().map(|info| (info.space.clone(), info)));
        }
        Ok(infos)
    }

    /// What is known about a space that is being created.
    pub(super) fn new_info(&self, space: &SpaceId, name: Option<SpaceName>) -> SpaceInfo {
        let now = self.now();
        SpaceInfo { space: space.clone(), name, created_at: Some(now), updated_at: now }
    }

    /// The change that gives a space another name; whoever makes it has the turn of the space.
    async fn renamed(&self, space: &SpaceId, name: Option<SpaceName>) -> Result<Change, Problem> {
        let known = self.space_infos(std::slice::from_ref(space)).await?;
        let created_at = known.get(space).and_then(|info| info.created_at);
        let info = SpaceInfo { space: space.clone(), name, created_at, updated_at: self.now() };
        Ok(Change::DescribeSpace(info))
    }
}
