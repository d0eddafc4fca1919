//! Decisions: conflicts that are resolved, refused edits that are dismissed. What goes with them goes knowingly.

use std::collections::BTreeSet;

use serde_json::json;

use super::App;
use super::edit::tokens_of;
use crate::conflict::Resolution;
use crate::error::Result;
use crate::json::Json;
use crate::replica::ShownConflict;
use crate::simulator::token;

/// Conflicts that are looked at before one is decided.
const LOOKED_AT: usize = 20;

impl App {
    /// Resolves a conflict, if there is one.
    pub(super) async fn decide(&self) -> Result<()> {
        // While nothing comes in, so that what was looked at is what is decided.
        let _alone = self.device.alone.lock().await;
        let mut conflicts = self.replica().conflicts(LOOKED_AT).await?;
        if self.dice.chance(100) {
            conflicts.extend(self.replica().settled_conflicts(LOOKED_AT).await?);
        }
        let Some(conflict) = self.dice.pick(&conflicts) else { return Ok(()) };
        let before = self.visible(conflict).await?;
        let token = self.token();
        let (how, resolution) = match self.dice.below(3) {
            0 => ("mine", Resolution::TakeMine),
            1 => ("theirs", Resolution::TakeTheirs),
            _ => ("merged", Resolution::Merged(Json::from_value(&json!({ "f0": token })).ok())),
        };
        let mut seen = token::all_in(&serde_json::to_string(&conflict.body).unwrap_or_default());
        seen.extend(before);
        // Nobody may be left to say what became of it.
        self.facts.tokens.are_at_risk(&token, seen.clone());
        let resolved = self.replica().resolve(conflict, resolution).await;
        let after = self.visible(conflict).await?;
        self.facts.tokens.are_replaced(&seen, &after);
        if how == "theirs" {
            // Thrown away, also where an edit that was not sent yet still shows it.
            let theirs = tokens_of(conflict.body.theirs.as_ref());
            self.facts.tokens.are_replaced(&tokens_of(conflict.body.mine.as_ref()), &theirs);
        }
        self.facts.tokens.are_safe(&token);
        self.facts.was_decided(self.device.space_number, &conflict.body.key);
        self.facts.tokens.are_revived(after.iter().cloned());
        resolved?;
        if after.contains(&token) {
            self.facts.tokens.are_written(&[token]);
        }
        let key = &conflict.body.key;
        self.journal.note(&self.device, format_args!("resolves {} of {key}: {how}, {after:?}", conflict.id));
        Ok(())
    }

    async fn visible(&self, conflict: &ShownConflict) -> Result<BTreeSet<String>> {
        let key = &conflict.body.key;
        let value = self.replica().get(key.collection.as_str(), key.id.as_str()).await?;
        Ok(tokens_of(value.as_ref()))
    }

    /// Dismisses an edit that was refused, if there is one.
    pub(super) async fn dismiss(&self) -> Result<()> {
        let refused = self.replica().set_aside(LOOKED_AT).await?;
        let Some(edit) = self.dice.pick(&refused) else { return Ok(()) };
        let gone = token::all_in(&edit.mutation.to_json());
        self.facts.tokens.are_replaced(&gone, &BTreeSet::new());
        self.replica().dismiss(&edit.id).await?;
        self.journal.note(&self.device, format_args!("dismisses {} of {}", edit.code, edit.mutation.key));
        Ok(())
    }
}
