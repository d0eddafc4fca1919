//! The user's editor.

use std::io::{Read, Write};
use std::process::Command;

use crate::fault::Fault;

/// Lets the user edit a text, and returns what they made of it.
///
/// The notes stay open meanwhile, so nothing can change under the editor.
pub(crate) fn edit(text: &str) -> Result<String, Fault> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let broken = |error: std::io::Error| Fault::new(format!("cannot edit the text: {error}"));
    // Readable for this user alone, and removed at the end.
    let mut file = tempfile::Builder::new().prefix("note-").suffix(".txt").tempfile().map_err(broken)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(broken)?;
    // Through the shell, because an editor may come with arguments: "code --wait".
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path()).status();
    let status = status.map_err(broken)?;
    if !status.success() {
        return Err(Fault::new(format!("the editor `{editor}` ended with {status}; nothing was changed"))
            .advise("name another one in the variable EDITOR, or give the text with the command"));
    }
    // By its name, as editors replace the file.
    let mut edited = std::fs::File::open(file.path()).map_err(broken)?;
    let mut text = String::new();
    edited.read_to_string(&mut text).map_err(broken)?;
    Ok(text.trim_end().to_owned())
}
