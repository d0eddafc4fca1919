//! Notes and tasks on the command line: an app on a replica, of the size one would really use.
//!
//! ```sh
//! cargo run -p sync-examples --bin notes -- add "buy milk" --tag home
//! cargo run -p sync-examples --bin notes -- --help
//! ```
//! It works offline from the first second and without an account; `notes login` moves what is there into the account.
//!
//! | file | what is in it |
//! |---|---|
//! | `cli` | the commands and their arguments |
//! | `note` | what a note is, as a record |
//! | `home` | the folder with the data, and who is signed in |
//! | `notebook` | the open replica with its notes; everything else works on it |
//! | `moving` | notes from before the first login |
//! | `writing`, `reading` | commands that change notes, and that show them |
//! | `sign_in`, `syncing`, `watching`, `status` | the way to the server and how it stands |
//! | `conflicts`, `refused` | what needs a person |
//! | `short_id`, `show`, `editor`, `fault` | ids to type, text to print, the editor, and errors with advice |

mod cli;
mod conflicts;
mod editor;
mod fault;
mod home;
mod moving;
mod note;
mod notebook;
mod reading;
mod refused;
mod short_id;
mod show;
mod sign_in;
mod status;
mod syncing;
mod watching;
mod writing;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::fault::Fault;
use crate::home::Home;
use crate::notebook::Notebook;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.tell(),
    }
}

async fn run(cli: Cli) -> Result<(), Fault> {
    let home = Home::find(cli.data)?;
    if let Command::Login(login) = cli.command {
        return sign_in::login(&home, login).await;
    }
    let notebook = Notebook::open(&home).await?;
    show::hint(&moving::told(&notebook));
    let done = carry_out(&home, &notebook, cli.command).await;
    notebook.close().await;
    done
}

async fn carry_out(home: &Home, notebook: &Notebook, command: Command) -> Result<(), Fault> {
    match command {
        Command::Add { text, tags } => writing::add(notebook, text, tags).await,
        Command::Edit(edit) => writing::edit(notebook, edit).await,
        Command::Done { ids, undo } => writing::mark(notebook, &ids, !undo).await,
        Command::Rm { ids } => writing::remove(notebook, &ids).await,
        Command::Retag { old, new } => writing::retag(notebook, &old, &new).await,
        Command::List(wanted) => reading::list(notebook, wanted).await,
        Command::Show { id } => reading::show(notebook, &id).await,
        Command::Find { word } => reading::find(notebook, &word).await,
        Command::Export => reading::export(notebook).await,
        Command::Login(_) => unreachable!("it is taken care of before the notes are opened"),
        Command::Sync => syncing::sync(home, notebook).await,
        Command::Watch => watching::watch(home, notebook).await,
        Command::Status => status::status(home, notebook).await,
        Command::Conflicts => conflicts::list(notebook).await,
        Command::Resolve(resolve) => conflicts::resolve(notebook, resolve).await,
        Command::Refused => refused::list(notebook).await,
        Command::Dismiss { id } => refused::dismiss(notebook, &id).await,
    }
}
