//! A shared list in the browser: a server, and beside it the page of `examples/live-list`, which comes from an address of its own.
//!
//! ```sh
//! cargo run -p sync-examples --bin live-list
//! ```
//! Open what it prints in two browsers. The page is plain JavaScript and speaks to any sync-server that names the page's
//! address in `--cors-origin`, as this program does here.
#![expect(clippy::print_stdout, reason = "it says where to look")]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use sync_server::Server;
use sync_server::config::{Config, Settings};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use warp::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use warp::http::{Response, StatusCode};
use warp::{Filter, Rejection};

type Error = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(version, about = "A list that several browsers share, and the server behind it")]
struct Cli {
    /// Where the page is served; port 0 is any free one. A browser keeps its copy of a list by this address.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    page: SocketAddr,
    /// Where the server listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Folder with the server's data [default: one that is removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// The files of the page. Within the program, so that it runs from anywhere.
const FILES: [(&str, &str, &str); 7] = [
    ("", "text/html", include_str!("../live-list/index.html")),
    ("style.css", "text/css", include_str!("../live-list/style.css")),
    ("list.js", "text/javascript", include_str!("../live-list/list.js")),
    ("account.js", "text/javascript", include_str!("../live-list/account.js")),
    ("copy.js", "text/javascript", include_str!("../live-list/copy.js")),
    ("edits.js", "text/javascript", include_str!("../live-list/edits.js")),
    ("sync.js", "text/javascript", include_str!("../live-list/sync.js")),
];

/// The page runs its own scripts alone, and calls whatever server its reader names.
const POLICY: &str = "default-src 'self'; connect-src *; frame-ancestors 'none'; base-uri 'none'";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let cli = Cli::parse();
    let temporary = tempfile::tempdir()?;
    let folder = cli.data.unwrap_or_else(|| temporary.path().to_owned());

    // The page first: the server is told where it comes from, and takes calls from pages of no other origin.
    let page = TcpListener::bind(cli.page).await?;
    let origin = format!("http://{}", page.local_addr()?);
    let settings = Settings {
        listen: Some(cli.listen.to_string()),
        store: Some(format!("sqlite:{}", folder.join("server.db").display()).as_str().into()),
        cors_origin: Some(vec![origin.clone()]),
        ..Settings::default()
    };
    let server = Server::start(Config::load(settings, |_| None, None)?).await?;
    println!("open {origin}/#server={}", server.url());

    tokio::spawn(warp::serve(warp::path::tail().and_then(file)).incoming(page).run());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async { drop(stopped.await) }));
    tokio::signal::ctrl_c().await?;
    drop(stop);
    Ok(serving.await?)
}

/// One of the files, by its name.
async fn file(path: warp::path::Tail) -> Result<Response<&'static str>, Rejection> {
    let found = FILES.iter().find(|(name, ..)| *name == path.as_str());
    let &(_, kind, text) = found.ok_or_else(warp::reject::not_found)?;
    let response = Response::builder().status(StatusCode::OK).header(CONTENT_TYPE, kind);
    response.header(CONTENT_SECURITY_POLICY, POLICY).body(text).map_err(|_| warp::reject::not_found())
}
