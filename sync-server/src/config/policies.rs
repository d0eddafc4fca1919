//! How concurrent edits merge, as the file says it: a section for each collection, and `*` for all others.

use std::collections::BTreeMap;

use sync_core::merge::CollectionPolicy;
use sync_core::{Collection, Policies};

/// The section for collections that have none of their own; no collection can be called so.
const ALL_OTHERS: &str = "*";

/// The policies of these sections.
pub(super) fn policies(mut sections: BTreeMap<String, CollectionPolicy>) -> Result<Policies, String> {
    let fallback = sections.remove(ALL_OTHERS).unwrap_or_default();
    sections.into_iter().try_fold(Policies::with_fallback(fallback), |policies, (name, policy)| {
        let collection = Collection::new(&name).map_err(|error| format!("`{name}`: {error}"))?;
        Ok(policies.with(collection, policy))
    })
}

#[cfg(test)]
mod tests {
    use sync_core::merge::{Clash, DeletePolicy, UpdatePolicy};

    use super::*;
    use crate::config::Settings;

    fn read(text: &str) -> Result<Policies, String> {
        policies(Settings::from_toml(text)?.policies.unwrap_or_default())
    }

    fn of(policies: &Policies, name: &str) -> CollectionPolicy {
        policies.of(&Collection::new(name).unwrap()).clone()
    }

    #[test]
    fn a_collection_has_its_section_and_all_others_have_theirs() {
        let text = "[policies.notes]\nupdate = { whole = 'client_wins' }\n[policies.notes.paths]\n'/n' = 'counter'\n\
                    '/t' = 'last_write_wins'\n[policies.'*']\ndelete = 'manual'\n";
        let policies = read(text).unwrap();
        assert_eq!(of(&policies, "notes").update(), UpdatePolicy::Whole(Clash::ClientWins));
        assert_eq!(of(&policies, "notes").rules().count(), 2);
        assert_eq!(of(&policies, "notes").delete(), DeletePolicy::UpdateWins);
        assert_eq!(of(&policies, "other").delete(), DeletePolicy::Manual);
        assert_eq!(of(&read("").unwrap(), "notes").update(), UpdatePolicy::Fields(Clash::Manual));
    }

    #[test]
    fn what_is_no_policy_is_refused_and_named() {
        for (text, named) in [
            ("[policies.notes]\nupdate = 'sometimes'", "sometimes"),
            ("[policies.notes]\nupdates = { merge = 'manual' }", "updates"),
            ("[policies.notes.paths]\n'/n' = 'custom'", "PathRule"),
            ("[policies.notes.paths]\n'n' = 'counter'", "n"),
            ("[policies.'a b']\ndelete = 'manual'", "a b"),
            ("[policies.'$base']\ndelete = 'manual'", "$base"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(named), "{text}: {why}");
        }
    }

    #[test]
    fn the_sample_in_the_documentation_is_understood() {
        let page = include_str!("../../../docs/policies.md");
        let sample = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let policies = read(sample).unwrap();
        assert_eq!(of(&policies, "books").update(), UpdatePolicy::Fields(Clash::LastWriteWins));
    }
}
