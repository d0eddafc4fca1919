//! The code map of `ARCHITECTURE.md`, read as rules.
//!
//! Under a heading `### name-of-a-crate` stands a table of its rooms, lowest first: `| rooms | what is in it | may
//! touch |`. Names stand in backticks. In the last column, `everything above` means all rooms of the rows above, without
//! those after `but not`;
//! `name-of-a-crate` is all of another crate and `name-of-a-crate/room` a room of it; any other name is a library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::rooms::Mention;
use crate::sources::root;

/// Libraries that only the rooms which say so may name.
pub const GUARDED: [&str; 9] = [
    "tokio",
    "tokio_tungstenite",
    "hyper",
    "hyper_util",
    "sea_query",
    "sea_query_sqlx",
    "sqlx",
    "warp",
    "rusqlite",
];

/// What may name what.
pub struct Plan {
    rooms: BTreeMap<String, Room>,
}

struct Room {
    row: usize,
    may_touch: BTreeSet<String>,
    any_library: bool,
}

impl Plan {
    /// Reads the plan.
    ///
    /// # Panics
    ///
    /// When the document is missing, or says something this cannot understand.
    pub fn read() -> Self {
        let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut plan = Self { rooms: BTreeMap::new() };
        let mut krate = None;
        for (row, line) in text.lines().enumerate() {
            if let Some(heading) = line.strip_prefix('#') {
                krate = heading.strip_prefix("## ").map(str::trim).filter(|name| name.starts_with("sync-"));
            }
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if let (Some(krate), true, [rooms, _, touches]) =
                (krate, line.starts_with("| `"), cells.as_slice())
            {
                plan.add(krate, row, rooms, touches);
            }
        }
        plan
    }

    fn add(&mut self, krate: &str, row: usize, rooms: &str, touches: &str) {
        let own: BTreeSet<String> = quoted(rooms).map(|room| format!("{krate}/{room}")).collect();
        let mut may_touch = own.clone();
        if touches.contains("everything above") {
            may_touch
                .extend(self.rooms.keys().filter(|room| room.starts_with(&format!("{krate}/"))).cloned());
        }
        let (named, excepted) = touches.split_once("but not").unwrap_or((touches, ""));
        let full_name = |name: &str| {
            let local = format!("{krate}/{name}");
            if self.rooms.contains_key(&local) { local } else { name.to_owned() }
        };
        may_touch.extend(quoted(named).map(full_name));
        for except in quoted(excepted).map(full_name) {
            may_touch.retain(|room| !is_inside(room, &except));
        }
        let any_library = touches.contains("any library");
        let room = || Room { row, may_touch: may_touch.clone(), any_library };
        self.rooms.extend(own.into_iter().map(|name| (name, room())));
    }

    /// The rooms, by name: `sync-core/store`.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.keys().map(String::as_str)
    }

    /// The room a path lies in: the longest name in the plan that it begins with.
    pub fn room_of(&self, path: &[String]) -> Option<&str> {
        (2..=path.len())
            .rev()
            .find_map(|n| self.rooms.get_key_value(&join(&path[..n])))
            .map(|(name, _)| name.as_str())
    }

    /// Why this mention is against the plan, if it is.
    pub fn objection(&self, mention: &Mention) -> Option<String> {
        let from = self.room_of(&mention.from)?;
        let to = self.target(&mention.to)?;
        let Room { may_touch, any_library, .. } = &self.rooms[from];
        let krate = to.split('/').next().unwrap_or_default();
        let is_allowed = may_touch.contains(&to)
            || may_touch.contains(krate)
            || (*any_library && !to.contains('/'))
            || is_inside(&to, from);
        (!is_allowed)
            .then(|| format!("{}: {from} may not touch {to} ({})", mention.file, mention.to.join("::")))
    }

    /// What a path leads to: a room, a crate of the workspace without rooms, or a library.
    fn target(&self, to: &[String]) -> Option<String> {
        let library = to.first().filter(|name| GUARDED.contains(&name.as_str()));
        library.cloned().or_else(|| self.room_of(to).map(str::to_owned))
    }

    /// Rooms that may touch one which stands below them in the table: the map has to be read from the bottom up.
    pub fn against_the_order(&self) -> Vec<String> {
        let row = |name: &String| self.rooms.get(name).map_or(0, |room| room.row);
        let pairs =
            self.rooms.iter().flat_map(|(name, room)| room.may_touch.iter().map(move |to| (name, room, to)));
        let same_crate = |a: &str, b: &str| a.split('/').next() == b.split('/').next();
        pairs
            .filter(|(name, room, to)| same_crate(name, to) && row(to) > room.row)
            .map(|(name, _, to)| format!("{name} → {to}"))
            .collect()
    }
}

/// A room may touch the rooms inside it.
fn is_inside(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn join(path: &[String]) -> String {
    let (krate, rest) = path.split_first().expect("a path has a crate");
    format!("{}/{}", krate.replace('_', "-"), rest.join("/"))
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "### sync-a\n\
        | `low`, `side` | what lies below | |\n\
        | `mid` | between | `low` |\n\
        | `top/deep` | inside | everything above, but not `side` |\n\
        | `top` | the rest | everything above, `sqlx` |\n\
        ### sync-b\n\
        | `one` | of another crate | `sync-a/low`, any library |\n";

    fn objection(from: &[&str], to: &[&str]) -> Option<String> {
        let path = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mention = Mention { file: "f.rs".to_owned(), from: path(from), to: path(to) };
        Plan::parse(MAP).objection(&mention)
    }

    #[test]
    fn what_the_map_does_not_allow_is_objected_to() {
        for (from, to, is_fine) in [
            (["sync_a", "mid", "x"], &["sync_a", "low", "Thing"][..], true),
            (["sync_a", "mid", "x"], &["sync_a", "side", "Thing"], false),
            (["sync_a", "low", "x"], &["sync_a", "side", "Thing"], true),
            (["sync_a", "low", "x"], &["sync_a", "mid", "Thing"], false),
            (["sync_a", "top", "deep"], &["sync_a", "mid", "Thing"], true),
            (["sync_a", "top", "deep"], &["sync_a", "side", "Thing"], false),
            (["sync_a", "top", "deep"], &["sync_a", "top", "other"], false),
            (["sync_a", "top", "other"], &["sync_a", "top", "deep"], true),
            (["sync_a", "top", "other"], &["sqlx", "query"], true),
            (["sync_a", "mid", "x"], &["sqlx", "query"], false),
            (["sync_a", "mid", "x"], &["serde", "Serialize"], true),
            (["sync_b", "one", "x"], &["warp", "Filter"], true),
            (["sync_b", "one", "x"], &["sync_a", "low", "Thing"], true),
            (["sync_b", "one", "x"], &["sync_a", "mid", "Thing"], false),
        ] {
            assert_eq!(objection(&from, to).is_none(), is_fine, "{from:?} names {to:?}");
        }
    }

    #[test]
    fn a_map_that_points_down_is_noticed() {
        let map = "### sync-a\n| `low` | | |\n| `top` | | everything above |\n";
        assert!(Plan::parse(map).against_the_order().is_empty());
        let map = "### sync-a\n| `low` | | `sync-a/top` |\n| `top` | | everything above |\n";
        assert_eq!(Plan::parse(map).against_the_order(), ["sync-a/low → sync-a/top"]);
    }
}
