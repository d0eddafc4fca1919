//! Ids that people can type: any beginning that fits one thing only.

use crate::fault::Fault;

/// Letters that are shown at least, so that a short id still fits after a few more notes.
const LETTERS_MIN: usize = 4;

/// The ids of all notes.
pub(crate) struct ShortIds {
    /// Ascending.
    ids: Vec<String>,
    n_letters: usize,
}

impl ShortIds {
    /// `ids` ascending.
    pub(crate) fn new(ids: Vec<String>) -> Self {
        let shared = |pair: &[String]| {
            pair[0].chars().zip(pair[1].chars()).take_while(|(one, other)| one == other).count()
        };
        let needed = ids.windows(2).map(|pair| shared(pair) + 1).max().unwrap_or_default();
        Self { ids, n_letters: needed.max(LETTERS_MIN) }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// As much of an id as tells it from all others.
    pub(crate) fn short(&self, id: &str) -> String {
        id.chars().take(self.n_letters).collect()
    }

    /// The id that begins so.
    pub(crate) fn find(&self, start: &str) -> Result<&str, Fault> {
        if let Some(id) = self.ids.iter().find(|id| *id == start) {
            return Ok(id);
        }
        let lower = start.to_lowercase();
        let fits = |id: &&String| !lower.is_empty() && id.to_lowercase().starts_with(&lower);
        let fitting: Vec<&String> = self.ids.iter().filter(fits).collect();
        match fitting.as_slice() {
            [id] => Ok(id),
            [] => Err(Fault::new(format!("no note has an ID that begins with `{start}`"))
                .advise("notes list shows them all, notes find WORD looks for one")),
            many => {
                let short: Vec<String> = many.iter().take(5).map(|id| self.short(id)).collect();
                let what =
                    format!("`{start}` is the beginning of {} IDs: {} …", many.len(), short.join(", "));
                Err(Fault::new(what).advise("type a letter more"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_finds_the_one_id_it_fits_and_no_other() {
        let ids = ["3f2a00", "3f2a01", "3fbb", "9c", "übung"].map(str::to_owned);
        let ids = ShortIds::new(ids.into());
        assert_eq!(ids.short("3f2a01"), "3f2a01");
        for (start, found) in
            [("3fb", "3fbb"), ("9", "9c"), ("9C", "9c"), ("3F2A00", "3f2a00"), ("ü", "übung")]
        {
            assert_eq!(ids.find(start).unwrap(), found);
        }
        for start in ["", "3f", "3f2a", "x", "9cc", "\u{1f600}"] {
            assert!(ids.find(start).is_err(), "{start}");
        }
        assert!(ShortIds::new(Vec::new()).find("3").is_err());
    }
}
