//! A desktop app that is its own server: its window works on a replica in the same process, a phone reaches the same
//! space over HTTP.
//!
//! ```sh
//! cargo run -p sync-examples --bin embedded-server -- FOLDER
//! ```
//! Both halves run in this one program, so that it can be watched; a real phone would be elsewhere.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use serde_json::json;
use sync_core::replica::{Event, Replica, ReplicaOptions};
use sync_core::service::Actor;
use sync_core::transport::{HttpTransport, Loopback};
use sync_core::{ErrorKind, IdSource, OsIds, Role, Session, TokioRuntime};
use sync_server::Server;
use sync_server::config::{Config, Settings};
use sync_store_sqlite::SqliteStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type Error = Box<dyn std::error::Error>;

/// The name of the desktop's owner on their own server.
const OWNER: &str = "owner";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or(temporary.path().to_owned(), PathBuf::from);

    // The server role, exactly as the binary has it: accounts, limits and all of HTTP. Port 0 is any free one; an app
    // that phones in the house should reach listens on 0.0.0.0 and puts TLS in front.
    let store = format!("sqlite:{}", folder.join("server.db").display());
    let settings = Settings {
        listen: Some("127.0.0.1:0".into()),
        store: Some(store.as_str().into()),
        ..Settings::default()
    };
    let server = Server::start(Config::load(settings, |_| None, None)?).await?;
    let url = format!("http://{}", server.address());
    // The desktop's own way to the very service that answers the phone: no socket, no token, no second copy of the data.
    let service = server.service().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async { drop(stopped.await) }));

    // The owner's account. A phone pairs with its name and this password, which the app would show as a QR code.
    let password = password(&folder)?;
    let me = sign_in_or_up(&url, &password).await?;
    println!("serving {url} for space {}", me.space);

    // The window: a replica beside the server, in a file of its own. `Loopback` says who it acts for.
    let desktop = open(&folder.join("desktop.db"), &me).await?;
    let inside = Loopback::new(service, Actor::new(me.user.clone(), Role::Owner));

    // The phone knows a URL, a name and a password, and nothing of what is behind them.
    let outside = HttpTransport::new(&url, None)?;
    let phone = open(&folder.join("phone.db"), &outside.login(OWNER, &password).await?).await?;

    // The first sync loads what the space has already. It may be all of it; `sync_with_progress` tells how far it is.
    desktop.sync(&inside).await?;
    phone.sync(&outside).await?;

    // Both keep themselves in sync from now on, and a window shows what its replica tells, whoever changed it.
    let (mut window, mut screen) = (desktop.watch(&["photos"])?, phone.watch(&["photos"])?);
    let at_work = [
        tokio::spawn({
            let desktop = desktop.clone();
            async move { desktop.run(&inside).await }
        }),
        tokio::spawn({
            let phone = phone.clone();
            async move { phone.run(&outside).await }
        }),
    ];

    desktop.put("photos", "1", &json!({"title": "Lake", "stars": 4})).await?;
    show("desktop", window.next().await);
    show("phone", screen.next().await);
    phone.patch("photos", "1", &json!({"stars": 5})).await?;
    show("phone", screen.next().await);
    show("desktop", window.next().await);

    // The desktop may see the phone's edit before the phone hears that it arrived.
    let mut states = phone.states();
    while desktop.state_hash().await? != phone.state_hash().await? {
        states.next().await;
    }
    println!("both have the same");
    at_work.iter().for_each(JoinHandle::abort);

    // In order: what is in flight is answered, then the store is closed.
    drop(stop);
    serving.await?;
    println!("stopped; the phone goes on offline");
    Ok(())
}

async fn open(file: &Path, session: &Session) -> Result<Replica, Error> {
    let store = SqliteStore::open_file(file).await?;
    let options = ReplicaOptions::for_session(Arc::new(TokioRuntime), session);
    Ok(Replica::open(Arc::new(store), session.space.clone(), options).await?)
}

/// What a window or a screen would show.
fn show(who: &str, event: Option<Event>) {
    match event {
        Some(Event::Changed(change)) => {
            let data = change.data.map_or("deleted".to_owned(), |data| data.as_str().to_owned());
            println!("{who} shows {data} ({:?})", change.origin);
        }
        // So much changed at once that it is better read again.
        Some(Event::Reload) => println!("{who} reads everything again"),
        None => println!("{who} is closed"),
    }
}

/// The password for pairing, made at the first start.
fn password(folder: &Path) -> Result<String, Error> {
    let file = folder.join("pairing-password");
    // For the eyes of this user alone.
    match File::options().write(true).create_new(true).mode(0o600).open(&file) {
        Ok(mut new) => new.write_all(OsIds.new_id().as_bytes())?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    Ok(std::fs::read_to_string(&file)?)
}

/// The first start makes the account, later ones find it.
async fn sign_in_or_up(url: &str, password: &str) -> Result<Session, Error> {
    let transport = HttpTransport::new(url, None)?;
    match transport.login(OWNER, password).await {
        Err(error) if error.kind() == ErrorKind::Unauthorized => {
            Ok(transport.register(OWNER, password).await?)
        }
        session => Ok(session?),
    }
}
