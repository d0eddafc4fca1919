//! A desktop app that is its own server: its window works on a replica in the same process, a phone reaches the same
//! space over HTTP.
//!
//! ```sh
//! cargo run -p sync-examples --bin embedded-server -- FOLDER
//! ```
//! Both halves run in this one program, so that it can be watched; a real phone would be elsewhere.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use serde_json::json;
use sync_core::replica::{Event, Replica, ReplicaOptions};
use sync_core::service::Actor;
use sync_core::transport::{HttpTransport, Loopback, Paired};
use sync_core::{ActorId, PairingCode, Role, Session, SpaceId, TokioRuntime, User};
use sync_server::Server;
use sync_server::auth::username::UserName;
use sync_server::config::{Config, Settings};
use sync_server::identity::{Identity, NewSignIn};
use sync_server::problem::{Code, Problem};
use sync_server::qr::{Ink, Qr};
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
    let (service, identity) = (server.service().clone(), server.identity().clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async { drop(stopped.await) }));

    // The owner's account, which is made at the first start. They need no password: whoever sits at the desktop lets others in.
    let me = owner(&identity).await?;
    let space = me.home.clone().ok_or("every user has a space of their own")?;
    println!("serving {url} for space {space}");

    // The window: a replica beside the server, in a file of its own. `Loopback` says who it acts for.
    let desktop = open(&folder.join("desktop.db"), &space, &me.id).await?;
    let inside = Loopback::new(service, Actor::new(me.id.clone(), Role::Owner));

    let (outside, session) = pair(&identity, &me, &url).await?;
    let phone = open(&folder.join("phone.db"), &session.space, &session.user).await?;

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

async fn open(file: &Path, space: &SpaceId, user: &ActorId) -> Result<Replica, Error> {
    let store = SqliteStore::open_file(file).await?;
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), user.clone());
    Ok(Replica::open(Arc::new(store), space.clone(), options).await?)
}

/// The phone scans what the window shows, and gets a token of its own, which the owner can take back.
async fn pair(identity: &Identity, me: &User, url: &str) -> Result<(HttpTransport, Session), Error> {
    let offered = identity.offer_pairing(&me.id, false).await.map_err(refused)?;
    let shown = PairingCode::new(url, &offered.token)?.to_url();
    let picture = Qr::new(&shown).ok_or("an address is short enough for a picture")?.terminal(Ink::Plain);
    println!("{} lines of QR code to scan", picture.lines().count());
    let (phone, paired) = HttpTransport::pair(&PairingCode::parse(&shown)?, "phone").await?;
    let Paired::SignedIn(session) = paired else { return Err("nobody asked to be asked".into()) };
    Ok((phone, *session))
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

/// The first start makes the account, later ones find it.
async fn owner(identity: &Identity) -> Result<User, Error> {
    match identity.find_user(OWNER).await {
        Err(problem) if problem.code() == Code::NotFound => {
            let name = UserName::new(OWNER).map_err(refused)?;
            identity.add_user(NewSignIn::Devices(name)).await.map_err(refused)
        }
        found => found.map_err(refused),
    }
}

/// What the server would answer to a request.
fn refused(problem: Problem) -> Error {
    problem.code().title().into()
}
