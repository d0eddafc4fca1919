//! Commands that show notes.

use serde_json::Value;
use sync_core::Version;
use sync_core::replica::{Item, Query};

use crate::cli::{List, Sort};
use crate::fault::Fault;
use crate::note::{NOTES, Note};
use crate::notebook::Notebook;
use crate::short_id::ShortIds;
use crate::show;

/// Notes that are exported at once.
const PAGE: usize = 1000;

/// Lists the notes that are wanted.
pub(crate) async fn list(notebook: &Notebook, wanted: List) -> Result<(), Fault> {
    let mut query = match wanted.sort {
        Sort::Created => Query::all().order_by("/created_at"),
        Sort::Text => Query::all().order_by("/text"),
        Sort::Edited => Query::all(),
    };
    if wanted.open {
        query = query.where_ne("/done", true);
    }
    if wanted.done {
        query = query.where_eq("/done", true);
    }
    for tag in &wanted.tags {
        query = query.where_eq(&tag.pointer(), true);
    }
    let mut items = notebook.list(&query).await?;
    if wanted.sort == Sort::Edited {
        items.sort_by_key(|item| std::cmp::Reverse(item.meta.edited_at));
    }
    if wanted.reverse {
        items.reverse();
    }
    print_all(&notebook.ids().await?, &items)?;
    if items.is_empty() {
        show::hint("no notes; write one: notes add \"buy milk\"\n");
    }
    Ok(())
}

/// Lists the notes that mention a word.
pub(crate) async fn find(notebook: &Notebook, word: &str) -> Result<(), Fault> {
    let mut items = notebook.list(&Query::all().order_by("/created_at")).await?;
    items.retain(|item| item.value.as_ref().is_ok_and(|note| note.mentions(word)));
    print_all(&notebook.ids().await?, &items)?;
    if items.is_empty() {
        show::hint(&format!("no note mentions {word:?}\n"));
    }
    Ok(())
}

fn print_all(ids: &ShortIds, items: &[Item<Note>]) -> Result<(), Fault> {
    let lines = items.iter().map(|item| {
        let id = ids.short(item.id.as_str());
        match &item.value {
            Ok(note) => show::line(&id, note),
            Err(_) => format!("{id} [?] (a note that this version cannot read: notes export shows it)\n"),
        }
    });
    show::print(&lines.collect::<String>())
}

/// Shows a note with all that is known about it.
pub(crate) async fn show(notebook: &Notebook, start: &str) -> Result<(), Fault> {
    let ids = notebook.ids().await?;
    let id = ids.find(start)?;
    let gone = || Fault::new(format!("there is no note {id} any more"));
    let item = notebook.notes.item(id).await?.ok_or_else(gone)?;
    let (note, meta) = (item.value?, item.meta);
    let state = if note.done { "done" } else { "open" };
    let tags: Vec<String> = note.tags().map(|tag| format!("#{}", show::clean(tag))).collect();
    let mut text = format!("{}\n\n", show::clean(&note.text));
    text += &format!("  id       {id}\n  state    {state}\n  tags     {}\n", tags.join(" "));
    text += &format!("  created  {}\n", show::moment(note.created_at));
    text += &format!("  edited   {} (version {})\n", show::moment(meta.edited_at), meta.revision);
    if meta.upstream == Version::ZERO {
        text += "  server   does not have it yet\n";
    }
    let conflicts = notebook.replica.conflicts(usize::MAX).await?;
    if conflicts.iter().any(|conflict| conflict.body.key.id.as_str() == id) {
        text += "  conflict two changes do not go together: notes conflicts\n";
    }
    show::print(&text)
}

/// Writes all notes as lines of JSON, whatever is in them.
pub(crate) async fn export(notebook: &Notebook) -> Result<(), Fault> {
    let mut last: Option<String> = None;
    loop {
        let query = last.iter().fold(Query::all().limit(PAGE), |query, last| query.after(last));
        let page = notebook.replica.list(NOTES, &query).await?;
        let is_last = page.len() < PAGE;
        last = page.last().map(|record| record.key.id.as_str().to_owned());
        let mut lines = String::new();
        for record in page {
            let id = Value::from(record.key.id.as_str());
            let line = match record.data.map(|data| data.to_value()) {
                Some(Value::Object(mut members)) => {
                    members.insert("id".to_owned(), id);
                    Value::Object(members)
                }
                other => serde_json::json!({"id": id, "value": other}),
            };
            lines += &format!("{line}\n");
        }
        show::print(&lines)?;
        if is_last {
            return Ok(());
        }
    }
}
