//! Spaces: which there are, what is in them, and who.

use serde::{Deserialize, Serialize};
use sync_core::{ActorId, CredentialId, Role, SpaceId, SpaceName};

use super::report::{InviteReport, MemberLine, Page, Report, SpaceLine, SpaceReport};
use super::{Operator, PAGE};
use crate::identity::{Member, NewSpace};
use crate::problem::Problem;

/// What can be done about spaces. `who` is an id, a mail address or a user name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpaceCommand {
    /// The spaces after one of them, ascending by name.
    List {
        /// The last one that is known already.
        after: Option<SpaceId>,
    },
    /// One of them: how much is in it, and who.
    Show {
        /// Which.
        space: SpaceId,
    },
    /// Creates a space.
    Create {
        /// Its id.
        space: SpaceId,
        /// Whose it is.
        owner: String,
        /// What its members see it called.
        #[serde(default)]
        name: Option<SpaceName>,
    },
    /// Gives a space another name.
    Rename {
        /// Which.
        space: SpaceId,
        /// What its members see it called; none takes its name away.
        name: Option<SpaceName>,
    },
    /// Deletes a space with everything in it.
    Delete {
        /// Which.
        space: SpaceId,
    },
    /// Who is in a space.
    Members {
        /// Which.
        space: SpaceId,
    },
    /// Gives someone a role, or takes it away.
    SetRole {
        /// Where.
        space: SpaceId,
        /// Whom.
        who: String,
        /// Which; none takes them out.
        role: Option<Role>,
    },
    /// Makes an invite.
    Invite {
        /// Where to.
        space: SpaceId,
        /// As what.
        role: Role,
    },
    /// The open invites into a space.
    Invites {
        /// Which.
        space: SpaceId,
    },
    /// Takes one of them back.
    Uninvite {
        /// Where to.
        space: SpaceId,
        /// Which.
        invite: CredentialId,
    },
}

impl Operator {
    pub(super) async fn space(&self, command: SpaceCommand) -> Result<Report, Problem> {
        match command {
            SpaceCommand::List { after } => {
                let spaces = self.store.spaces(after.as_ref(), PAGE).await?;
                let mut infos = self.identity.space_infos(&spaces).await?;
                let more = spaces.len() == PAGE;
                let lines = spaces.into_iter().map(|space| {
                    let info = infos.remove(&space);
                    SpaceLine::of(space, info)
                });
                Ok(Report::Spaces(Page { more, items: lines.collect() }))
            }
            SpaceCommand::Show { space } => self.shown_space(space).await,
            SpaceCommand::Create { space, owner, name } => {
                let owner = self.find(&owner).await?;
                let made =
                    self.identity.create_space_for(&owner.id, NewSpace { space: Some(space), name }).await?;
                self.shown_space(made.space).await
            }
            SpaceCommand::Rename { space, name } => {
                self.identity.put_space_name(&space, name).await.map(|()| Report::Done)
            }
            SpaceCommand::Delete { space } => {
                self.is_there(&space).await?;
                self.identity.discard_space(&space).await.map(|()| Report::Done)
            }
            SpaceCommand::Members { space } => {
                self.is_there(&space).await?;
                Ok(Report::Members(self.member_lines(&space).await?))
            }
            SpaceCommand::SetRole { space, who, role } => {
                self.is_there(&space).await?;
                let user = self.find(&who).await?;
                self.identity.put_role(&space, &user.id, role).await.map(|()| Report::Done)
            }
            SpaceCommand::Invite { space, role } => {
                self.is_there(&space).await?;
                let invited = self.identity.invite_into(&space, role).await?;
                Ok(Report::Invite(InviteReport::of(&self.base_url, invited)))
            }
            SpaceCommand::Invites { space } => {
                self.is_there(&space).await?;
                self.invites(Some(&space)).await
            }
            SpaceCommand::Uninvite { space, invite } => {
                self.is_there(&space).await?;
                self.uninvite(Some(&space), &invite).await
            }
        }
    }

    /// Accounts know nothing of spaces: a role can be had in one that is not there.
    async fn is_there(&self, space: &SpaceId) -> Result<(), Problem> {
        self.service.head(space).await?;
        Ok(())
    }

    async fn shown_space(&self, space: SpaceId) -> Result<Report, Problem> {
        let head = self.service.head(&space).await?;
        let stats = self.store.stats(&space).await?;
        let members = self.member_lines(&space).await?;
        let info = self.identity.space_infos(std::slice::from_ref(&space)).await?.remove(&space);
        Ok(Report::Space(Box::new(SpaceReport::of(SpaceLine::of(space, info), head, stats, members))))
    }

    async fn member_lines(&self, space: &SpaceId) -> Result<Vec<MemberLine>, Problem> {
        let (mut lines, mut last) = (Vec::<MemberLine>::new(), None::<ActorId>);
        loop {
            let page = self.identity.members_of(space, last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            last = page.last().map(|member| member.user.clone());
            lines.extend(page.into_iter().map(|Member { user, name, role }| MemberLine { user, name, role }));
            if is_last {
                return Ok(lines);
            }
        }
    }
}
