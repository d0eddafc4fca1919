//! Staying open: in sync with the server, and showing what happens as it happens.

use std::pin::pin;

use futures_util::StreamExt;
use sync_core::replica::{Event, Origin, SyncState, TypedChange, TypedEvent};
use sync_core::transport::HttpTransport;
use sync_core::{Clock, SystemClock};
use tokio::sync::mpsc;

use crate::fault::Fault;
use crate::home::Home;
use crate::note::Note;
use crate::notebook::Notebook;
use crate::{show, syncing, writing};

/// Letters of an id that are shown. Ids are random: eight tell all notes of a person apart, whatever is still to come.
const LETTERS: usize = 8;

/// Runs until ctrl-c, or until the replica cannot go on.
pub(crate) async fn watch(home: &Home, notebook: &Notebook) -> Result<(), Fault> {
    let account = notebook.account()?;
    let transport = HttpTransport::from_session(account)?;
    // Streams first, then what causes what they tell.
    let (mut notes, mut conflicts) = (notebook.notes.watch(), notebook.replica.watch_conflicts());
    let mut states = notebook.replica.states();
    let mut typed = typed_lines();
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let mut running = pin!(notebook.replica.run(&transport));
    show::print(&format!("watching as {account}; a line you type becomes a note, ctrl-c ends\n"))?;
    loop {
        tokio::select! {
            error = &mut running => return Err(error.into()),
            _ = &mut interrupted => return show::print("\n"),
            Some(event) = notes.next() => show::print(&changed(event))?,
            Some(event) = conflicts.next() => show::print(&conflict(&event))?,
            Some(state) = states.next() => tell(home, notebook, state).await?,
            // When there are no more, watching goes on: it may run without a terminal.
            Some(line) = typed.recv() => drop(writing::create(notebook, line.trim_end(), &[]).await?),
        }
    }
}

/// Lines that are typed, the empty ones left out. They are read in a thread of its own that is never waited for: tokio's
/// way to read would keep the program from ending until one more line is typed.
fn typed_lines() -> mpsc::Receiver<String> {
    let (send, typed) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        let mut lines = lines.filter(|line| !line.trim().is_empty());
        lines.try_for_each(|line| send.blocking_send(line))
    });
    typed
}

fn changed(event: TypedEvent<Note>) -> String {
    let TypedEvent::Changed(TypedChange { id, value, origin }) = event else {
        return "many notes changed at once: notes list shows them\n".to_owned();
    };
    let id: String = id.as_str().chars().take(LETTERS).collect();
    let origin = match origin {
        Origin::Local => "here",
        Origin::Remote => "elsewhere",
        Origin::Merge => "here and elsewhere",
    };
    match value {
        Ok(Some(note)) => format!("changed {origin}: {}", show::line(&id, &note)),
        Ok(None) => format!("removed {origin}: {id}\n"),
        Err(_) => format!("changed {origin}: {id} (a note that this version cannot read)\n"),
    }
}

fn conflict(event: &Event) -> String {
    let text = "conflict: two changes do not go together; stop this and look at notes conflicts\n";
    match event {
        Event::Changed(change) if change.data.is_none() => "conflict: decided\n".to_owned(),
        Event::Changed(_) | Event::Reload => text.to_owned(),
    }
}

/// Shows a state, and keeps it for `notes status`.
async fn tell(home: &Home, notebook: &Notebook, state: SyncState) -> Result<(), Fault> {
    let text = match state {
        SyncState::Idle => "in sync".to_owned(),
        SyncState::Connecting => "connecting".to_owned(),
        SyncState::Syncing(progress) => syncing::told(progress),
        SyncState::Offline { retry_at, .. } => {
            let wait = retry_at.map(|at| at.since(SystemClock.now()).as_secs() + 1);
            let wait = wait.map_or(String::new(), |wait| format!(", next try within {wait} s"));
            let unsent = notebook.replica.unsent().await?;
            format!("the server is away{wait}; {} unsent", unsent.n_waiting + unsent.n_in_flight)
        }
        SyncState::NeedsSignIn => "sign in again: stop this, then notes login URL USER".to_owned(),
        SyncState::ReadOnly => "the server takes no changes from here".to_owned(),
        SyncState::NoAccess => "this account cannot use these notes at the server any more".to_owned(),
        SyncState::Stopped { why } => format!("stopped: {why:?}"),
        _ => "in a state that this version does not know".to_owned(),
    };
    show::print(&format!("[{text}]\n"))?;
    match state {
        SyncState::Connecting | SyncState::Syncing(_) => Ok(()),
        _ => syncing::remember(home, format!("watching: {text}")),
    }
}
