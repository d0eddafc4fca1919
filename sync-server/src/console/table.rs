//! Columns for people.

use std::fmt;

use sync_core::Timestamp;

/// Between two columns.
const GAP: &str = "  ";

/// Lines of the same columns, each as wide as it has to be.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&title| title.to_owned()).collect()] }
    }

    /// Adds a line. What would steer the terminal is shown as what it is: names came from elsewhere.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| plain(cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |n: usize| self.rows.iter().filter_map(|row| row.get(n)).map(|c| c.chars().count()).max();
        let widths: Vec<_> = (0..n_columns).map(|n| width(n).unwrap_or(0)).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end())?;
        }
        Ok(())
    }
}

/// Text without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A time to the minute.
pub(super) fn day(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    text.get(..16).unwrap_or(&text).to_owned()
}

/// How far something lies behind.
pub(super) fn behind(lag_us: i64) -> String {
    let seconds = lag_us / 1_000_000;
    match (lag_us, seconds) {
        (..=0, _) => "up to date".to_owned(),
        (_, 0..=119) => format!("{seconds} s behind"),
        (_, 120..=7199) => format!("{} min behind", seconds / 60),
        (_, 7200..=172_799) => format!("{} h behind", seconds / 3600),
        _ => format!("{} days behind", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(["äöü".to_owned(), "x".to_owned()]);
        table.row(["\x1b[2J".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "A     LONG\näöü   x\n\u{fffd}[2J\n");
    }

    #[test]
    fn times_are_for_people() {
        let at = Timestamp::from_micros(1_790_000_000_123_456).unwrap();
        assert_eq!(day(at), "2026-09-21 14:13");
        for (lag_us, text) in [
            (0, "up to date"),
            (1, "0 s behind"),
            (119_000_000, "119 s behind"),
            (120_000_000, "2 min behind"),
            (7_200_000_000, "2 h behind"),
            (172_800_000_000, "2 days behind"),
        ] {
            assert_eq!(behind(lag_us), text);
        }
    }
}
