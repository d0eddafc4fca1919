//! Holds the OpenAPI document against the routes, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use http_body_util::Full;
use serde_json::Value;

use super::fixture;
use super::schema::{check, resolve};
use super::table::Table;
use super::template::Values;
use super::world::{Answer, World, asking};
use super::{bad_input, golden};

/// Methods that some client may try.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"];

/// The document that the server serves.
pub(crate) struct Document(Value);

/// One method of one path.
pub(crate) struct Operation<'d> {
    method: String,
    path: &'d str,
    value: &'d Value,
}

/// Which operation answered what: method and path, status, and code or nothing.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeSet<(String, u16, String)>);

impl Ledger {
    /// Notes an answer to `ask`, if it is for an operation of the document.
    pub(crate) fn note(&mut self, ask: &str, answer: &Answer) {
        let document = Document::read();
        let Some(operation) = document.operation(ask) else { return };
        let code = if answer.status >= 400 { answer.member("code") } else { String::new() };
        self.0.insert((operation.name(), answer.status, code));
    }
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its name in the document.
    fn id(&self) -> &str {
        self.value["operationId"].as_str().unwrap()
    }

    /// Whether it can be asked by nobody.
    fn is_public(&self) -> bool {
        let security = self.value["security"].as_array();
        security.is_some_and(|ways| ways.is_empty() || ways.contains(&serde_json::json!({})))
    }

    /// The parameter at the end of its path that names a device, a pairing, an invite or a user.
    fn named(&self) -> Option<&'static str> {
        let path = self.path;
        match path {
            _ if path.contains("{user}") => Some("{tom}"),
            _ if !path.contains("{id}") => None,
            _ if path.starts_with("/v1/devices/") => Some("{tablet}"),
            _ if path.ends_with("/qr.png") => Some("{pairing}"),
            _ if path.starts_with("/v1/pairings/") => Some("{pairing_claimed}"),
            _ if path.contains("/invites/") => Some("{space_invite_id}"),
            _ => None,
        }
    }

    /// A request for it that is as it should be, with values not filled in.
    fn sample(&self) -> (String, Option<&'static str>) {
        self.sample_for(self.named())
    }

    fn sample_for(&self, named: Option<&str>) -> (String, Option<&'static str>) {
        let id = if self.path.contains("/conflicts/") { "{conflict}" } else { "n1" };
        let path = self.path.replace("{collection}", "notes").replace("{tree}", "outline");
        let path = path.replace("{id}", named.unwrap_or(id)).replace("{user}", named.unwrap_or_default());
        let body = match self.id() {
            "register" | "login" => Some(r#"{"username":"sam","password":"correct horse"}"#),
            "refresh" => Some(r#"{"refresh_token":"x"}"#),
            "password" => Some(r#"{"new":"battery staple"}"#),
            "link" => Some(r#"{"address":"sam@example.org"}"#),
            "redeemLink" | "acceptInvite" | "redeemPairing" => Some(r#"{"token":"x"}"#),
            "addDevice" | "renameDevice" => Some(r#"{"device_name":"a"}"#),
            "setRole" | "invite" => Some(r#"{"role":"viewer"}"#),
            "push" => Some(r#"{"mutations":[]}"#),
            "addOps" => Some(r#"{"ops":[]}"#),
            "missingOps" => Some(r#"{"vector":{}}"#),
            "resolve" => Some(r#"{"take":"mine"}"#),
            _ => None,
        };
        (format!("{} {path}", self.method), body)
    }

    fn documents(&self, document: &Document, code: &str) -> bool {
        document
            .responses(self)
            .iter()
            .any(|(_, response)| document.codes(response).iter().any(|c| c == code))
    }
}

impl Document {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../openapi.json")).unwrap())
    }

    /// Method and path of every operation.
    pub(crate) fn names(&self) -> Vec<String> {
        self.operations().iter().map(Operation::name).collect()
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap();
        let of = |(path, methods)| {
            let methods: &Value = methods;
            let methods = methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, value)| Operation { method: method.to_uppercase(), path, value })
        };
        paths.iter().map(|(path, methods)| (path.as_str(), methods)).flat_map(of).collect()
    }

    /// The operation that `ask` is for.
    fn operation(&self, ask: &str) -> Option<Operation<'_>> {
        let (method, address) = ask.split_once(' ')?;
        let path = address.split('?').next()?;
        let fits = |template: &str| {
            let (ours, theirs): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            let same =
                |(our, their): (&&str, &&str)| our == their || our.starts_with('{') && !their.is_empty();
            ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same)
        };
        self.operations().into_iter().find(|operation| operation.method == method && fits(operation.path))
    }

    /// The responses of an operation, with their statuses; `default` is left out.
    fn responses<'d>(&'d self, operation: &Operation<'d>) -> Vec<(u16, &'d Value)> {
        let responses = operation.value["responses"].as_object().unwrap();
        let numbered = responses.iter().filter_map(|(status, value)| Some((status.parse().ok()?, value)));
        numbered.map(|(status, value)| (status, resolve(&self.0, value))).collect()
    }

    fn codes(&self, response: &Value) -> Vec<String> {
        let codes = resolve(&self.0, response)["x-codes"].as_array().into_iter().flatten();
        codes.map(|code| code.as_str().unwrap().to_owned()).collect()
    }

    /// Holds a good request and any answer against their schemas.
    pub(crate) fn check(&self, ask: &str, body: Option<&str>, answer: &Answer) {
        let operation = self.operation(ask).unwrap_or_else(|| panic!("{ask} is not documented"));
        if let Some(body) = body.filter(|_| answer.status < 400) {
            let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
            let body = serde_json::from_str(body).unwrap();
            check(&self.0, schema, &body, ask).unwrap();
        }
        let content = self.content(&operation, answer);
        let media_type = answer.header("content-type");
        if answer.body.is_empty() && content.is_null() {
            return;
        }
        let schema = &content[media_type]["schema"];
        assert!(schema.is_object(), "{ask}: {} {media_type} is not documented", answer.status);
        if !media_type.contains("json") {
            return;
        }
        for document in documents(answer) {
            check(&self.0, schema, &document, ask).unwrap();
        }
    }

    fn content<'d>(&'d self, operation: &Operation<'d>, answer: &Answer) -> &'d Value {
        let found = self.responses(operation).into_iter().find(|(status, _)| *status == answer.status);
        let response = found.map_or(&operation.value["responses"]["default"], |(_, response)| response);
        &resolve(&self.0, response)["content"]
    }
}

/// The JSON of an answer: one document, or one in each line.
fn documents(answer: &Answer) -> Vec<Value> {
    if answer.header("content-type") == "application/x-ndjson" {
        return answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    }
    vec![answer.json()]
}

/// Asks each operation as it should be, with a token or without.
async fn ask(world: &World, values: &Values, ask: &str, token: Option<&str>, body: Option<&str>) -> Answer {
    world.ask(&values.fill(ask), token, body).await
}

#[tokio::test]
async fn every_documented_operation_answers_and_every_other_method_is_refused() {
    let document = Document::read();
    let mut worlds: BTreeMap<&str, (World, Values)> = BTreeMap::new();
    let mut operations = document.operations();
    // What ends something comes last.
    operations.sort_by_key(|operation| operation.method == "DELETE");
    for operation in operations {
        let (sample, body) = operation.sample();
        let (_, path) = sample.split_once(' ').unwrap();
        let offered: BTreeSet<String> = document
            .operations()
            .into_iter()
            .filter(|o| o.path == operation.path)
            .map(|o| o.method)
            .collect();
        let allow = offered.iter().cloned().collect::<Vec<_>>().join(", ");
        // What ends something gets a world of its own, and another where it is there no more.
        let ends = offered.contains("DELETE") || operation.path.ends_with("/logout");
        let key = if ends { operation.path } else { "" };
        if !worlds.contains_key(key) {
            let world = World::memory();
            let values = fixture::fill(&world).await;
            worlds.insert(key, (world, values));
        }
        let (world, values) = &worlds[key];
        for method in
            METHODS.iter().filter(|method| operation.method == **method || !offered.contains(**method))
        {
            let token = Some(values.get("ada_token"));
            let answer = ask(world, values, &format!("{method} {path}"), token, body).await;
            assert_ne!(answer.status, 404, "{method} {path}: there is no such route");
            assert_eq!(answer.status == 405, !offered.contains(*method), "{method} {path}");
            assert_eq!(
                answer.header("allow"),
                if answer.status == 405 { &allow } else { "" },
                "{method} {path}"
            );
        }
    }
}

/// Every operation with credentials that are none, and with what no operation takes.
async fn matrix(world: &World, values: &Values) -> Ledger {
    let (document, mut ledger) = (Document::read(), Ledger::default());
    for operation in document.operations() {
        let (sample, body) = operation.sample();
        for (row, who, body, code) in rows(&document, &operation, &sample, body) {
            let token = (who != "nobody").then(|| values.get(&format!("{who}_token")));
            let answer = ask(world, values, &row, token, body).await;
            assert_eq!(answer.member("code"), code, "{row} by {who}");
            ledger.note(&row, &answer);
        }
        if operation.value["requestBody"].is_object() {
            let mut request = asking(&values.fill(&sample), Some(values.get("ada_token")), Some(""));
            *request.body_mut() = Full::from(b"{\"\xff\"}".as_slice());
            let answer = world.send(request).await;
            assert_eq!(answer.member("code"), "invalid_encoding", "{sample}");
            ledger.note(&sample, &answer);
        }
    }
    ledger
}

type Asked<'b> = (String, &'static str, Option<&'b str>, &'static str);

/// Requests for one operation, by whom, and the code each is refused with.
fn rows<'b>(
    document: &Document,
    operation: &Operation<'_>,
    sample: &str,
    body: Option<&'b str>,
) -> Vec<Asked<'b>> {
    let mut rows = Vec::new();
    let mut row = |ask: &str, who, body, code| rows.push((ask.to_owned(), who, body, code));
    // The pages take any.
    if !operation.id().contains("Page") {
        row(&format!("{sample}?nonsense=1"), "ada", body, "invalid_query");
    }
    if !operation.is_public() {
        row(sample, "nobody", body, "missing_credentials");
        row(sample, "no", body, "invalid_token");
        row(sample, "expired", body, "token_expired");
    }
    if !operation.is_public() && operation.documents(document, "token_revoked") {
        row(sample, "revoked", body, "token_revoked");
    }
    if operation.value["requestBody"].is_object() {
        row(sample, "ada", Some("{"), "malformed_json");
        row(sample, "ada", Some(r#"{"nonsense":1}"#), "validation_failed");
    }
    if sample.contains("{space}") {
        row(&sample.replace("{space}", "NO"), "ada", body, "invalid_id");
        row(&sample.replace("{space}", "{foreign_space}"), "ada", body, "space_not_found");
        let owners_alone = operation.documents(document, "forbidden_role");
        let by_editors = ["/changes", "/resolve", "/trees/"].iter().any(|part| sample.contains(part));
        if owners_alone && !by_editors {
            row(sample, "ed", body, "forbidden_role");
        }
    }
    if operation.named().is_some() {
        row(&operation.sample_for(Some("%00")).0, "ada", body, "invalid_id");
        row(&operation.sample_for(Some("{unknown_space}")).0, "ada", body, "not_found");
    }
    rows
}

#[tokio::test]
async fn without_a_token_every_route_of_a_space_says_401() {
    let world = World::memory();
    let values = fixture::fill(&world).await;
    let document = Document::read();
    for operation in document.operations().iter().filter(|operation| !operation.is_public()) {
        let (sample, body) = operation.sample();
        let mut answers = Vec::new();
        for space in ["{space}", "{foreign_space}", "{unknown_space}", "NO"] {
            answers.push(ask(&world, &values, &sample.replace("{space}", space), None, body).await);
        }
        assert_eq!(answers[0].status, 401, "{sample}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{sample}: {answers:?}");
    }
}

#[tokio::test]
async fn a_foreign_space_and_none_get_the_same_bytes_on_every_route() {
    let world = World::memory();
    let values = fixture::fill(&world).await;
    let document = Document::read();
    let spaces = document.operations().into_iter().filter(|operation| operation.path.contains("{space}"));
    for operation in spaces {
        let (sample, body) = operation.sample();
        let token = Some(values.get("ada_token"));
        let foreign = ask(&world, &values, &sample.replace("{space}", "{foreign_space}"), token, body).await;
        let unknown = ask(&world, &values, &sample.replace("{space}", "{unknown_space}"), token, body).await;
        assert_eq!((foreign.status, foreign.member("code").as_str()), (404, "space_not_found"), "{sample}");
        assert_eq!(foreign, unknown, "{sample}");
    }
}

/// Some answers cannot be had from a server that is well, takes everyone and limits nobody; they have tests of their own.
const BY_TESTS_OF_THEIR_OWN: [(&str, &str); 10] = [
    ("POST /v1/auth/login", "overloaded"),
    ("GET /ready", "storage_unavailable"),
    ("POST /v1/auth/register", "registration_closed"),
    ("POST /v1/auth/link/redeem", "registration_closed"),
    ("POST /v1/auth/link", "mail_unavailable"),
    ("POST /v1/spaces/{space}/invites", "mail_unavailable"),
    ("POST /v1/pairings/redeem", "slow_down"),
    ("POST /v1/spaces", "quota_exceeded"),
    ("POST /v1/invites/accept", "quota_exceeded"),
    ("GET /ready", "overloaded"),
];

#[tokio::test]
async fn what_is_answered_is_documented_and_what_is_documented_is_answered() {
    let document = Document::read();
    let mut seen = bad_input::run(&World::memory()).await.0;
    seen.extend(golden::run(&World::memory()).await.0);
    let world = World::memory();
    let values = fixture::fill(&world).await;
    seen.extend(matrix(&world, &values).await.0);
    let any = document.codes(&document.0["components"]["responses"]["Any"]);
    let mut documented = BTreeSet::new();
    for operation in document.operations() {
        for (status, response) in document.responses(&operation) {
            let codes = document.codes(response);
            let codes = if codes.is_empty() { vec![String::new()] } else { codes };
            documented.extend(codes.into_iter().map(|code| (operation.name(), status, code)));
        }
    }
    let unlisted: Vec<_> = seen
        .iter()
        .filter(|(_, _, code)| !any.contains(code))
        .filter(|row| !documented.contains(*row))
        .collect();
    assert!(unlisted.is_empty(), "answered but not documented: {unlisted:#?}");
    let is_elsewhere = |(name, _, code): &(String, u16, String)| {
        BY_TESTS_OF_THEIR_OWN.contains(&(name.as_str(), code.as_str()))
    };
    let unreached: Vec<_> = documented.difference(&seen).filter(|row| !is_elsewhere(row)).collect();
    assert!(unreached.is_empty(), "documented but not answered: {unreached:#?}");
    let in_the_table = |code: &&String| {
        let rows = Table::read();
        rows.groups
            .iter()
            .flat_map(|group| &group.rows)
            .any(|row| row.answer.split(' ').any(|word| word == *code))
    };
    let unknown: Vec<_> = any.iter().filter(|code| !in_the_table(code)).collect();
    assert!(unknown.is_empty(), "said to happen to any request, and to none: {unknown:?}");
}
