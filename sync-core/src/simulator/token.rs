//! Tokens: every edit writes one of its own, so that whether it is accounted for can be looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was written, and what became of it by someone's will.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    n: u64,
    written: BTreeMap<String, Origin>,
    /// Replaced or thrown away by someone who saw them.
    replaced: BTreeSet<String>,
    /// Those that may be among the replaced ones; nobody was left to say.
    at_risk: BTreeMap<String, BTreeSet<String>>,
    /// Deleted by someone who saw them, and the server has carried that out, where deletes win.
    dead: BTreeSet<String>,
    /// Brought back by someone who decided a conflict, or by a copy that had not sent them yet.
    revived: BTreeSet<String>,
}

/// Where a token came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) space: usize,
    pub(crate) device: usize,
    /// Its place among all tokens.
    pub(crate) n: u64,
    /// Whether the write was reported as done. If not, it may be anywhere or nowhere.
    pub(crate) is_sure: bool,
}

impl Tokens {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that was never used. It may be on a disk from now on.
    pub(crate) fn fresh(&self, space: usize, device: usize) -> String {
        let mut books = self.books();
        books.n += 1;
        let n = books.n;
        let token = format!("~{space}.{device}.{n}");
        books.written.insert(token.clone(), Origin { space, device, n, is_sure: false });
        token
    }

    /// How many there are.
    pub(crate) fn n(&self) -> u64 {
        self.books().n
    }

    /// These were written for sure.
    pub(crate) fn are_written(&self, tokens: &[String]) {
        let mut books = self.books();
        for token in tokens {
            if let Some(origin) = books.written.get_mut(token) {
                origin.is_sure = true;
            }
        }
    }

    /// Someone who saw `before` made it `after`, or tried to.
    pub(crate) fn are_replaced(&self, before: &BTreeSet<String>, after: &BTreeSet<String>) {
        self.books().replaced.extend(before.difference(after).cloned());
    }

    /// Someone decides about these, under this name. Until they say what became of them, nobody knows.
    pub(crate) fn are_at_risk(&self, name: &str, tokens: BTreeSet<String>) {
        self.books().at_risk.insert(name.to_owned(), tokens);
    }

    /// It was said what became of them.
    pub(crate) fn are_safe(&self, name: &str) {
        self.books().at_risk.remove(name);
    }

    pub(crate) fn are_dead(&self, tokens: impl IntoIterator<Item = String>) {
        self.books().dead.extend(tokens);
    }

    /// A device was copied with all it wrote: what one of the two deletes, the other may still have to send for the first
    /// time.
    pub(crate) fn are_shared(&self, device: usize) {
        let mut books = self.books();
        let of_device = books.written.iter().filter(|(_, origin)| origin.device == device);
        let tokens: Vec<String> = of_device.map(|(token, _)| token.clone()).collect();
        books.revived.extend(tokens);
    }

    pub(crate) fn are_revived(&self, tokens: impl IntoIterator<Item = String>) {
        self.books().revived.extend(tokens);
    }

    /// Those of a space that must be somewhere.
    pub(crate) fn owed(&self, space: usize) -> Vec<String> {
        let books = self.books();
        let of_space = books.written.iter().filter(|(_, origin)| origin.space == space && origin.is_sure);
        let is_owed = |token: &&String| {
            !books.replaced.contains(*token) && !books.at_risk.values().any(|tokens| tokens.contains(*token))
        };
        of_space.map(|(token, _)| token).filter(is_owed).cloned().collect()
    }

    /// Those that must not be seen again.
    pub(crate) fn banned(&self) -> BTreeSet<String> {
        let books = self.books();
        books.dead.difference(&books.revived).cloned().collect()
    }

    pub(crate) fn origin(&self, token: &str) -> Option<Origin> {
        self.books().written.get(token).copied()
    }
}

/// The tokens in a text of JSON.
pub(crate) fn all_in(text: &str) -> BTreeSet<String> {
    let after_quotes = text.split("\"~").skip(1);
    after_quotes.filter_map(|rest| rest.split_once('"')).map(|(token, _)| format!("~{token}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_a_text() {
        let text = r#"{"f0":"~0.1.2","f1":["x","~0.1.3"],"f2":{"f":"~0.10.20"},"n":1}"#;
        let found: Vec<String> = all_in(text).into_iter().collect();
        assert_eq!(found, ["~0.1.2", "~0.1.3", "~0.10.20"]);
        assert!(all_in("{}").is_empty());
    }
}
