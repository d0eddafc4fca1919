//! Golden answers: the exact bytes of one of each, which stay for ever. Clients were built on them.
//!
//! `UPDATE_GOLDEN=1 cargo test -p sync-server --test api` writes new ones; a changed one is a broken promise.

use std::path::Path;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue, SET_COOKIE};
use sync_core::{AccountsExt, ActorId, Role, SpaceId};

use super::log;
use super::openapi::{Document, Ledger};
use super::world::{Answer, SECRET, World};

/// Compares a file beside the manifest with what it should hold, or writes it when told to.
pub(crate) fn hold(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(found == expected, "{} is not what it should be: {differs:?}", path.display());
}

#[tokio::test]
async fn answers_are_the_same_for_ever_over_memory() {
    run(&World::memory()).await;
}

#[tokio::test]
async fn answers_are_the_same_for_ever_over_sqlite() {
    run(&World::sqlite().await).await;
}

#[tokio::test]
async fn answers_are_the_same_for_ever_over_postgres() {
    let Some(world) = World::postgres().await else { return };
    run(&world).await;
}

/// A life of one space, and every kind of answer on the way.
pub(crate) async fn run(world: &World) -> Ledger {
    let mark = log::mark();
    let mut story = Story {
        world,
        token: String::new(),
        space: String::new(),
        ledger: Ledger::default(),
        document: Document::read(),
    };
    story.sign_in().await;
    story.outcomes().await;
    story.reading().await;
    story.conflicts().await;
    story.replicas().await;
    story.some_collections().await;
    story.resync().await;
    story.operations().await;
    story.accounts().await;
    story.trees().await;
    log::shows_nothing(&log::since(mark), &["correct horse", SECRET]);
    story.ledger
}

const CHANGES: &str = "/v1/spaces/SPACE/changes";

pub(crate) struct Story<'w> {
    pub(super) world: &'w World,
    pub(super) token: String,
    pub(super) space: String,
    pub(super) ledger: Ledger,
    pub(super) document: Document,
}

impl Story<'_> {
    /// Asks and holds the answer against `golden/<name>.http`.
    pub(super) async fn step(&mut self, name: &str, ask: &str, body: Option<&str>) -> Answer {
        let ask = &ask.replace("SPACE", &self.space);
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        let answer = self.world.ask(ask, token, body).await;
        self.document.check(ask, body, &answer);
        self.ledger.note(ask, &answer);
        hold(&format!("tests/golden/{name}.http"), &text_of(ask, body, &answer));
        // Each step a millisecond later, so that times in the answers can be told apart.
        self.world.clock.advance(Duration::from_millis(1));
        answer
    }

    async fn push(&mut self, name: &str, body: &str) -> Answer {
        self.step(name, &format!("POST {CHANGES}"), Some(body)).await
    }

    async fn sign_in(&mut self) {
        let body = r#"{"username":"Ada","password":"correct horse"}"#;
        let registered = self.step("register", "POST /v1/auth/register", Some(body)).await;
        self.space = registered.member("space");
        let answer = self.step("login", "POST /v1/auth/login", Some(body)).await;
        self.token = answer.member("access_token");
        self.step("spaces", "GET /v1/spaces", None).await;
    }

    async fn outcomes(&mut self) {
        let put = r#"{"mutations":[{"op":"put","collection":"books","id":"1","base_version":0,"data":{"title":"Dune","pages":412}}]}"#;
        let first = first_version(&self.push("push-applied", put).await);
        self.push("push-unchanged", put).await;
        let patch = |path: &str, was: &str, now: &str| {
            format!(
                r#"{{"mutations":[{{"op":"patch","collection":"books","id":"1","base_version":{first},"patch":[{{"path":"{path}","was":{was},"now":{now}}}]}}]}}"#
            )
        };
        self.push("push-patched", &patch("/read", "null", "true").replace(r#""was":null,"#, "")).await;
        self.push("push-merged", &patch("/pages", "412", "896")).await;
        self.push("push-conflict", &patch("/pages", "412", "500")).await;
        let rejected =
            r#"{"mutations":[{"op":"put","collection":"books","id":"1","data":{"title":"Emma"}}]}"#;
        self.push("push-rejected", rejected).await;
        let chain = r#"{"mutations":[{"op":"put","collection":"books","id":"1","data":1},{"op":"delete","collection":"books","id":"2","after":1}]}"#;
        self.push("push-superseded", chain).await;
        let two = r#"{"mutations":[{"op":"put","collection":"books","id":"2","data":{"title":"Emma"}},{"op":"put","collection":"films","id":"é \"1\"","data":null}]}"#;
        self.push("push-two", two).await;
        let record = self.step("record", "GET /v1/spaces/SPACE/records/books/2", None).await;
        let version = record.member("version");
        let delete = format!(
            r#"{{"mutations":[{{"op":"delete","collection":"books","id":"2","base_version":{version}}}]}}"#
        );
        self.push("push-deleted", &delete).await;
    }

    async fn reading(&mut self) {
        self.step("pull-all", &format!("GET {CHANGES}"), None).await;
        let page = self.step("pull-page", &format!("GET {CHANGES}?limit=2"), None).await;
        let after = page.member("cursor");
        self.step("pull-after", &format!("GET {CHANGES}?after={after}&limit=1"), None).await;
        let films = format!("GET {CHANGES}?after={after}&collections=films,books");
        self.step("pull-collections", &films, None).await;
        let full = format!(
            r#"{{"mutations":[{{"op":"put","collection":"films","id":"2","data":1}}],"after":"{after}"}}"#
        );
        self.push("push-and-pull", &full).await;
        self.step("snapshot", "GET /v1/spaces/SPACE/snapshot", None).await;
        self.step("records", "GET /v1/spaces/SPACE/records/films?limit=1", None).await;
    }

    async fn conflicts(&mut self) {
        let list = self.step("conflicts", "GET /v1/spaces/SPACE/conflicts", None).await;
        let id = list.json()["conflicts"][0]["id"].as_str().unwrap().to_owned();
        let resolve = format!("POST /v1/spaces/SPACE/conflicts/{id}/resolve");
        self.step("resolve-moved", &resolve, Some(r#"{"take":"mine","version":1}"#)).await;
        let merged = r#"{"take":"merged","data":{"title":"Dune","pages":604}}"#;
        self.step("resolve-merged", &resolve, Some(merged)).await;
        self.step("resolve-again", &resolve, Some(r#"{"take":"theirs"}"#)).await;
        self.step("conflicts-none", "GET /v1/spaces/SPACE/conflicts?settled=true", None).await;
    }

    async fn replicas(&mut self) {
        let batch = |first: u32, id: &str| {
            format!(
                r#"{{"client_id":"replica-1","first":{first},"mutations":[{{"op":"put","collection":"films","id":"{id}","data":{{}}}}]}}"#
            )
        };
        self.push("batch", &batch(1, "b1")).await;
        self.push("batch-again", &batch(1, "b1")).await;
        self.push("client-forked", &batch(1, "other")).await;
        self.push("mutation-gap", &batch(7, "b7")).await;
        self.step("status", "GET /v1/spaces/SPACE/status?hash=true", None).await;
        let log = self.step("log", "GET /v1/spaces/SPACE/log?limit=3", None).await;
        let before = log.member("next");
        self.step("log-before", &format!("GET /v1/spaces/SPACE/log?before={before}&limit=2"), None).await;
    }

    async fn some_collections(&mut self) {
        self.step("pull-conflicts", &format!("GET {CHANGES}?collections=$conflicts"), None).await;
        let some = "GET /v1/spaces/SPACE/snapshot?collections=films,$conflicts";
        self.step("snapshot-collections", some, None).await;
    }

    /// One writes a book and throws it away, the other goes on with its first chapter.
    async fn trees(&mut self) {
        let body = r#"{"username":"Bea","password":"correct horse"}"#;
        let bea = self.world.ask("POST /v1/auth/register", None, Some(body)).await;
        (self.token, self.space) = (bea.member("access_token"), bea.member("space"));
        let tree = "/v1/spaces/SPACE/trees/outline";
        self.step("tree-empty", &format!("GET {tree}"), None).await;
        let ops = r#"{"ops":[{"id":{"counter":1,"peerId":"a1"},"targetId":"0","parentId":null},{"id":{"counter":2,"peerId":"a1"},"targetId":"book","parentId":null},{"id":{"counter":3,"peerId":"a1"},"targetId":"book","key":"name","value":"Dune"},{"id":{"counter":4,"peerId":"a1"},"targetId":"one","parentId":"book"}]}"#;
        self.step("ops-added", &format!("POST {tree}/ops"), Some(ops)).await;
        self.step("ops-again", &format!("POST {tree}/ops"), Some(ops)).await;
        let rows = r#"{"ops":[{"clock":5,"peerId":"b2","treeId":"outline","targetId":"book","parentId":"0"},{"clock":5,"peerId":"a1","targetId":"one","key":"done","value":null},{"clock":6,"peerId":"a1","targetId":"nowhere","key":"done"}]}"#;
        self.step("ops-rows", &format!("POST {tree}/ops"), Some(rows)).await;
        let other = r#"{"ops":[{"id":{"counter":7,"peerId":"a1"},"targetId":"two","parentId":"book"},{"id":{"counter":4,"peerId":"a1"},"targetId":"one","parentId":null}]}"#;
        self.step("op-conflict", &format!("POST {tree}/ops"), Some(other)).await;
        let far = r#"{"ops":[{"id":{"counter":9007199254740990,"peerId":"a1"},"targetId":"two","parentId":"book"}]}"#;
        self.step("op-clock", &format!("POST {tree}/ops"), Some(far)).await;
        self.step("ops", &format!("GET {tree}/ops?after=3@a1&limit=2"), None).await;
        let have = r#"{"vector":{"a1":[[1,2],[4,6]]}}"#;
        self.step("missing", &format!("POST {tree}/missing"), Some(have)).await;
        self.step("tree", &format!("GET {tree}"), None).await;
        self.step("tree-page", &format!("GET {tree}?after=0&limit=1"), None).await;
        self.refused_ops().await;
        let put = r#"{"mutations":[{"op":"put","collection":"$tree:outline","id":"0000000000000007@a1","data":{"parent":"book","target":"two"}}]}"#;
        self.push("push-op", put).await;
        self.step("pull-tree", &format!("GET {CHANGES}?collections=$tree:outline&limit=2"), None).await;
    }

    /// What a second member may not do, and what nobody may.
    async fn refused_ops(&mut self) {
        let body = r#"{"username":"Cid","password":"correct horse"}"#;
        let cid = self.world.ask("POST /v1/auth/register", None, Some(body)).await;
        let user = ActorId::new(cid.json()["user"]["id"].as_str().unwrap()).unwrap();
        let space = SpaceId::new(&self.space).unwrap();
        self.world.accounts.set_role(&space, &user, Some(Role::Editor)).await.unwrap();
        let ask = format!("POST /v1/spaces/{space}/trees/outline/ops");
        let op = |counter: usize| {
            format!(r#"{{"id":{{"counter":{counter},"peerId":"a1"}},"targetId":"two","parentId":null}}"#)
        };
        let many: Vec<String> = (1..=1001).map(op).collect();
        for (token, ops, code) in [
            (cid.member("access_token"), op(7), "forbidden_client"),
            (self.token.clone(), many.join(","), "body_too_large"),
        ] {
            let body = format!("{{\"ops\":[{ops}]}}");
            let answer = self.world.ask(&ask, Some(&token), Some(&body)).await;
            assert_eq!(answer.member("code"), code);
            self.document.check(&ask, Some(&body), &answer);
            self.ledger.note(&ask, &answer);
        }
    }

    async fn resync(&mut self) {
        let (space, service) = (SpaceId::new(&self.space).unwrap(), &self.world.app.service);
        let cursor = self
            .world
            .ask(&format!("GET /v1/spaces/{space}/changes?limit=1"), Some(&self.token), None)
            .await
            .member("cursor");
        self.world.clock.advance(Duration::from_secs(31 * 24 * 3600));
        service.collect(&space, false).await.unwrap();
        self.sign_in_again().await;
        self.step("resync-required", &format!("GET {CHANGES}?after={cursor}"), None).await;
        let other = r#"{"username":"Vera","password":"correct horse"}"#;
        let other = self.world.ask("POST /v1/auth/register", None, Some(other)).await;
        let vera = ActorId::new(other.json()["user"]["id"].as_str().unwrap()).unwrap();
        self.world.accounts.set_role(&space, &vera, Some(Role::Viewer)).await.unwrap();
        self.token = other.member("access_token");
        self.push("forbidden-role", r#"{"mutations":[]}"#).await;
        self.step("space-not-found", "GET /v1/spaces/elsewhere/status", None).await;
        self.token = String::new();
        self.step("missing-credentials", "GET /v1/spaces/SPACE/status", None).await;
    }

    async fn sign_in_again(&mut self) {
        let body = r#"{"username":"Ada","password":"correct horse"}"#;
        self.token = self.world.ask("POST /v1/auth/login", None, Some(body)).await.member("access_token");
    }

    async fn operations(&mut self) {
        for name in ["health", "ready", "limits"] {
            self.step(name, &format!("GET /{name}"), None).await;
        }
        let document = self.world.ask("GET /openapi.json", None, None).await;
        self.ledger.note("GET /openapi.json", &document);
        assert_eq!(document.header("content-type"), "application/json");
    }
}

fn first_version(answer: &Answer) -> String {
    answer.json()["outcomes"][0]["version"].to_string()
}

/// A request and its answer as text; only tokens, which have secrets in them, are masked.
fn text_of(ask: &str, body: Option<&str>, answer: &Answer) -> String {
    let mut text = format!("{ask}\n");
    if let Some(body) = body {
        text.push_str(&format!("content-type: application/json\n\n{}\n", masked(body)));
    }
    text.push_str(&format!("\n{}\n", answer.status));
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = value.to_str().unwrap();
        let value = match value.split_once(';') {
            Some((_, attributes)) if name == SET_COOKIE => format!("__Host-session=***;{attributes}"),
            _ => value.to_owned(),
        };
        format!("{name}: {value}\n")
    };
    let mut headers: Vec<_> = answer.headers.iter().map(shown).collect();
    headers.sort_unstable();
    text.push_str(&format!("{}\n{}\n", headers.concat(), masked(answer.text())));
    text
}

/// The body without the tokens in it, which are others in each run.
fn masked(body: &str) -> String {
    let mut text = body.to_owned();
    for name in ["access_token", "refresh_token", "device_token", "token", "url", "claim"] {
        let Some((before, rest)) = text.split_once(&format!("\"{name}\":\"")) else { continue };
        let after = rest.find('"').map_or("", |end| &rest[end..]);
        text = format!("{before}\"{name}\":\"***{after}");
    }
    text
}
