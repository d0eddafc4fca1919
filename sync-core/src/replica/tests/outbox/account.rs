//! Where every edit of a replica is: applied, waiting, in conflict, or set aside.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Event;
use super::scene::Scene;
use crate::mutation::Op;
use crate::replica::tests::world::*;
use crate::replica::{LOST_IN_RESTORE, Query};
use crate::types::Collection;

/// The edits of `one` by where they are.
#[derive(Debug, Default)]
struct Account {
    applied: BTreeSet<String>,
    queued: BTreeSet<String>,
    in_conflict: BTreeSet<String>,
    set_aside: BTreeSet<String>,
}

impl Account {
    fn places_of(&self, token: &str) -> Vec<&'static str> {
        let places = [
            ("applied", &self.applied),
            ("queued", &self.queued),
            ("in conflict", &self.in_conflict),
            ("set aside", &self.set_aside),
        ];
        places.into_iter().filter(|(_, tokens)| tokens.contains(token)).map(|(place, _)| place).collect()
    }
}

/// The tokens of `one` in a text.
fn tokens_of(text: &str) -> BTreeSet<String> {
    text.split('"').filter(|part| part.starts_with("token-")).map(str::to_owned).collect()
}

impl Scene {
    /// Where each edit of `one` is now.
    async fn account(&self) -> Account {
        let mut account = Account::default();
        let page = self
            .world
            .service
            .records(&ada(), &space(), &Collection::new("notes").unwrap(), None, None)
            .await;
        for record in page.unwrap().records {
            account.applied.extend(tokens_of(record.data.as_ref().unwrap().as_str()));
        }
        for record in self.one.list("notes", &Query::all()).await.unwrap() {
            account.queued.extend(tokens_of(record.data.unwrap().as_str()));
        }
        account.queued = &account.queued - &account.applied;
        let mut conflicts = self.one.conflicts(100).await.unwrap();
        conflicts.extend(self.one.settled_conflicts(100).await.unwrap());
        for conflict in conflicts {
            let of = |value: &Option<Value>| {
                value.as_ref().map(|value| tokens_of(&value.to_string())).unwrap_or_default()
            };
            account.in_conflict.extend(&of(&conflict.body.mine) - &of(&conflict.body.theirs));
        }
        for aside in self.one.set_aside(100).await.unwrap() {
            match aside.mutation.op {
                // Kept whole, with parts that the server still has.
                Op::Put(data) if aside.code == LOST_IN_RESTORE => {
                    account.set_aside.extend(&tokens_of(data.as_str()) - &account.applied);
                }
                Op::Put(data) => account.set_aside.extend(tokens_of(data.as_str())),
                Op::Patch(patch) => {
                    let now = patch.edits().iter().filter_map(|edit| edit.now.as_ref());
                    account.set_aside.extend(now.flat_map(|now| tokens_of(&now.to_string())));
                }
                Op::Delete => {}
            }
        }
        account
    }

    /// Of what was written in one transaction and not replaced since, all is applied or nothing.
    pub(super) async fn check_groups(&self) {
        let applied = self.account().await.applied;
        let owed: BTreeSet<&String> = self.tokens.owed().collect();
        for group in &self.groups {
            let states: BTreeSet<bool> = group
                .iter()
                .filter(|token| owed.contains(token))
                .map(|token| applied.contains(token))
                .collect();
            assert!(states.len() <= 1, "{group:?} was torn, applied are {applied:?}");
        }
    }

    pub(super) async fn check(&self, event: Event, what: &str) {
        let account = self.account().await;
        for token in self.tokens.owed().filter(|token| token.starts_with("token-")) {
            let places = account.places_of(token);
            // Unsent edits of a copied file are those of two replicas, and each of them is answered.
            let is_found = if event == Event::Cloned { !places.is_empty() } else { places.len() == 1 };
            assert!(is_found, "{what}: {token} is in {places:?}\n{account:#?}");
        }
    }
}
