//! A store that fails: what the client hears, and what it does not.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::store::{LogEntry, MemoryStore, Mode, SpaceStats, Store, StoreTxn};
use sync_core::{Epoch, Error, ErrorKind, Result, Seq, SpaceId};
use sync_server::auth::password::HashCost;

use super::world::World;

/// What the store says; it must stay inside.
const INSIDE: &str = "row 7 of /var/lib/sync.db: SELECT secret";

/// A store over another one that fails when it is read.
#[derive(Debug)]
struct Failing(MemoryStore, ErrorKind);

impl Failing {
    fn fail<T>(&self) -> Result<T> {
        Err(Error::new(self.1, INSIDE))
    }
}

#[async_trait]
impl Store for Failing {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.0.create_space(space, epoch).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.0.delete_space(space).await
    }

    async fn spaces(&self, _: Option<&SpaceId>, _: usize) -> Result<Vec<SpaceId>> {
        self.fail()
    }

    async fn begin(&self, _: &SpaceId, _: Mode) -> Result<Box<dyn StoreTxn>> {
        self.fail()
    }

    async fn stats(&self, _: &SpaceId) -> Result<SpaceStats> {
        self.fail()
    }

    async fn log(&self, _: &SpaceId, _: Option<i64>, _: usize) -> Result<Vec<LogEntry>> {
        self.fail()
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.0.hints(space)
    }
}

#[tokio::test]
async fn a_failing_store_is_a_plain_answer_that_says_nothing_of_the_inside() {
    let rows = [
        (ErrorKind::Unavailable, 503, "storage_unavailable", "1"),
        (ErrorKind::Overloaded, 503, "overloaded", "1"),
        (ErrorKind::Contended, 503, "overloaded", "1"),
        (ErrorKind::Corrupt, 503, "space_quarantined", ""),
        (ErrorKind::StorageFull, 507, "storage_full", "1"),
        (ErrorKind::Internal, 500, "internal", ""),
        (ErrorKind::Incompatible, 503, "storage_unavailable", "30"),
    ];
    for (kind, status, code, retry_after) in rows {
        let store = MemoryStore::default();
        let failing = Arc::new(Failing(store.clone(), kind));
        let world = World::over(failing, Arc::new(store), HashCost { memory_kib: 8, passes: 1 }, None);
        let body = r#"{"username":"ada","password":"correct horse"}"#;
        let ada = world.ask("POST /v1/auth/register", None, Some(body)).await;
        let (space, token) = (ada.member("space"), ada.member("access_token"));
        let push = r#"{"mutations":[{"op":"put","collection":"a","id":"1","data":1}]}"#;
        let asked = [
            (format!("GET /v1/spaces/{space}/changes"), None),
            (format!("GET /v1/spaces/{space}/snapshot"), None),
            (format!("POST /v1/spaces/{space}/changes"), Some(push)),
            ("GET /ready".to_owned(), None),
        ];
        for (ask, body) in asked {
            let answer = world.ask(&ask, Some(&token), body).await;
            assert_eq!((answer.status, answer.member("code").as_str()), (status, code), "{kind:?} {ask}");
            assert_eq!(answer.header("retry-after"), retry_after, "{kind:?} {ask}");
            assert!(!answer.text().contains("row 7"), "{}", answer.text());
        }
        assert_eq!(world.ask("GET /health", None, None).await.status, 200);
    }
}
