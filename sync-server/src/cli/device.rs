//! `sync-server device …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sync_core::CredentialId;

use super::place::{EXIT_CODES, Place};

const EXAMPLES: &str = "\
Examples:
  sync-server device list ada
  sync-server device revoke ada 5f0c…            its open connections end within a second
  sync-server device pair ada                    shows a code to scan, and waits
  sync-server device pair ada --confirm --png code.png

WHO is a user name, a mail address or an id; DEVICE is an id that `device list` shows.";

/// What to do about devices, and where.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct DeviceOptions {
    /// Where, and how to answer.
    #[command(flatten)]
    pub place: Place,

    /// What.
    #[command(subcommand)]
    pub errand: DeviceErrand,
}

/// What to do about devices.
#[derive(Clone, Debug, Subcommand)]
pub enum DeviceErrand {
    /// List what a user has signed in, and how far each device is
    List {
        /// User name, mail address or id
        who: String,
    },
    /// Sign a device out for good; what it has not sent yet stays with it
    Revoke {
        /// User name, mail address or id
        who: String,
        /// Id of the device
        device: CredentialId,
    },
    /// Give a device another name
    Rename {
        /// User name, mail address or id
        who: String,
        /// Id of the device
        device: CredentialId,
        /// Its new name
        name: String,
    },
    /// Show a code with which another device of a user joins, and wait until it has
    ///
    /// The code is good for 2 minutes and one device. Ending this takes it back: by Ctrl-C, by closing the terminal, or
    /// with SIGTERM.
    Pair {
        /// User name, mail address or id
        who: String,
        /// Ask before the device that scanned it is let in
        #[arg(long)]
        confirm: bool,
        /// Write the code as a picture to this new file, too, and remove it at the end
        #[arg(long, value_name = "FILE")]
        png: Option<PathBuf>,
    },
}
