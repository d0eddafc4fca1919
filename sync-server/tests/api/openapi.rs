//! Holds the OpenAPI document against the routes, in both directions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fixture;
use super::schema::{check, resolve};
use super::table::Table;
use super::template::Values;
use super::world::{Answer, World};
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

    fn is_public(&self) -> bool {
        self.value["security"] == serde_json::json!([])
    }

    /// A request for it that is as it should be, with values not filled in.
    fn sample(&self) -> (String, Option<&'static str>) {
        let id = if self.path.contains("/conflicts/") { "{conflict}" } else { "n1" };
        let path = self.path.replace("{collection}", "notes").replace("{id}", id);
        let body = match self.value["operationId"].as_str().unwrap() {
            "register" | "login" => Some(r#"{"username":"sam","password":"correct horse"}"#),
            "push" => Some(r#"{"mutations":[]}"#),
            "resolve" => Some(r#"{"take":"mine"}"#),
            _ => None,
        };
        (format!("{} {path}", self.method), body)
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
        let schema = &content[media_type]["schema"];
        assert!(schema.is_object(), "{ask}: {} {media_type} is not documented", answer.status);
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
    let (world, document) = (World::memory(), Document::read());
    let values = fixture::fill(&world).await;
    for operation in document.operations() {
        let (sample, body) = operation.sample();
        let (_, path) = sample.split_once(' ').unwrap();
        let offered: BTreeSet<String> = document
            .operations()
            .into_iter()
            .filter(|o| o.path == operation.path)
            .map(|o| o.method)
            .collect();
        let allow = offered.iter().cloned().collect::<Vec<_>>().join(", ");
        for method in METHODS {
            let token = Some(values.get("ada_token"));
            let answer = ask(&world, &values, &format!("{method} {path}"), token, body).await;
            assert_ne!(answer.status, 404, "{method} {path}: there is no such route");
            assert_eq!(answer.status == 405, !offered.contains(method), "{method} {path}");
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
    let expired = {
        let device = sync_core::CredentialId::new(values.get("ada_device")).unwrap();
        world.tokens.issue(values.get("ada"), &device, "t", world.now_s() - 7200)
    };
    for operation in document.operations() {
        let (sample, body) = operation.sample();
        let mine = Some(values.get("ada_token"));
        let mut rows = vec![(format!("{sample}?nonsense=1"), mine, "invalid_query")];
        if !operation.is_public() {
            rows.push((sample.clone(), None, "missing_credentials"));
            rows.push((sample.clone(), Some("x.y.z"), "invalid_token"));
            rows.push((sample.clone(), Some(&expired), "token_expired"));
        }
        if sample.contains("{space}") {
            rows.push((sample.replace("{space}", "NO"), mine, "invalid_id"));
            rows.push((sample.replace("{space}", "{foreign_space}"), mine, "space_not_found"));
        }
        for (row, token, code) in rows {
            let answer = ask(world, values, &row, token, body).await;
            assert_eq!(answer.member("code"), code, "{row}");
            ledger.note(&row, &answer);
        }
    }
    ledger
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

/// Some answers cannot be had from a server that is well; they have tests of their own.
const BY_TESTS_OF_THEIR_OWN: [(&str, u16); 2] = [("POST /v1/auth/login", 503), ("GET /ready", 503)];

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
    let is_elsewhere =
        |(name, status, _): &(String, u16, String)| BY_TESTS_OF_THEIR_OWN.contains(&(name.as_str(), *status));
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
