//! `sync-server space …`

use clap::{Args, Subcommand};
use sync_core::{CredentialId, Role, SpaceId, SpaceName};

use super::place::{EXIT_CODES, Place};

const EXAMPLES: &str = "\
Examples:
  sync-server space create family --owner ada --name 'The Lovelaces'
  sync-server space rename family 'The Byrons'
  sync-server space member family bob editor
  sync-server space member family bob none       takes bob out, at once
  sync-server space invite family viewer
  sync-server space delete family --yes

WHO is a user name, a mail address or an id; ROLE is owner, editor or viewer.";

/// What to do about spaces, and where.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct SpaceOptions {
    /// Where, and how to answer.
    #[command(flatten)]
    pub place: Place,

    /// What.
    #[command(subcommand)]
    pub errand: SpaceErrand,
}

/// What to do about spaces.
#[derive(Clone, Debug, Subcommand)]
pub enum SpaceErrand {
    /// List all spaces
    List,
    /// Show one space: its position, how many records are in it, and who
    Show {
        /// Id of the space
        space: SpaceId,
    },
    /// Create a space
    Create {
        /// Id of the space: 1 to 64 of a-z, 0-9, _ and -
        space: SpaceId,
        /// Who owns it: user name, mail address or id
        #[arg(long, value_name = "WHO")]
        owner: String,
        /// What its members see it called: 1 to 80 characters
        #[arg(long)]
        name: Option<SpaceName>,
    },
    /// Give a space another name, or take its name away
    Rename {
        /// Id of the space
        space: SpaceId,
        /// What its members see it called: 1 to 80 characters
        #[arg(required_unless_present = "no_name")]
        name: Option<SpaceName>,
        /// Take its name away
        #[arg(long, conflicts_with = "name")]
        no_name: bool,
    },
    /// Delete a space with everything in it
    Delete {
        /// Id of the space
        space: SpaceId,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List who is in a space
    Members {
        /// Id of the space
        space: SpaceId,
    },
    /// Give someone a role in a space, or take it away with `none`
    Member {
        /// Id of the space
        space: SpaceId,
        /// User name, mail address or id
        who: String,
        /// owner, editor, viewer or none
        #[arg(value_parser = membership)]
        role: Membership,
    },
    /// Make an invite into a space, for 7 days and one person
    Invite {
        /// Id of the space
        space: SpaceId,
        /// owner, editor or viewer
        #[arg(value_parser = role)]
        role: Role,
    },
    /// List the invites into a space that are open
    Invites {
        /// Name of the space
        space: SpaceId,
    },
    /// Take an invite into a space back
    Uninvite {
        /// Name of the space
        space: SpaceId,
        /// Id of the invite, which `invites` shows
        invite: CredentialId,
    },
}

/// A role, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership(pub Option<Role>);

fn role(text: &str) -> Result<Role, String> {
    Role::from_word(text).ok_or_else(|| "a role is owner, editor or viewer".to_owned())
}

fn membership(text: &str) -> Result<Membership, String> {
    match text {
        "none" => Ok(Membership(None)),
        _ => role(text).map(|role| Membership(Some(role))).map_err(|why| format!("{why}, or none")),
    }
}
