//! The edits an application can ask for, and what each makes of the record as it is in a local transaction.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::merge::Patch;
use crate::replica::app::access::{content, merge_patch};
use crate::replica::app::lens::Lens;
use crate::replica::app::since::Save;
use crate::replica::local::txn::Local;
use crate::types::RecordKey;

/// An edit of one record.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// This is the record; without content it goes.
    Put(Option<Json>),
    /// These members change (RFC 7386), if the result can be read as what the application takes it for.
    Members(Value, Lens),
    /// This difference goes onto what is there now.
    Save(Save),
    /// These paths change, as far as they are as the patch says that they were; else it is an edit of that.
    Patch(Patch),
}

impl Local {
    /// Carries out an edit, and says whether it changed anything. The inner result is a refusal, which leaves the
    /// transaction as it was; the outer one is a failure of the store.
    pub(crate) async fn carry_out(&mut self, key: &RecordKey, edit: Edit) -> Result<Result<bool>> {
        let data = match edit {
            Edit::Put(data) => Ok(data),
            Edit::Members(changes, lens) => self.with_members(key, &changes, lens).await?.map(Some),
            Edit::Patch(patch) => return self.patch_since(key, &patch).await,
            Edit::Save(save) => return self.save_since(key, save).await,
        };
        match data {
            Ok(data) => self.edit(key, data).await.map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn with_members(&mut self, key: &RecordKey, changes: &Value, lens: Lens) -> Result<Result<Json>> {
        let Some(mut value) = self.value(key).await? else { return Ok(Err(not_there(key, "patch"))) };
        merge_patch(&mut value, changes);
        Ok(content(&value).and_then(|data| lens.admit(key, data)))
    }

    async fn value(&mut self, key: &RecordKey) -> Result<Option<Value>> {
        Ok(self.get(key).await?.and_then(|record| record.data).as_ref().map(Json::to_value))
    }
}

pub(crate) fn not_there(key: &RecordKey, what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no record {key} to {what}"))
}
