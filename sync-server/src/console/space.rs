//! `sync-server space …`

use sync_core::SpaceId;

use super::ask;
use super::failure::Failure;
use super::reach::Reach;
use super::screen::Screen;
use super::user::unexpected;
use crate::cli::SpaceErrand;
use crate::operate::{Command, Report, SpaceCommand};

pub(super) async fn run(reach: &mut Reach, screen: Screen, errand: &SpaceErrand) -> Result<(), Failure> {
    let command = match errand {
        SpaceErrand::List => return list(reach, screen).await,
        SpaceErrand::Delete { space, yes } => return delete(reach, screen, space, *yes).await,
        SpaceErrand::Show { space } => SpaceCommand::Show { space: space.clone() },
        SpaceErrand::Create { space, owner, name } => {
            SpaceCommand::Create { space: space.clone(), owner: owner.clone(), name: name.clone() }
        }
        SpaceErrand::Rename { space, name, .. } => {
            SpaceCommand::Rename { space: space.clone(), name: name.clone() }
        }
        SpaceErrand::Members { space } => SpaceCommand::Members { space: space.clone() },
        SpaceErrand::Member { space, who, role } => {
            SpaceCommand::SetRole { space: space.clone(), who: who.clone(), role: role.0 }
        }
        SpaceErrand::Invite { space, role } => SpaceCommand::Invite { space: space.clone(), role: *role },
        SpaceErrand::Invites { space } => SpaceCommand::Invites { space: space.clone() },
        SpaceErrand::Uninvite { space, invite } => {
            SpaceCommand::Uninvite { space: space.clone(), invite: invite.clone() }
        }
    };
    match reach.ask(Command::Space(command)).await? {
        Report::Done => screen.done(said(errand)),
        report => screen.report(&report),
    }
}

fn said(errand: &SpaceErrand) -> &'static str {
    match errand {
        SpaceErrand::Member { role, .. } if role.0.is_none() => "They are not in the space any more.",
        SpaceErrand::Rename { no_name: true, .. } => "The space has no name any more.",
        SpaceErrand::Rename { .. } => "The space has that name now.",
        SpaceErrand::Uninvite { .. } => "Nobody can use this invite any more.",
        _ => "They have that role now.",
    }
}

async fn list(reach: &mut Reach, screen: Screen) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let report = reach.ask(Command::Space(SpaceCommand::List { after })).await?;
        screen.report(&report)?;
        let Report::Spaces(page) = report else { return Err(unexpected()) };
        match page.items.last() {
            Some(last) if page.more => after = Some(last.space.clone()),
            _ => return Ok(()),
        }
    }
}

async fn delete(reach: &mut Reach, screen: Screen, space: &SpaceId, yes: bool) -> Result<(), Failure> {
    if !yes {
        let show = SpaceCommand::Show { space: space.clone() };
        let Report::Space(found) = reach.ask(Command::Space(show)).await? else { return Err(unexpected()) };
        let (n_records, n_members) = (found.n_records, found.members.len());
        let warning = format!(
            "This deletes the space {space} with {n_records} records, for all of its {n_members} members."
        );
        ask::name_typed(&warning, space.as_str()).await?;
    }
    reach.ask(Command::Space(SpaceCommand::Delete { space: space.clone() })).await?;
    screen.done("The space is deleted.")
}
