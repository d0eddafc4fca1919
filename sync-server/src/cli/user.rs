//! `sync-server user …`

use clap::{Args, Subcommand};
use sync_core::CredentialId;

use super::place::{EXIT_CODES, Place};

const EXAMPLES: &str = "\
Examples:
  sync-server user add ada                       asks for the password
  sync-server user add --address ada@example.org
  pwgen 20 1 | sync-server user password ada --password-stdin
  sync-server user list --json | jq -r .user
  sync-server user delete ada --yes

WHO is a user name, a mail address or an id. Where a name reads like an address, give the id.";

/// What to do about users, and where.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct UserOptions {
    /// Where, and how to answer.
    #[command(flatten)]
    pub place: Place,

    /// What.
    #[command(subcommand)]
    pub errand: UserErrand,
}

/// What to do about users.
#[derive(Clone, Debug, Subcommand)]
pub enum UserErrand {
    /// List all users
    List,
    /// Show one user, with their spaces and devices
    Show {
        /// User name, mail address or id
        who: String,
    },
    /// Add a user, with a name and a password, or with an address to sign in by mail
    ///
    /// They get a personal space. Whoever may register by themselves does not matter here.
    #[command(group = clap::ArgGroup::new("sign_in").required(true).args(["name", "address"]))]
    Add {
        /// Their user name; the password is asked for
        name: Option<String>,
        /// Their mail address, instead of a name
        #[arg(long, value_name = "MAIL")]
        address: Option<String>,
        /// Read the password from the first line of standard input instead of asking
        #[arg(long, requires = "name")]
        password_stdin: bool,
    },
    /// Give a user a new password, and sign them out everywhere
    Password {
        /// User name, mail address or id
        who: String,
        /// Read the password from the first line of standard input instead of asking
        #[arg(long)]
        password_stdin: bool,
    },
    /// Sign a user out everywhere: all devices, browsers, codes and links
    SignOut {
        /// User name, mail address or id
        who: String,
    },
    /// Delete a user with their devices, their personal space and every space in which they are alone
    ///
    /// What they wrote in spaces of others stays there.
    Delete {
        /// User name, mail address or id
        who: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Delete spaces, too, in which others are and that nobody else owns
        #[arg(long)]
        with_shared_spaces: bool,
    },
    /// Make an invite with which someone can register, for 7 days, where that takes one
    Invite,
    /// List the invites with which someone can still register
    Invites,
    /// Take an invite back
    Uninvite {
        /// Id of the invite, which `invites` shows
        invite: CredentialId,
    },
    /// Make a link that signs a user in once, within 10 minutes, for someone whom mails do not reach
    ///
    /// Whoever opens it is that user: hand it over in a way that only they can read.
    Link {
        /// Mail address, user name or id
        who: String,
    },
}
