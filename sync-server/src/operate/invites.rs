//! Invites: which are open, and taking one back. Those into a space, and those to register.

use sync_core::{CredentialId, SpaceId};

use super::Operator;
use super::report::{InviteLine, Report};
use crate::problem::{Code, Problem};

impl Operator {
    pub(super) async fn invites(&self, space: Option<&SpaceId>) -> Result<Report, Problem> {
        let open = self.identity.all_invites(space).await?;
        let lines = open.into_iter().map(|(id, invite, expires_at)| InviteLine {
            id,
            // An invite to register gives no role anywhere.
            role: space.map(|_| invite.role),
            address: invite.address,
            by: invite.by,
            expires_at,
        });
        Ok(Report::Invites(lines.collect()))
    }

    pub(super) async fn uninvite(
        &self,
        space: Option<&SpaceId>,
        id: &CredentialId,
    ) -> Result<Report, Problem> {
        let ended = self.identity.end_invite(space, id).await.map(|()| Report::Done);
        ended.map_err(|problem| match problem.code() {
            Code::NotFound => problem
                .detail("there is no such invite, or it is over: `invites` shows the ones that can be used"),
            _ => problem,
        })
    }
}
