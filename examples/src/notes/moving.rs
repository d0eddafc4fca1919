//! Notes from before the first login: they move into the account, each exactly once.
//!
//! A replica's space has the name it has at the server, so notes without an account are in a space of their own. Moving
//! them is two steps: copy a page of notes, remove that page. Whatever it breaks off at, the next command goes on there
//! before it does anything else. So a copy that is found was made by the step before, and nobody has changed, removed or
//! sent it since: it is left alone, and nothing is doubled.

use sync_core::Record;
use sync_core::replica::{Query, Replica};

use crate::fault::Fault;
use crate::note::NOTES;
use crate::notebook::Notebook;
use crate::show;

/// Notes in one step; a local transaction takes 500 records.
const STEP: usize = 200;

/// Notes that are shown one by one when they were moved: a screenful.
const TOLD_MAX: usize = 20;

/// Moves what is in `offline` into the account.
pub(crate) async fn finish(notebook: &mut Notebook, offline: &Replica) -> Result<(), Fault> {
    loop {
        let page = offline.list(NOTES, &Query::all().limit(STEP)).await?;
        if page.is_empty() {
            return Ok(());
        }
        copy(notebook, &page).await?;
        let removed = offline.transaction(async |t| {
            for record in &page {
                t.delete(NOTES, record.key.id.as_str()).await?;
            }
            Ok(())
        });
        removed.await?;
        notebook.moved.extend(page.iter().map(title));
    }
}

async fn copy(notebook: &Notebook, page: &[Record]) -> Result<(), Fault> {
    let mut missing = Vec::new();
    for record in page {
        let is_there = notebook.replica.get_json(NOTES, record.key.id.as_str()).await?.is_some();
        if let (false, Some(data)) = (is_there, &record.data) {
            missing.push((record.key.clone(), data.clone()));
        }
    }
    notebook.replica.import(missing).await?;
    Ok(())
}

fn title(record: &Record) -> String {
    let value = record.data.as_ref().map(|data| data.to_value()).unwrap_or_default();
    let text = value.get("text").and_then(|text| text.as_str());
    show::first_line(text.unwrap_or("(a note that this version cannot read)"))
}

/// What to say about the notes that were moved; nothing if none were.
pub(crate) fn told(notebook: &Notebook) -> String {
    let (moved, Some(account)) = (&notebook.moved, &notebook.account) else { return String::new() };
    if moved.is_empty() {
        return String::new();
    }
    let mut text =
        format!("moved {} from before the login to {account}:\n", show::count(moved.len(), "note"));
    for title in moved.iter().take(TOLD_MAX) {
        text += &format!("  {title}\n");
    }
    if moved.len() > TOLD_MAX {
        text += &format!("  … and {} more\n", moved.len() - TOLD_MAX);
    }
    text
}
