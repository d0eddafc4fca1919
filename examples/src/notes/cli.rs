//! The commands and their arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::note::Tag;

/// Notes and tasks that work offline and sync when you want.
///
/// Everything is kept on this computer and works without an account. To have the same notes on several computers, run a
/// sync-server, sign in to it with `notes login`, and run `notes sync` now and then, or leave `notes watch` open.
#[derive(Debug, Parser)]
#[command(name = "notes", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Folder with the data [default: sync-notes in your data folder]
    #[arg(long, global = true, env = "NOTES_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  notes add \"buy milk\" --tag home
  notes list --open --tag home
  notes done 3f2a
  notes login http://127.0.0.1:8080 ada --register
  notes sync

IDs are those that `notes list` shows; any beginning that fits one note only will do.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a new note; `-` takes it from standard input
    Add {
        /// What it says
        text: String,
        /// Tag it; repeatable
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<Tag>,
    },
    /// List notes
    List(List),
    /// Show a note with all that is known about it
    Show {
        /// Which note
        id: String,
    },
    /// Change a note: its text in your editor, or as the options say
    Edit(Edit),
    /// Mark notes as done
    Done {
        /// Which notes
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Mark them as open again
        #[arg(long)]
        undo: bool,
    },
    /// Remove notes, on all your devices
    Rm {
        /// Which notes
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Give all notes with one tag another one instead, together or not at all
    Retag {
        /// The tag they have
        old: Tag,
        /// The tag they get
        new: Tag,
    },
    /// List notes with a word in text or tags, in upper or lower case
    Find {
        /// What to look for
        word: String,
    },
    /// Sign in to a server; notes that are here already move into the account
    ///
    /// The password is asked for on the terminal. Without one it is the first line of standard input, or what the
    /// variable NOTES_PASSWORD says. It is not kept; the token that the server gives for it is, in a file that only you
    /// can read.
    Login(Login),
    /// Send what was changed here, and fetch what was changed elsewhere
    Sync,
    /// Stay open and in sync, and show every change; a line you type becomes a note
    Watch,
    /// Show where the notes are, what was not sent, and what needs you
    Status,
    /// Show notes that were changed on two devices in ways that do not go together
    Conflicts,
    /// Decide a conflict
    Resolve(Resolve),
    /// Show changes that the server refused
    Refused,
    /// Forget a change that the server refused
    Dismiss {
        /// Which one, as `notes refused` shows it
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// Write all notes to standard output, as one JSON object a line
    Export,
}

/// Which notes to list, and how.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only those that are not done
    #[arg(long, conflicts_with = "done")]
    pub(crate) open: bool,
    /// Only those that are done
    #[arg(long)]
    pub(crate) done: bool,
    /// Only those with this tag; with several, all of them
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<Tag>,
    /// The order
    #[arg(long, value_enum, default_value_t = Sort::Created)]
    pub(crate) sort: Sort,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
}

/// An order of notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Oldest first
    Created,
    /// Last changed first
    Edited,
    /// By what they say
    Text,
}

/// How to change a note.
#[derive(Args, Debug)]
pub(crate) struct Edit {
    /// Which note
    pub(crate) id: String,
    /// What it says from now on; without this and without tags, your editor opens
    pub(crate) text: Option<String>,
    /// Tag it; repeatable
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<Tag>,
    /// Take a tag away; repeatable
    #[arg(long = "untag", value_name = "TAG")]
    pub(crate) untags: Vec<Tag>,
}

/// Who signs in where.
#[derive(Args, Debug)]
pub(crate) struct Login {
    /// Address of the server, such as http://127.0.0.1:8080
    pub(crate) url: String,
    /// Name of the account
    pub(crate) user: String,
    /// Create the account first
    #[arg(long)]
    pub(crate) register: bool,
}

/// How to decide a conflict.
#[derive(Args, Debug)]
pub(crate) struct Resolve {
    /// Which one, as `notes conflicts` shows it; the ID of the note will do if it has only one
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    /// Whose text it gets
    #[arg(value_enum)]
    pub(crate) side: Side,
    /// The text, instead of opening your editor
    #[arg(long)]
    pub(crate) text: Option<String>,
}

/// A side of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The change that came second
    Mine,
    /// What the note says now
    Theirs,
    /// Something else: your editor opens with both
    Edit,
}
