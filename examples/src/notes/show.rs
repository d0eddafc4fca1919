//! Text for the terminal.

use std::io::Write;

use sync_core::Timestamp;

use crate::fault::Fault;
use crate::note::Note;

/// Letters of a note in a list; the rest is behind `notes show`.
const LINE_CHARS_MAX: usize = 100;

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Fault::output(&error))
}

/// Writes beside the output: what is not the answer to the command.
pub(crate) fn hint(text: &str) {
    // The command is carried out whether anybody reads this or not.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A note in a list.
pub(crate) fn line(id: &str, note: &Note) -> String {
    let mark = if note.done { 'x' } else { ' ' };
    let tags: String = note.tags().map(|tag| format!("  #{}", clean(tag))).collect();
    format!("{id} [{mark}] {}{tags}\n", first_line(&note.text))
}

/// As much of a text as fits a line.
pub(crate) fn first_line(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let shown: String = text.lines().next().unwrap_or(text).chars().take(LINE_CHARS_MAX).collect();
    let is_all = shown.len() == text.len();
    format!("{}{}", clean(&shown), if is_all { "" } else { " …" })
}

/// The text without what would command the terminal: notes may come from anywhere.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// The text with every line moved to the right.
pub(crate) fn indented(text: &str, by: usize) -> String {
    let clean = clean(text);
    let lines: Vec<&str> = clean.lines().collect();
    lines.join(&format!("\n{}", " ".repeat(by)))
}

/// A moment, to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..19).unwrap_or(&text).replace('T', " "))
}

/// So many of something.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_command_the_terminal() {
        assert_eq!(clean("\u{1b}[2Jhello\u{7}\r\n\tyou"), "\u{fffd}[2Jhello\u{fffd}\u{fffd}\n\tyou");
        assert_eq!(first_line("\n\none\ntwo"), "one …");
        assert_eq!(first_line("one\n"), "one");
        assert_eq!(first_line(" \n"), "(empty)");
    }
}
