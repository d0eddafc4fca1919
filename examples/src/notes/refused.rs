//! Changes that the server refused: kept here until someone has looked at them.

use sync_core::Op;
use sync_core::replica::SetAside;

use crate::fault::Fault;
use crate::notebook::Notebook;
use crate::{conflicts, show};

/// Refused changes that are shown at once: more than a person reads.
const SHOWN_MAX: usize = 1000;

/// Letters of a name that are shown. They are random: a few tell a thousand apart.
const LETTERS: usize = 8;

/// Shows what was refused and why.
pub(crate) async fn list(notebook: &Notebook) -> Result<(), Fault> {
    let refused = notebook.replica.set_aside(SHOWN_MAX).await?;
    if refused.is_empty() {
        return show::print("nothing was refused\n");
    }
    let ids = notebook.ids().await?;
    let mut text = String::new();
    for SetAside { id, mutation, code, detail, at } in &refused {
        let name: String = id.as_str().chars().take(LETTERS).collect();
        let note = ids.short(mutation.key.id.as_str());
        text += &format!("{name}  note {note}, {}: {} ({code})\n", show::moment(*at), show::clean(detail));
        text += &match &mutation.op {
            Op::Put(data) => format!("  it was to be\n    {}\n", conflicts::text_of(Some(&data.to_value()))),
            Op::Patch(patch) => patch
                .edits()
                .iter()
                .map(|edit| {
                    format!("  {} was to be {}\n", edit.path, conflicts::value_text(edit.now.as_ref()))
                })
                .collect(),
            Op::Delete => "  it was to be removed\n".to_owned(),
        };
    }
    text += "make the change again if you still want it, then: notes dismiss NAME\n";
    show::print(&text)
}

/// Forgets a refused change.
pub(crate) async fn dismiss(notebook: &Notebook, start: &str) -> Result<(), Fault> {
    let refused = notebook.replica.set_aside(usize::MAX).await?;
    let mut fitting = refused.iter().filter(|edit| !start.is_empty() && edit.id.as_str().starts_with(start));
    match (fitting.next(), fitting.next()) {
        (Some(edit), None) => {
            notebook.replica.dismiss(&edit.id).await?;
            show::print("dismissed\n")
        }
        (None, _) => Err(Fault::new(format!("no refused change has a name that begins with `{start}`"))
            .advise("notes refused shows them")),
        (Some(_), Some(_)) => {
            Err(Fault::new(format!("`{start}` is the beginning of several names"))
                .advise("type a letter more"))
        }
    }
}
