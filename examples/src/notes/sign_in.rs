//! Signing in.

use std::io::{BufRead, IsTerminal};

use sync_core::transport::HttpTransport;
use sync_core::{Error, ErrorKind, Session};
use sync_store_sqlite::SqliteStore;

use crate::cli::Login;
use crate::fault::Fault;
use crate::home::Home;
use crate::notebook::{Notebook, check_space};
use crate::{moving, show};

/// Signs in, and moves notes from before the first login into the account.
pub(crate) async fn login(home: &Home, login: Login) -> Result<(), Fault> {
    // First of all, so that nobody types a password only to hear that the notes are open elsewhere.
    let store = SqliteStore::open_file(home.database()).await?;
    let transport = HttpTransport::new(&login.url, None)
        .map_err(|error| Fault::from(error).advise("an address looks like http://127.0.0.1:8080"))?;
    let password = password(&login.user)?;
    let session = if login.register {
        transport.register(&login.user, &password).await
    } else {
        transport.login(&login.user, &password).await
    };
    let session = session.map_err(|error| refused(error, &login))?;
    check_space(&session.space)?;
    warn_of_another(home, &store, &session).await?;
    home.save_account(&session)?;
    show::print(&format!("signed in as {session}\n"))?;
    let notebook = Notebook::open_in(store, home).await?;
    show::print(&moving::told(&notebook))?;
    show::print("next: notes sync, or notes watch to stay in sync\n")?;
    notebook.close().await;
    Ok(())
}

/// Says what stays behind when someone else signs in on this computer.
async fn warn_of_another(home: &Home, store: &SqliteStore, session: &Session) -> Result<(), Fault> {
    let Some(before) = home.account()? else { return Ok(()) };
    if (&before.server, &before.user) == (&session.server, &session.user) {
        return Ok(());
    }
    let notebook = Notebook::open_in(store.clone(), home).await?;
    show::hint(&moving::told(&notebook));
    let unsent = notebook.replica.unsent().await?;
    if !unsent.is_empty() {
        show::hint(&format!(
            "{} of {before} were not sent; they stay here and are sent when {} signs in again\n",
            show::count(
                usize::try_from(unsent.n_waiting + unsent.n_in_flight).unwrap_or(usize::MAX),
                "change"
            ),
            before.username
        ));
    }
    Ok(())
}

fn refused(error: Error, login: &Login) -> Fault {
    let (kind, code) = (error.kind(), error.code());
    let fault = Fault::from(error);
    match (kind, code) {
        (ErrorKind::Unauthorized, _) => Fault::new("the name or the password is wrong")
            .advise("try again; to create the account: notes login URL USER --register"),
        (_, Some("username_taken")) => fault.advise("if it is yours, sign in without --register"),
        (ErrorKind::Invalid, _) => fault.advise("choose another name or password"),
        (ErrorKind::NotFound, _) => fault.advise(format!("is there a sync server at {}?", login.url)),
        _ => fault,
    }
}

/// From the environment, from the terminal without showing it, or from the first line of standard input. Never from the
/// arguments, which other users can see.
fn password(user: &str) -> Result<String, Fault> {
    if let Ok(password) = std::env::var("NOTES_PASSWORD") {
        return Ok(password);
    }
    let stdin = std::io::stdin();
    let read = if stdin.is_terminal() {
        rpassword::prompt_password(format!("password of {}: ", show::clean(user)))
    } else {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let password = read.map_err(|error| Fault::new(format!("cannot read the password: {error}")))?;
    if password.is_empty() {
        return Err(Fault::new("no password was given")
            .advise("type it on the terminal, pipe it in, or set NOTES_PASSWORD"));
    }
    Ok(password)
}
