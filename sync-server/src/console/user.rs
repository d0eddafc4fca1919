//! `sync-server user …`

use super::ask;
use super::failure::Failure;
use super::reach::Reach;
use super::screen::Screen;
use crate::cli::UserErrand;
use crate::operate::{Command, Report, UserCommand, UserReport};
use crate::problem::Code;

pub(super) async fn run(reach: &mut Reach, screen: Screen, errand: &UserErrand) -> Result<(), Failure> {
    let show = |who: &String| UserCommand::Show { who: who.clone() };
    let command = match errand {
        UserErrand::List => return list(reach, screen).await,
        UserErrand::Delete { who, yes, with_shared_spaces } => {
            return delete(reach, screen, who, *yes, *with_shared_spaces).await;
        }
        UserErrand::Password { who, password_stdin } => {
            // Nobody types a new password twice to hear that there is no such user.
            let who = find(reach, who).await?.user.user.to_string();
            UserCommand::Password { who, password: ask::password(*password_stdin)? }
        }
        UserErrand::Show { who } => show(who),
        UserErrand::Add { name: Some(name), password_stdin, .. } => {
            UserCommand::AddNamed { name: name.clone(), password: ask::password(*password_stdin)? }
        }
        UserErrand::Add { name: None, address, .. } => {
            UserCommand::AddMailed { address: address.clone().unwrap_or_default() }
        }
        UserErrand::SignOut { who } => UserCommand::SignOut { who: who.clone() },
        UserErrand::Invite => UserCommand::Invite,
        UserErrand::Invites => UserCommand::Invites,
        UserErrand::Uninvite { invite } => UserCommand::Uninvite { invite: invite.clone() },
        UserErrand::Link { who } => UserCommand::Link { who: who.clone() },
    };
    match reach.ask(Command::User(command)).await? {
        Report::Done => screen.done(said(errand)),
        report => screen.report(&report),
    }
}

fn said(errand: &UserErrand) -> &'static str {
    match errand {
        UserErrand::Password { .. } => "The password is new, and the user is signed out everywhere.",
        UserErrand::Uninvite { .. } => "Nobody can use this invite any more.",
        _ => "The user is signed out everywhere.",
    }
}

async fn list(reach: &mut Reach, screen: Screen) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let report = reach.ask(Command::User(UserCommand::List { after })).await?;
        screen.report(&report)?;
        let Report::Users(page) = report else { return Err(unexpected()) };
        match page.items.last() {
            Some(last) if page.more => after = Some(last.user.clone()),
            _ => return Ok(()),
        }
    }
}

/// Whom a name means.
pub(super) async fn find(reach: &mut Reach, who: &str) -> Result<Box<UserReport>, Failure> {
    match reach.ask(Command::User(UserCommand::Show { who: who.to_owned() })).await? {
        Report::User(user) => Ok(user),
        _ => Err(unexpected()),
    }
}

async fn delete(
    reach: &mut Reach,
    screen: Screen,
    who: &str,
    yes: bool,
    with_shared_spaces: bool,
) -> Result<(), Failure> {
    let UserReport { user, devices, .. } = *find(reach, who).await?;
    if !yes {
        let warning = format!(
            "This deletes the user {} ({}) with {} devices, their personal space, and every space in which they are alone.",
            user.name,
            user.user,
            devices.len()
        );
        ask::name_typed(&warning, &user.name).await?;
    }
    let delete = UserCommand::Delete { user: user.user, with_shared_spaces };
    reach.ask(Command::User(delete)).await?;
    screen.done("The user is deleted.")
}

/// The server said something else than what it was asked.
pub(super) fn unexpected() -> Failure {
    crate::problem::Problem::from(Code::Internal).into()
}
