//! Asking for records: which, in which order, how many.
//!
//! A query reads the whole collection, page by page, unless it is ascending by id and ends at a limit: there are no
//! indexes over content. It holds what it answers with and not more than twice a limit.

mod filter;
mod order;
mod scan;

use futures_util::FutureExt;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::Json;
use crate::merge::Pointer;
use crate::protocol::code;
use crate::replica::Replica;
use crate::replica::app::access::{collection_name, record_id};
use crate::types::{Record, RecordId};

pub use filter::Cmp;
use filter::{Filter, Test};
pub use order::compare;

/// Which records of a collection, in which order, and how many.
///
/// Places in a record are JSON Pointers (RFC 6901): `/author/name`, `/tags/0`, or the empty text for all of it. Mistakes
/// are told by [`list`](Replica::list).
///
/// ```
/// use sync_core::replica::{Cmp, Query};
/// let good = Query::all().where_eq("/done", false).where_cmp("/stars", Cmp::AtLeast, 3);
/// let page = good.order_by("/title").limit(20);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Query {
    filters: Vec<Filter>,
    /// `None` for the id.
    order: Option<Pointer>,
    is_descending: bool,
    after: Option<String>,
    limit: Option<usize>,
    /// The first thing that is wrong with it.
    mistake: Option<String>,
}

impl Query {
    /// All records, ascending by the bytes of their ids. For examples see [`list`](Replica::list).
    pub fn all() -> Self {
        Self::default()
    }

    /// Only records that have this value there. Numbers are equal if they are worth the same.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_eq("/stars", 3.0).matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_eq(self, pointer: &str, value: impl Into<Value>) -> Self {
        self.where_cmp(pointer, Cmp::Equal, value)
    }

    /// Only records that do not have this value there, those without any included.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_ne("/stars", 4).where_ne("/done", true).matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_ne(self, pointer: &str, value: impl Into<Value>) -> Self {
        self.where_cmp(pointer, Cmp::NotEqual, value)
    }

    /// Only records that have a value there which compares like this to `value`.
    ///
    /// Smaller and larger are asked among values of one type: nothing but a number is at least 3. [`Cmp::NotEqual`] is
    /// the opposite of [`Cmp::Equal`].
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_cmp("/stars", Cmp::AtLeast, 3).matches(&record));
    /// assert!(!Query::all().where_cmp("/title", Cmp::AtLeast, 3).matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_cmp(self, pointer: &str, cmp: Cmp, value: impl Into<Value>) -> Self {
        self.filter(pointer, Test::Compares(cmp, value.into()))
    }

    /// Only records with something there, be it `null`.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_exists("/stars").matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_exists(self, pointer: &str) -> Self {
        self.filter(pointer, Test::Exists)
    }

    /// Only records with nothing there.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_missing("/done").matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_missing(self, pointer: &str) -> Self {
        self.filter(pointer, Test::Missing)
    }

    /// Only records with a text there that contains `part`, byte for byte.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_contains("/title", "milk").matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_contains(self, pointer: &str, part: impl Into<String>) -> Self {
        self.filter(pointer, Test::Contains(part.into()))
    }

    /// Only records with a text there that begins with `prefix`, byte for byte.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use sync_core::json::Json;
    /// # use sync_core::replica::{Cmp, Query};
    /// # let record = Json::from_value(&json!({"stars": 3, "title": "oat milk"}))?;
    /// assert!(Query::all().where_prefix("/title", "oat").matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn where_prefix(self, pointer: &str, prefix: impl Into<String>) -> Self {
        self.filter(pointer, Test::Begins(prefix.into()))
    }

    /// Orders by what is there, smallest first, as [`compare`] says; records that are equal in it by id.
    /// For an example see [`list`](Replica::list).
    #[must_use]
    pub fn order_by(mut self, pointer: &str) -> Self {
        self.order = self.pointer(pointer);
        self
    }

    /// The other way round: exactly the reverse of the order without it, ids included.
    /// For an example see [`list`](Replica::list).
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.is_descending = true;
        self
    }

    /// Only records that come after this id, which need not exist; where [`descending`](Self::descending), those with
    /// smaller ids. The way to go on after a page in the order of ids; refused together with
    /// [`order_by`](Self::order_by), where an id is no position.
    /// For an example see [`list`](Replica::list).
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// At most so many: the first ones in the order of the query. Fewer only if there are no more.
    /// For an example see [`list`](Replica::list).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whether a record with this content is among those asked for, apart from limit and position. Of a query with a
    /// mistake in it nothing is.
    ///
    /// ```
    /// use serde_json::json;
    /// use sync_core::json::Json;
    /// use sync_core::replica::Query;
    /// let open = Query::all().where_eq("/done", false);
    /// assert!(open.matches(&Json::from_value(&json!({"done": false}))?));
    /// assert!(!open.matches(&Json::from_value(&json!({"text": "milk"}))?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matches(&self, data: &Json) -> bool {
        self.mistake.is_none() && (self.filters.is_empty() || self.matches_value(&data.to_value()))
    }

    fn matches_value(&self, value: &Value) -> bool {
        self.filters.iter().all(|filter| filter.matches(value))
    }

    fn filter(mut self, pointer: &str, test: Test) -> Self {
        if let Some(pointer) = self.pointer(pointer) {
            self.filters.push(Filter { pointer, test });
        }
        self
    }

    fn pointer(&mut self, text: &str) -> Option<Pointer> {
        let parsed = Pointer::parse(text);
        if let Err(error) = &parsed {
            self.mistake.get_or_insert_with(|| format!("{error}: {text:?}"));
        }
        parsed.ok()
    }

    /// Where to begin, if the query can be answered.
    fn check(&self) -> Result<Option<RecordId>> {
        let invalid = |message: String| Err(Error::invalid(code::VALIDATION_FAILED, message));
        if let Some(mistake) = &self.mistake {
            return invalid(mistake.clone());
        }
        if self.after.is_some() && self.order.is_some() {
            return invalid("a query goes on after an id only in the order of ids".to_owned());
        }
        self.after.as_deref().map(record_id).transpose()
    }
}

impl Replica {
    /// The records of a collection that `query` asks for, in its order, all from one moment.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::json;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::replica::Query;
    ///
    /// for (id, stars) in [("a", 3), ("b", 5), ("c", 4)] {
    ///     replica.put("notes", id, &json!({"stars": stars, "done": id == "c"})).await?;
    /// }
    /// let ids = async |query| -> sync_core::Result<Vec<String>> {
    ///     let records = replica.list("notes", &query).await?;
    ///     Ok(records.iter().map(|record| record.key.id.as_str().to_owned()).collect())
    /// };
    /// assert_eq!(ids(Query::all().after("a")).await?, ["b", "c"]);
    /// assert_eq!(ids(Query::all().order_by("/stars").descending().limit(2)).await?, ["b", "c"]);
    /// assert_eq!(ids(Query::all().where_eq("/done", false)).await?, ["a", "b"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name that cannot be, a pointer that is none, `after` together with
    /// `order_by`, or an answer of more than 64 MiB of content, which must be asked for in parts with a limit; and what
    /// the store reports.
    pub async fn list(&self, collection: &str, query: &Query) -> Result<Vec<Record>> {
        let (collection, query) = (collection_name(collection)?, query.clone());
        self.read(move |local| async move { local.list(collection, query).await }.boxed()).await
    }
}
