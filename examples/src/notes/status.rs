//! Where the notes are, and how they stand.

use sync_core::replica::Query;

use crate::fault::Fault;
use crate::home::Home;
use crate::notebook::Notebook;
use crate::{show, syncing};

/// Shows where the notes are, what was not sent, and what needs someone.
pub(crate) async fn status(home: &Home, notebook: &Notebook) -> Result<(), Fault> {
    let n_notes = notebook.ids().await?.len();
    let n_open = notebook.list(&Query::all().where_ne("/done", true)).await?.len();
    let unsent = notebook.replica.unsent().await?;
    let mut text = format!("data       {}\n", home.folder().display());
    text += &match &notebook.account {
        Some(account) => format!("account    {account}\n"),
        None => "account    none; the notes are on this computer only (notes login URL USER)\n".to_owned(),
    };
    text += &format!("notes      {n_notes}, {n_open} open\n");
    if notebook.account.is_some() {
        text += &format!("unsent     {}\n", unsent.n_waiting + unsent.n_in_flight);
        text += &format!("conflicts  {}\n", unsent.n_conflicts);
        text += &format!("refused    {}\n", unsent.n_set_aside);
        text += &match home.last_sync()? {
            Some(last) => format!("last sync  {}: {}\n", show::moment(last.at), last.what),
            None => "last sync  never\n".to_owned(),
        };
    }
    text += &syncing::wanting(notebook).await?;
    show::print(&text)
}
