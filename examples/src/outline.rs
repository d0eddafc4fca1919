//! An outline on the command line: a tree that several people edit at once, offline as well.
//!
//! ```sh
//! export OUTLINE_PASSWORD='correct horse'
//! cargo run -p sync-examples --bin outline -- login http://127.0.0.1:8080 ada --register
//! cargo run -p sync-examples --bin outline -- add "Book"
//! cargo run -p sync-examples --bin outline -- --help
//! ```
//! Sign in on a second computer (`--data` names another folder), move the same branch on both, and sync: both show one
//! outline, in which every line is in one place.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use futures_util::StreamExt;
use sync_core::json::Json;
use sync_core::replica::{Replica, ReplicaOptions, ReplicaTree, TreeEdit};
use sync_core::transport::HttpTransport;
use sync_core::tree::{Tree, TreeError};
use sync_core::{Clock, IdSource, OsIds, PropertyKey, Session, SpaceId, SystemClock, TokioRuntime, VertexId};
use sync_store_sqlite::SqliteStore;

type Error = Box<dyn std::error::Error>;

/// An outline that is edited on several computers at once.
#[derive(Parser)]
struct Cli {
    /// Where the outline of this computer is kept.
    #[arg(long, env = "OUTLINE_DATA", default_value = "outline-data")]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sign in; the password is taken from the environment variable OUTLINE_PASSWORD.
    Login {
        /// Address of the server.
        url: String,
        /// Name of the account.
        user: String,
        /// Create the account.
        #[arg(long)]
        register: bool,
        /// The outline of a shared space instead of the account's own.
        #[arg(long)]
        space: Option<SpaceId>,
    },
    /// Show the outline.
    Show,
    /// Add a line.
    Add {
        /// What it says.
        text: String,
        /// Below this line: the beginning of its id.
        #[arg(long)]
        under: Option<String>,
    },
    /// Change what a line says.
    Say {
        /// The beginning of its id.
        line: String,
        /// What it says from now on.
        text: String,
    },
    /// Move a line, and all below it.
    Move {
        /// The beginning of its id.
        line: String,
        /// Below this line; without it to the first level.
        #[arg(long)]
        under: Option<String>,
    },
    /// Remove a line, and all below it.
    Rm {
        /// The beginning of its id.
        line: String,
    },
    /// Send what was changed here, and fetch what was changed elsewhere.
    Sync,
    /// Stay in sync, and show the outline whenever it changes. Ctrl-c ends.
    Watch,
}

/// The name of the tree in the space.
const TREE: &str = "outline";
/// The vertex under which the first level is. Everyone names it alike, so that all who begin an outline begin the same.
const ROOT: &str = "root";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let cli = Cli::parse();
    std::fs::create_dir_all(&cli.data)?;
    let account = cli.data.join("account.json");
    if let Command::Login { url, user, register, space } = cli.command {
        let session = sign_in(&url, &user, register).await?;
        let space = space.unwrap_or_else(|| session.space.clone());
        std::fs::write(&account, serde_json::to_vec(&(&session, &space))?)?;
        println!("signed in as {session}");
        return Ok(());
    }
    let known = std::fs::read(&account).map_err(|_| "sign in first: outline login URL USER")?;
    let (session, space): (Session, SpaceId) = serde_json::from_slice(&known)?;
    let store = SqliteStore::open_file(cli.data.join("outline.db")).await?;
    let options = ReplicaOptions::for_session(Arc::new(TokioRuntime), &session);
    let replica = Replica::open(Arc::new(store), space, options).await?;
    let done = carry_out(&replica, &session, cli.command).await;
    replica.close().await;
    done
}

async fn sign_in(url: &str, user: &str, register: bool) -> Result<Session, Error> {
    let password = std::env::var("OUTLINE_PASSWORD").map_err(|_| "put the password into OUTLINE_PASSWORD")?;
    let transport = HttpTransport::new(url, None)?;
    Ok(if register {
        transport.register(user, &password).await?
    } else {
        transport.login(user, &password).await?
    })
}

async fn carry_out(replica: &Replica, session: &Session, command: Command) -> Result<(), Error> {
    let outline = replica.tree(TREE)?;
    match command {
        Command::Login { .. } => unreachable!("it is taken care of before the outline is opened"),
        Command::Show => show(&outline).await?,
        Command::Add { text, under } => {
            let under = find(&outline, under.as_deref()).await?;
            outline.edit(|edit| add(edit, &under, &text)).await?;
        }
        Command::Say { line, text } => {
            let line = find(&outline, Some(&line)).await?;
            outline.edit(|edit| edit.set(&line, name(), words(&text)).map(drop)).await?;
        }
        Command::Move { line, under } => {
            let (line, under) = (find(&outline, Some(&line)).await?, find(&outline, under.as_deref()).await?);
            outline.edit(|edit| edit.move_to(&line, &under).map(drop)).await?;
        }
        Command::Rm { line } => {
            let line = find(&outline, Some(&line)).await?;
            outline.edit(|edit| edit.delete(&line).map(drop)).await?;
        }
        Command::Sync => {
            let report = replica.sync(&HttpTransport::from_session(session)?).await?;
            println!("sent {}, received {}", report.pushed, report.pulled);
        }
        Command::Watch => watch(replica, &outline, session).await?,
    }
    Ok(())
}

/// Adds a line; begins the outline if this is its first. All of it is one transaction.
fn add(edit: &mut TreeEdit<'_>, under: &VertexId, text: &str) -> Result<(), TreeError> {
    if under.as_str() == ROOT && !edit.tree().state().contains(under) {
        edit.create(under.clone(), None, None)?;
    }
    let line = VertexId::new(OsIds.new_hex_id()).expect("digits are fit for an id");
    let created = Json::from_value(&SystemClock.now().as_micros().into()).expect("a number is JSON");
    edit.create(line.clone(), Some(under), Some(created))?;
    edit.set(&line, name(), words(text)).map(drop)
}

fn name() -> PropertyKey {
    PropertyKey::new("name").expect("it is a plain word")
}

fn words(text: &str) -> Json {
    Json::from_value(&text.into()).unwrap_or_else(|_| Json::null())
}

/// The line whose id begins like this; the root without a beginning.
async fn find(outline: &ReplicaTree, beginning: Option<&str>) -> Result<VertexId, Error> {
    let root = VertexId::new(ROOT)?;
    let Some(beginning) = beginning else { return Ok(root) };
    let all = outline.read(lines).await?;
    let mut found = all.into_iter().map(|(_, id, _)| id).filter(|id| id.as_str().starts_with(beginning));
    match (found.next(), found.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => Err(format!("there is no line {beginning}: outline show").into()),
        (Some(_), Some(_)) => {
            Err(format!("several lines begin with {beginning}: type more of the id").into())
        }
    }
}

/// The lines of the outline with their depth, from top to bottom.
fn lines(tree: &Tree) -> Vec<(usize, VertexId, String)> {
    let root = VertexId::new(ROOT).expect("it is a plain word");
    let below = tree.state().subtree(&root).filter(|(_, depth)| *depth > 0);
    let said = |id: &VertexId| {
        let said = tree.property(id, &name()).map(Json::to_value);
        said.and_then(|said| said.as_str().map(str::to_owned)).unwrap_or_default()
    };
    below.map(|(id, depth)| (depth, id.clone(), said(&id))).collect()
}

async fn show(outline: &ReplicaTree) -> Result<(), Error> {
    let lines = outline.read(lines).await?;
    for (depth, id, said) in &lines {
        let id: String = id.as_str().chars().take(LETTERS).collect();
        println!("{id}  {:indent$}{said}", "", indent = 2 * (depth - 1));
    }
    if lines.is_empty() {
        println!("nothing yet: outline add TEXT");
    }
    Ok(())
}

/// Letters of an id that are shown: eight tell all lines of an outline apart.
const LETTERS: usize = 8;

async fn watch(replica: &Replica, outline: &ReplicaTree, session: &Session) -> Result<(), Error> {
    let transport = HttpTransport::from_session(session)?;
    let mut changes = outline.watch();
    let mut running = std::pin::pin!(replica.run(&transport));
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        println!("--");
        show(outline).await?;
        tokio::select! {
            error = &mut running => return Err(error.into()),
            _ = &mut interrupted => return Ok(()),
            changed = changes.next() => if changed.is_none() { return Ok(()) },
        }
        // What came with it is shown with it.
        while futures_util::FutureExt::now_or_never(changes.next()).flatten().is_some() {}
    }
}
