//! Conflicts: both sides shown, and one of them, or something else, taken.

use serde_json::Value;
use sync_core::ConflictBody;
use sync_core::Resolution;
use sync_core::json::Json;
use sync_core::protocol::code;
use sync_core::replica::ShownConflict;

use crate::cli::{Resolve, Side};
use crate::fault::Fault;
use crate::notebook::Notebook;
use crate::short_id::ShortIds;
use crate::{editor, show};

/// Letters of a conflict's name that are shown. They are random: a few tell thousands apart.
const LETTERS: usize = 8;

/// Columns that the text of a side is moved to the right.
const INDENT: usize = 25;

/// Shows all conflicts with both sides, and what was there before.
pub(crate) async fn list(notebook: &Notebook) -> Result<(), Fault> {
    let conflicts = notebook.replica.conflicts(usize::MAX).await?;
    if conflicts.is_empty() {
        return show::print("no conflicts\n");
    }
    let ids = notebook.ids().await?;
    let mut text = String::new();
    for conflict in &conflicts {
        text += &told(&name(conflict, &conflicts, &ids), &conflict.body, conflict.now.as_ref(), &ids);
    }
    show::print(&text)
}

/// How a person names a conflict: by its note, unless that has several.
fn name(conflict: &ShownConflict, all: &[ShownConflict], ids: &ShortIds) -> String {
    let is_alone = all.iter().filter(|other| other.body.key == conflict.body.key).count() == 1;
    if is_alone {
        return ids.short(conflict.body.key.id.as_str());
    }
    conflict.id.as_str().chars().take(LETTERS).collect()
}

fn told(name: &str, body: &ConflictBody, now: Option<&Value>, ids: &ShortIds) -> String {
    let (note, at_moment) = (ids.short(body.key.id.as_str()), show::moment(body.at));
    let mut text = format!("{name}  two changes of note {note} do not go together ({at_moment})\n");
    for path in &body.paths {
        let path = path.as_str();
        text += &format!("  {}\n", path.strip_prefix('/').unwrap_or("the whole note"));
        let mut line = |label: &str, value| text += &format!("    {label:<20} {}\n", value_text(value));
        if let Some(before) = before(body, path) {
            line("before", before);
        }
        line("mine, came second", at(body.mine.as_ref(), path));
        line("theirs, came first", at(body.theirs.as_ref(), path));
        if at(now, path) != at(body.theirs.as_ref(), path) {
            line("changed since to", at(now, path));
        }
    }
    text + &format!("  decide with: notes resolve {name} mine|theirs|edit\n")
}

/// What was at a path before either side changed it, if the losing change says so.
fn before<'a>(body: &'a ConflictBody, path: &str) -> Option<Option<&'a Value>> {
    let edits = body.patch.as_ref()?.edits();
    edits.iter().find(|edit| edit.path.as_str() == path).map(|edit| edit.was.as_ref())
}

fn at<'a>(note: Option<&'a Value>, path: &str) -> Option<&'a Value> {
    note.and_then(|note| note.pointer(path))
}

/// A member of a note, or all of it, for people.
pub(crate) fn value_text(value: Option<&Value>) -> String {
    match value {
        None => "(removed)".to_owned(),
        Some(Value::String(text)) => show::indented(text, INDENT),
        Some(Value::Object(_)) => text_of(value),
        Some(other) => show::clean(&other.to_string()),
    }
}

/// What a whole note says.
pub(crate) fn text_of(note: Option<&Value>) -> String {
    let text = note.and_then(|note| note.get("text")).and_then(Value::as_str);
    text.map_or_else(|| value_as_json(note), |text| show::indented(text, INDENT))
}

fn value_as_json(value: Option<&Value>) -> String {
    value.map_or("(removed)".to_owned(), |value| show::clean(&value.to_string()))
}

/// Decides a conflict. Works offline; the next sync tells the other devices.
pub(crate) async fn resolve(notebook: &Notebook, wanted: Resolve) -> Result<(), Fault> {
    let conflicts = notebook.replica.conflicts(usize::MAX).await?;
    let conflict = find(&conflicts, &wanted.id)?;
    let resolution = match (wanted.side, wanted.text) {
        (Side::Mine, None) => Resolution::TakeMine,
        (Side::Theirs, None) => Resolution::TakeTheirs,
        (Side::Edit, text) => Resolution::Merged(Some(merged(conflict, text)?)),
        (Side::Mine | Side::Theirs, Some(_)) => {
            return Err(
                Fault::new("--text goes with `edit` only").advise("notes resolve ID edit --text TEXT")
            );
        }
    };
    let resolved = notebook.replica.resolve(conflict, resolution).await;
    resolved.map_err(|error| match error.code() {
        Some(code::VERSION_CONFLICT) => {
            Fault::from(error).advise(format!("notes resolve {} edit", wanted.id))
        }
        _ => error.into(),
    })?;
    let now = notebook.notes.get(conflict.body.key.id.as_str()).await?;
    let now = now.map_or("removed\n".to_owned(), |note| {
        let id = conflict.body.key.id.as_str().chars().take(LETTERS).collect::<String>();
        show::line(&id, &note)
    });
    show::print(&format!("decided: {now}notes sync tells your other devices\n"))
}

/// The one conflict that is meant: by the beginning of its own name, or of its note's id.
fn find<'a>(conflicts: &'a [ShownConflict], start: &str) -> Result<&'a ShownConflict, Fault> {
    let lower = start.to_lowercase();
    let is_meant = |conflict: &&ShownConflict| {
        let note = conflict.body.key.id.as_str().to_lowercase();
        !start.is_empty() && (conflict.id.as_str().starts_with(start) || note.starts_with(&lower))
    };
    let mut meant = conflicts.iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(conflict), None) => Ok(conflict),
        (None, _) => Err(Fault::new(format!("no conflict is named `{start}`"))
            .advise("notes conflicts shows them; it may be decided already")),
        (Some(_), Some(_)) => Err(Fault::new(format!("`{start}` fits several conflicts"))
            .advise("take a name that notes conflicts shows")),
    }
}

/// The note as it is shown, with the text that was given or that the editor made of both sides.
fn merged(conflict: &ShownConflict, text: Option<String>) -> Result<Json, Fault> {
    let (body, now) = (&conflict.body, conflict.now.clone());
    let text = match text {
        Some(text) => text,
        None => {
            let side =
                |note: Option<&Value>| at(note, "/text").and_then(Value::as_str).unwrap_or("").to_owned();
            let (mine, theirs) = (side(body.mine.as_ref()), side(now.as_ref()));
            editor::edit(&if mine == theirs { mine } else { format!("{mine}\n{theirs}\n") })?
        }
    };
    if text.trim().is_empty() {
        return Err(Fault::new("the text is empty; nothing was decided"));
    }
    // What else both sides changed is not in question here, and neither is what a later version may have added.
    let Some(Value::Object(mut note)) = now.or_else(|| body.mine.clone()) else {
        return Err(
            Fault::new("this is a note that this version cannot read").advise("take one of the sides")
        );
    };
    note.insert("text".to_owned(), Value::from(text.trim_end()));
    Json::from_value(&Value::Object(note))
        .map_err(|error| Fault::new(format!("this text cannot be kept: {error}")))
}
