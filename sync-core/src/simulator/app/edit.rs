//! Edits: each writes a token of its own, and takes down which ones it replaces knowingly.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::App;
use crate::error::{Error, ErrorKind, Result};
use crate::replica::{Replica, Transaction};
use crate::simulator::facts::Count;
use crate::simulator::scenario::{COUNTER_MEMBER, COUNTERS, OWN, PAIRS, SHARED, deletes_win};
use crate::simulator::{Invariant, token};
use crate::types::{Collection, RecordId, RecordKey};

/// Records of a collection. Few, so that devices meet.
const IDS: usize = 4;
/// Members of a record. Few, so that edits meet.
const MEMBERS: usize = 3;
/// Counters of a space.
const N_COUNTERS: usize = 2;

/// Makes the counters of a space. Two replicas that each make the same one would count it once.
pub(crate) async fn make_counters(replica: &Replica) -> Result<()> {
    for n in 0..N_COUNTERS {
        replica.put(COUNTERS, &format!("c{n}"), &json!({ COUNTER_MEMBER: 0 })).await?;
    }
    Ok(())
}

/// What an edit did.
struct Edit {
    key: RecordKey,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
    is_delete: bool,
}

pub(super) fn tokens_of(value: Option<&Value>) -> BTreeSet<String> {
    value.map(|value| token::all_in(&value.to_string())).unwrap_or_default()
}

fn key(collection: &str, id: &str) -> Result<RecordKey> {
    let name = |error: crate::types::NameError| Error::new(ErrorKind::Internal, error.to_string());
    Ok(RecordKey::new(Collection::new(collection).map_err(name)?, RecordId::new(id).map_err(name)?))
}

impl App {
    /// One edit of a record that others edit too.
    pub(super) async fn edit(&self) -> Result<()> {
        self.edit_together(1).await
    }

    /// Some edits in one transaction.
    pub(super) async fn edit_some_at_once(&self) -> Result<()> {
        self.edit_together(2 + self.dice.below(3)).await
    }

    async fn edit_together(&self, n: usize) -> Result<()> {
        let mut edits = Vec::new();
        let mut tokens = Vec::new();
        let result = self
            .replica()
            .transaction(async |t: &mut Transaction| {
                for _ in 0..n {
                    let token = self.token();
                    tokens.push(token.clone());
                    edits.push(self.edit_one(t, token).await?);
                }
                Ok(())
            })
            .await;
        result?;
        // Of several edits of one record the last one counts.
        let kept: BTreeSet<&String> = edits.iter().flat_map(|edit| &edit.after).collect();
        tokens.retain(|token| kept.contains(token));
        self.facts.tokens.are_written(&tokens);
        for edit in edits {
            if edit.is_delete && deletes_win(edit.key.collection.as_str()) {
                self.facts.deletes(self.device.number, &edit.key, Some(edit.before.clone()));
            }
            self.journal
                .note(&self.device, format_args!("{} {:?} to {:?}", edit.key, edit.before, edit.after));
        }
        Ok(())
    }

    async fn edit_one(&self, t: &mut Transaction, token: String) -> Result<Edit> {
        let (collection, ..) = self.dice.pick(&SHARED).copied().unwrap_or(SHARED[0]);
        let id = format!("r{}", self.dice.below(IDS));
        let before: Option<Value> = t.get(collection, &id).await?;
        let member = format!("f{}", self.dice.below(MEMBERS));
        let after = match self.dice.below(7) {
            0 => None,
            1 => Some(json!({ member: token })),
            _ => {
                let mut value = before.clone().unwrap_or_else(|| json!({}));
                value[&member] = json!(token);
                Some(value)
            }
        };
        match &after {
            Some(value) => t.put(collection, &id, value).await?,
            None => t.delete(collection, &id).await?,
        };
        let read: Option<Value> = t.get(collection, &id).await?;
        self.journal.expect(read == after, Invariant::SessionOrder, || {
            format!("{} wrote {after:?} and reads {read:?}", self.device)
        });
        let edit = Edit {
            key: key(collection, &id)?,
            before: tokens_of(before.as_ref()),
            after: tokens_of(after.as_ref()),
            is_delete: after.is_none(),
        };
        // Now, because nobody may be left to say so afterwards. What it replaces is not owed, whether it happens or not.
        self.facts.tokens.are_replaced(&edit.before, &edit.after);
        if !edit.is_delete {
            self.facts.deletes(self.device.number, &edit.key, None);
        }
        Ok(edit)
    }

    /// An edit of a record that nobody else touches.
    pub(super) async fn edit_own(&self) -> Result<()> {
        let id = format!("{}-{}", self.device.own_name(), self.dice.below(IDS));
        let token = self.token();
        let before: Option<Value> = self.replica().get(OWN, &id).await?;
        let member = format!("f{}", self.dice.below(MEMBERS));
        let what = self.dice.below(5);
        let after = match (what, &before) {
            (0, Some(_)) => None,
            (1 | 2, Some(value)) => {
                let mut value = value.clone();
                value[&member] = json!(token);
                Some(value)
            }
            _ => Some(json!({ &member: token })),
        };
        let (seen, made) = (tokens_of(before.as_ref()), tokens_of(after.as_ref()));
        self.facts.tokens.are_replaced(&seen, &made);
        match (what, &before, &after) {
            (_, _, None) => self.replica().delete(OWN, &id).await?,
            (1 | 2, Some(_), _) => self.replica().patch(OWN, &id, &json!({ member: token })).await?,
            (_, _, Some(value)) => self.replica().put(OWN, &id, value).await?,
        };
        if made.contains(&token) {
            self.facts.tokens.are_written(&[token]);
        }
        self.journal.note(&self.device, format_args!("{OWN}/{id} {seen:?} to {made:?}"));
        Ok(())
    }

    /// A step of a counter, once there is one.
    pub(super) async fn count_up(&self) -> Result<()> {
        let id = format!("c{}", self.dice.below(N_COUNTERS));
        let space = self.device.space_number;
        // It may be counted also if nobody says so.
        self.facts.count(space, &id, |count| count.n_maybe += 1);
        self.device.counts(&id);
        let n = self
            .replica()
            .transaction(async |t: &mut Transaction| {
                let Some(value) = t.get::<Value>(COUNTERS, &id).await? else { return Ok(None) };
                let n = value[COUNTER_MEMBER].as_i64().unwrap_or(0) + 1;
                t.put(COUNTERS, &id, &json!({ COUNTER_MEMBER: n })).await?;
                Ok(Some(n))
            })
            .await?;
        let n_sure = i64::from(n.is_some());
        self.facts.count(space, &id, |count| {
            *count = Count { n_sure: count.n_sure + n_sure, n_maybe: count.n_maybe - 1 };
        });
        self.journal.note(&self.device, format_args!("counts {id} to {n:?}"));
        Ok(())
    }

    /// Two records that belong together.
    pub(super) async fn write_pair(&self) -> Result<()> {
        let n = self.dice.below(IDS);
        let tokens = [self.token(), self.token()];
        // Of two who write the same pair one loses both, but is shown first the one and then the other.
        let whose = if self.pairs_stay_together { self.device.own_name() } else { String::new() };
        let ids = [format!("{whose}p{n}a"), format!("{whose}p{n}b")];
        let result = self
            .replica()
            .transaction(async |t: &mut Transaction| {
                for (idx, id) in ids.iter().enumerate() {
                    let before = tokens_of(t.get(PAIRS, id).await?.as_ref());
                    self.facts.tokens.are_replaced(&before, &BTreeSet::new());
                    // The one says which the other is.
                    t.put(PAIRS, id, &json!({ "token": tokens[idx], "pair": tokens[0] })).await?;
                }
                Ok(())
            })
            .await;
        result?;
        self.facts.tokens.are_written(&tokens);
        self.journal.note(&self.device, format_args!("pair {n} {tokens:?}"));
        Ok(())
    }
}
