//! The whole path on a data set of your own: import, sync, load elsewhere, edit on both sides, sync again, compare.
//!
//! ```sh
//! cargo run --release -p sync-examples --bin dataset -- packages.ndjson
//! ```
//! Takes NDJSON (one JSON value per line) or CSV with a header. Without `--server` it starts a server of its own, on
//! SQLite and a free port. Two replicas, each on its SQLite file, talk to it over HTTP.

mod edits;
mod input;
mod peer;
mod server;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sync_core::Collection;

use crate::edits::{edit_left, edit_right};
use crate::peer::Peer;
use crate::server::Server;
use crate::steps::Steps;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Import a data set into a replica, sync it through a server to a second one, edit both offline, and compare.
#[derive(Debug, Parser)]
struct Options {
    /// NDJSON file (one JSON value per line), or CSV with a header if it ends in .csv
    file: PathBuf,
    /// Member or column that holds the id of a record; lines without it are numbered
    #[arg(long, default_value = "id")]
    id: String,
    /// Collection to import into
    #[arg(long, default_value = "records", value_parser = |name: &str| Collection::new(name))]
    collection: Collection,
    /// Address of a running server, such as http://127.0.0.1:8080; without it one is started
    #[arg(long)]
    server: Option<String>,
    /// Folder for the databases; without it a temporary one, removed at the end
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            steps::complain(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Says whether everything ended up the same.
async fn run(options: Options) -> Result<bool, Error> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let mut steps = Steps::default();

    let records =
        steps.run("read the file", || input::read(&options.file, &options.collection, &options.id))?;
    let n = records.len();
    steps.note(n, "records");

    let server = Server::reach(options.server.as_deref(), &folder).await?;
    let left = Peer::open("left", &folder, &server).await?;
    let right = Peer::open("right", &folder, &server).await?;

    let imported = steps.wait("import into the left replica", left.import(records)).await?;
    steps.note(imported, "records");
    steps.sync("push to the server", &left).await?;
    steps.sync("first load into the right replica", &right).await?;

    let edits = steps.wait("edit the left replica offline", edit_left(&left, &options.collection)).await?;
    steps.note(edits, "edits");
    let edits = steps.wait("edit the right replica offline", edit_right(&right, &options.collection)).await?;
    steps.note(edits, "edits");
    steps.sync("sync the left replica", &left).await?;
    steps.sync("sync the right replica", &right).await?;
    let settled = steps.wait("settle the conflicts on the right", right.settle_conflicts()).await?;
    steps.note(settled, "conflicts");
    steps.sync("sync the right replica again", &right).await?;
    steps.sync("sync the left replica again", &left).await?;
    steps.sync("sync with nothing to do", &left).await?;

    let hashes = [left.hash().await?, right.hash().await?, server.hash().await?];
    steps.print();
    let unsent = left.n_unsent().await? + right.n_unsent().await?;
    Ok(steps::verdict(&hashes, unsent))
}
