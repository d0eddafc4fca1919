//! One sync, and what became of it.

use std::io::IsTerminal;

use sync_core::replica::{Phase, Progress, SyncReport};
use sync_core::transport::HttpTransport;
use sync_core::{Clock, SystemClock};

use crate::fault::Fault;
use crate::home::{Home, LastSync};
use crate::notebook::Notebook;
use crate::show;

/// Sends what was changed here, and fetches what was changed elsewhere. It may be killed at any point and repeated.
pub(crate) async fn sync(home: &Home, notebook: &Notebook) -> Result<(), Fault> {
    let transport = HttpTransport::from_session(notebook.account()?)?;
    let is_watched = std::io::stderr().is_terminal();
    let synced = notebook.replica.sync_with_progress(&transport, |progress| {
        if is_watched {
            show::hint(&format!("\r\u{1b}[K{}", told(progress)));
        }
    });
    let synced = synced.await;
    if is_watched {
        show::hint("\r\u{1b}[K");
    }
    let report = match synced {
        Ok(report) => report,
        Err(error) => {
            let fault = Fault::from(error);
            remember(home, format!("failed: {}", fault.what()))?;
            return Err(fault);
        }
    };
    let text = counted(&report);
    remember(home, text.clone())?;
    show::print(&format!("{text}\n"))?;
    show::print(&wanting(notebook).await?)
}

/// How far a sync is.
pub(crate) fn told(progress: Progress) -> String {
    let what = match progress.phase {
        Phase::Pushing => "sending",
        Phase::Loading => "loading",
        Phase::Pulling => "fetching",
    };
    match progress.n_total {
        Some(total) => format!("{what} {} of {total}", progress.n_done),
        None => format!("{what} {}", progress.n_done),
    }
}

/// Keeps what became of a sync, for `notes status`.
pub(crate) fn remember(home: &Home, what: String) -> Result<(), Fault> {
    home.save_last_sync(&LastSync { at: SystemClock.now(), what })
}

fn counted(report: &SyncReport) -> String {
    let SyncReport { pushed, pulled, merged, conflicts, rejected, .. } = *report;
    let mut text = format!("sent {pushed}, received {pulled}");
    for (n, what) in [(merged, "merged"), (conflicts, "in conflict"), (rejected, "refused")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    if let Some(why) = report.resynced {
        text += &format!(" (loaded anew: {})", why.as_str());
    }
    text
}

/// What needs a person; empty if nothing does.
pub(crate) async fn wanting(notebook: &Notebook) -> Result<String, Fault> {
    let unsent = notebook.replica.unsent().await?;
    let mut text = String::new();
    for (n, what, command) in [
        (unsent.n_conflicts, "in conflict", "notes conflicts"),
        (unsent.n_set_aside, "refused by the server", "notes refused"),
    ] {
        if n > 0 {
            text += &format!("{n} {what}: {command}\n");
        }
    }
    Ok(text)
}
