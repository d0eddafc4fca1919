//! Commands that change notes. All of them are done when they return, with or without a network.

use std::io::Read;

use serde_json::{Value, json};
use sync_core::replica::Query;
use sync_core::{Clock, IdSource, OsIds, SystemClock};

use crate::cli::Edit;
use crate::editor;
use crate::fault::Fault;
use crate::note::{NOTES, Note, Tag, retagged};
use crate::notebook::Notebook;
use crate::short_id::ShortIds;
use crate::show;

/// Writes a new note.
pub(crate) async fn add(notebook: &Notebook, text: String, tags: Vec<Tag>) -> Result<(), Fault> {
    let text = if text == "-" { standard_input()? } else { text };
    let text = text.trim_end();
    if text.trim().is_empty() {
        return Err(Fault::new("a note needs a text").advise("notes add \"buy milk\""));
    }
    let id = create(notebook, text, &tags).await?;
    say(notebook, "added", &[id]).await
}

/// Makes a note and returns its id.
pub(crate) async fn create(notebook: &Notebook, text: &str, tags: &[Tag]) -> Result<String, Fault> {
    let tags = tags.iter().map(|tag| (tag.as_str().to_owned(), true)).collect();
    let note = Note { text: text.to_owned(), done: false, tags, created_at: SystemClock.now() };
    // Lower-case hexadecimal digits: easy to type, and no two devices ever make the same.
    let id = OsIds.new_hex_id();
    notebook.notes.put(&id, &note).await?;
    Ok(id)
}

/// Changes text and tags. Only what is named is sent, so that a change of something else elsewhere goes with it.
pub(crate) async fn edit(notebook: &Notebook, edit: Edit) -> Result<(), Fault> {
    let ids = notebook.ids().await?;
    let id = ids.find(&edit.id)?;
    let mut changes = serde_json::Map::new();
    if !edit.tags.is_empty() || !edit.untags.is_empty() {
        changes.insert("tags".to_owned(), retagged(&edit.tags, &edit.untags));
    }
    let text = match edit.text {
        Some(text) => Some(text),
        None if changes.is_empty() => Some(editor::edit(&read(notebook, id).await?.text)?),
        None => None,
    };
    if let Some(text) = text {
        if text.trim().is_empty() {
            return Err(Fault::new("the text is empty; the note was left as it is")
                .advise(format!("to remove it: notes rm {}", ids.short(id))));
        }
        changes.insert("text".to_owned(), Value::from(text.trim_end()));
    }
    let is_changed = notebook.notes.patch(id, &changes).await?;
    say(notebook, if is_changed { "changed" } else { "is so already" }, &[id.to_owned()]).await
}

/// Marks notes as done, or as open again.
pub(crate) async fn mark(notebook: &Notebook, wanted: &[String], done: bool) -> Result<(), Fault> {
    let found = find_all(&notebook.ids().await?, wanted)?;
    for id in &found {
        notebook.notes.patch(id, &json!({"done": done})).await?;
    }
    say(notebook, if done { "done" } else { "open again" }, &found).await
}

/// Removes notes.
pub(crate) async fn remove(notebook: &Notebook, wanted: &[String]) -> Result<(), Fault> {
    let ids = notebook.ids().await?;
    for id in find_all(&ids, wanted)? {
        // Also one that this version cannot read.
        let text = notebook.notes.get(&id).await.ok().flatten().map(|note| show::first_line(&note.text));
        notebook.notes.delete(&id).await?;
        show::print(&format!("removed {} {}\n", ids.short(&id), text.unwrap_or_default()))?;
    }
    Ok(())
}

/// Gives notes with one tag another one instead. A transaction: no device, and no crash, ever sees half of it.
pub(crate) async fn retag(notebook: &Notebook, old: &Tag, new: &Tag) -> Result<(), Fault> {
    if old == new {
        return Ok(());
    }
    let query = Query::all().where_eq(&old.pointer(), true);
    let changes = json!({"tags": retagged(std::slice::from_ref(new), std::slice::from_ref(old))});
    let retagged = notebook.replica.transaction(async |t| {
        let found = t.list(NOTES, &query).await?;
        for record in &found {
            t.patch(NOTES, record.key.id.as_str(), &changes).await?;
        }
        Ok(found.len())
    });
    let n = retagged.await.map_err(|error| match error.code() {
        Some("body_too_large") => Fault::new(format!("too many notes have #{} for one step", old.as_str()))
            .advise("change some of them with notes edit ID --tag NEW --untag OLD first"),
        _ => error.into(),
    })?;
    let (old, new) = (show::clean(old.as_str()), show::clean(new.as_str()));
    show::print(&format!("{} with #{old} now have #{new}\n", show::count(n, "note")))
}

/// The note under this id.
pub(crate) async fn read(notebook: &Notebook, id: &str) -> Result<Note, Fault> {
    notebook.notes.get(id).await?.ok_or_else(|| Fault::new(format!("there is no note {id} any more")))
}

/// All of the ids, or none: a typing mistake in the last one must not leave half of the work done.
fn find_all(ids: &ShortIds, wanted: &[String]) -> Result<Vec<String>, Fault> {
    wanted.iter().map(|start| ids.find(start).map(str::to_owned)).collect()
}

/// Shows notes after they were changed.
async fn say(notebook: &Notebook, what: &str, changed: &[String]) -> Result<(), Fault> {
    let ids = notebook.ids().await?;
    for id in changed {
        let note = read(notebook, id).await?;
        show::print(&format!("{what}: {}", show::line(&ids.short(id), &note)))?;
    }
    Ok(())
}

fn standard_input() -> Result<String, Fault> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Fault::new(format!("cannot read standard input: {error}")))?;
    Ok(text)
}
