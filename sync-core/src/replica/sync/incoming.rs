//! Taking in what the server has: onto a clean record as it is, into a dirty one by merging.

use serde_json::Value;

use crate::error::Result;
use crate::json::Json;
use crate::merge::{Base as Seen, Change, CollectionPolicy, Merge, Mine, Stamp, Theirs, merge};
use crate::replica::local::rows::{Base, Known};
use crate::replica::local::txn::Local;
use crate::replica::tell::watch::Origin;
use crate::types::{Record, RecordKey, Version};

/// What became of a state of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was known already.
    Known,
    /// The application sees it now.
    Shown,
    /// The application sees it joined with its own edit.
    Merged,
    /// The application still sees its own edit; the server will judge.
    Clash,
}

/// How an edit and a newer state of the server go together.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The server has what the edit asks for.
    Same,
    /// Both fit into this, and nobody is overruled.
    Merged(Option<Json>),
    /// One side would be overruled: the server decides and keeps the other.
    Clash,
}

impl Local {
    /// Takes in a record as the server has it.
    pub(crate) async fn receive(&mut self, theirs: Record) -> Result<Taken> {
        let visible = self.get(&theirs.key).await?;
        let known = visible.as_ref().map_or(Version::ZERO, |record| record.meta.upstream);
        match self.base_of(&theirs.key).await? {
            // A deletion in a version that is known as something else: its author may not read what they made of it.
            Some(base)
                if known == theirs.meta.version && theirs.is_deleted() && base.newest().data.is_some() =>
            {
                self.rebase(base, visible, theirs)
            }
            Some(mut base) if known >= theirs.meta.version => {
                if base.learn(&theirs) {
                    self.save(&base)?;
                }
                Ok(Taken::Known)
            }
            Some(base) => self.rebase(base, visible, theirs),
            None if known > theirs.meta.version => Ok(Taken::Known),
            None => Ok(self.adopt(visible, theirs)),
        }
    }

    /// Shows the server's state of a record. The tombstone of something never seen is not worth a row.
    pub(crate) fn adopt(&mut self, visible: Option<Record>, theirs: Record) -> Taken {
        let theirs = as_local(theirs);
        let is_known = match &visible {
            Some(visible) => visible.data == theirs.data && is_same_state(visible, &theirs),
            None => theirs.is_deleted(),
        };
        if is_known {
            return Taken::Known;
        }
        self.set(theirs);
        Taken::Shown
    }

    /// Puts an edit onto a newer state of the server, where that overrules nobody.
    pub(crate) fn rebase(
        &mut self,
        mut base: Base,
        visible: Option<Record>,
        theirs: Record,
    ) -> Result<Taken> {
        let mine = visible.as_ref().and_then(|record| record.data.clone());
        let verdict = self.judge(&base, mine.as_ref(), theirs.data.as_ref());
        let (key, version) = (theirs.key.clone(), theirs.meta.version);
        let server = Known::at_server(&theirs);
        let mut shown = as_local(theirs);
        let mut origin = Origin::Remote;
        match verdict {
            Verdict::Same if base.resolves.is_none() => {
                self.purge(Base::key_for(&key));
                self.set(shown);
                return Ok(Taken::Shown);
            }
            Verdict::Same => (base.base, base.latest) = (server, None),
            Verdict::Merged(data) => {
                (base.base, base.latest) = (server, None);
                (shown.data, origin) = (data, Origin::Merge);
            }
            Verdict::Clash => {
                base.latest = Some(server);
                shown.data = mine;
            }
        }
        let is_clash = base.latest.is_some();
        if let Some(visible) = visible {
            shown.meta = visible.meta;
            shown.meta.upstream = version;
        }
        self.save(&base)?;
        self.set_by(shown, origin);
        Ok(if is_clash { Taken::Clash } else { Taken::Merged })
    }

    /// Judges an edit by what it is based on and what the server has now.
    pub(crate) fn judge(&self, base: &Base, mine: Option<&Json>, theirs: Option<&Json>) -> Verdict {
        if base.key.collection.is_tree() {
            // Two ops are never joined.
            return if mine == theirs { Verdict::Same } else { Verdict::Clash };
        }
        judge(self.policy(&base.key), base.base.data.as_ref(), mine, theirs)
    }

    pub(crate) fn policy(&self, key: &RecordKey) -> &CollectionPolicy {
        self.options.policies.of(&key.collection)
    }
}

/// A record of the server as the replica keeps it.
fn as_local(mut theirs: Record) -> Record {
    theirs.meta.upstream = theirs.meta.version;
    theirs
}

/// Whether two local records stand for the same state at the server; their local versions differ.
fn is_same_state(a: &Record, b: &Record) -> bool {
    let mut meta = a.meta.clone();
    meta.version = b.meta.version;
    meta == b.meta
}

fn judge(
    policy: &CollectionPolicy,
    base: Option<&Json>,
    mine: Option<&Json>,
    theirs: Option<&Json>,
) -> Verdict {
    if base.is_some() && base == theirs {
        return Verdict::Merged(mine.cloned());
    }
    let [base, mine, theirs] = [base, mine, theirs].map(|side| side.map(Json::to_value));
    // Who is later matters only where one side is overruled, and that is left to the server.
    let stamp = Stamp { at: 0, by: String::new() };
    let change = mine.as_ref().map_or(Change::Delete, Change::Put);
    let seen = base.as_ref().map_or(Seen::Absent, Seen::Value);
    let mine = Mine { change, base: seen, stamp: &stamp };
    match merge(&mine, &Theirs { value: theirs.as_ref(), stamp: &stamp }, policy) {
        Merge::Unchanged => Verdict::Same,
        Merge::Merged { value, lost } if lost.is_empty() => within_limits(value),
        Merge::Merged { .. } | Merge::Conflict { .. } | Merge::NeedsContent => Verdict::Clash,
    }
}

/// Two records that fit may not fit together.
fn within_limits(value: Option<Value>) -> Verdict {
    value.as_ref().map(Json::from_value).transpose().map_or(Verdict::Clash, Verdict::Merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(base: Option<Value>, mine: Option<Value>, theirs: Option<Value>) -> Verdict {
        let [base, mine, theirs] = [base, mine, theirs].map(|v| v.map(|v| Json::from_value(&v).unwrap()));
        judge(&CollectionPolicy::default(), base.as_ref(), mine.as_ref(), theirs.as_ref())
    }

    #[test]
    fn an_edit_is_joined_only_where_nobody_is_overruled() {
        let base = || Some(json!({"a": 1, "b": 1}));
        let merged = Verdict::Merged(Some(Json::from_value(&json!({"a": 2, "b": 2})).unwrap()));
        let (mine, theirs) = (Some(json!({"a": 2, "b": 1})), Some(json!({"a": 1, "b": 2})));
        assert_eq!(verdict(base(), mine.clone(), theirs.clone()), merged);
        assert_eq!(verdict(base(), mine.clone(), mine.clone()), Verdict::Same);
        assert_eq!(verdict(base(), mine.clone(), Some(json!({"a": 3, "b": 1}))), Verdict::Clash);
        assert_eq!(verdict(base(), mine.clone(), None), Verdict::Clash, "a delete that loses is a loss too");
        assert_eq!(verdict(base(), None, theirs.clone()), Verdict::Clash);
        assert_eq!(verdict(base(), None, base()), Verdict::Merged(None));
        assert_eq!(verdict(None, mine, theirs), Verdict::Clash);
    }
}
