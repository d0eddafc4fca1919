//! Runs every row of the table against the real routes, over each store.

use serde_json::Value;
use sync_core::service::Actor;
use sync_core::{ActorId, Role, SpaceId};
use sync_server::problem::Code;

use super::fixture::{self, CONTENT, FOREIGN, PASSWORD};
use super::log;
use super::openapi::Ledger;
use super::table::{Effect, Group, Row, Table};
use super::template::Values;
use super::world::{Answer, SECRET, World};

#[tokio::test]
async fn bad_input_gets_the_documented_answer_over_memory() {
    run(&World::memory()).await;
}

#[tokio::test]
async fn bad_input_gets_the_documented_answer_over_sqlite() {
    run(&World::sqlite().await).await;
}

#[tokio::test]
async fn bad_input_gets_the_documented_answer_over_postgres() {
    let Some(world) = World::postgres().await else { return };
    run(&world).await;
}

/// Asks every row, checks everything about its answer, and notes which operation answered what.
pub(crate) async fn run(world: &World) -> Ledger {
    let mark = log::mark();
    let values = fixture::fill(world).await;
    let mut ledger = Ledger::default();
    let mut wrong = Vec::new();
    let mut before = state(world, &values).await;
    for (group, row) in Table::read().asked() {
        let answered = check(world, &values, group, row, &mut ledger).await;
        let after = state(world, &values).await;
        if let Err(why) = answered.and_then(|()| left_behind(row.effect(), &before, &after)) {
            wrong.push(format!("{} ({}): {why}", row.id, row.what));
        }
        before = after;
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    let logged = log::since(mark);
    let tokens = ["ada_token", "bob_token", "vera_token", "ed_token"].map(|name| values.get(name));
    for secret in tokens.into_iter().chain([SECRET, PASSWORD, CONTENT, FOREIGN, "$argon2"]) {
        assert!(!logged.contains(secret), "the log shows {secret:?}");
    }
    ledger
}

async fn check(
    world: &World,
    values: &Values,
    group: &Group,
    row: &Row,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let mark = log::mark();
    let answer = world.send(row.request(group, values)).await;
    ledger.note(row.ask(group), &answer);
    let (status, words) = row.expected();
    if answer.status != status {
        return Err(format!("expected {}, got {} {}", row.answer, answer.status, shown(&answer)));
    }
    match status {
        200 | 201 => outcomes(&answer, &words)?,
        _ => refusal(&answer, row, words.first().copied().unwrap_or_default(), mark)?,
    }
    if answer.status >= 500 {
        return Err("a fault of the client became one of the server".to_owned());
    }
    if row.answer.starts_with("404") && answer.text().contains(FOREIGN) {
        return Err("it shows what is none of their business".to_owned());
    }
    match &row.stored {
        Some(expected) => stored(world, values, row, expected).await,
        None => Ok(()),
    }
}

fn shown(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(300).collect()
}

/// The outcomes of a push that was accepted; `rejected:code` names the code too.
fn outcomes(answer: &Answer, words: &[&str]) -> Result<(), String> {
    if words.is_empty() {
        return Ok(());
    }
    let body = answer.json();
    let found: Vec<String> = body["outcomes"].as_array().into_iter().flatten().map(word_of).collect();
    if found == words { Ok(()) } else { Err(format!("expected {words:?}, got {found:?}")) }
}

fn word_of(outcome: &Value) -> String {
    let word = outcome["outcome"].as_str().unwrap_or_default();
    let code = outcome["code"].as_str().map(|code| format!(":{code}"));
    format!("{word}{}", code.unwrap_or_default())
}

/// A refusal is a problem document with everything it should have.
fn refusal(answer: &Answer, row: &Row, code: &str, mark: usize) -> Result<(), String> {
    let must =
        |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {}", shown(answer))) };
    let known = Code::from_name(code).ok_or_else(|| format!("there is no code {code}"))?;
    must(known.status() == answer.status, "the code has another status")?;
    must(answer.header("content-type") == "application/problem+json", "it is no problem document")?;
    must(answer.header("cache-control") == "no-store", "it may be cached")?;
    must(answer.header("x-content-type-options") == "nosniff", "its type may be guessed")?;
    let body = answer.json();
    let expected = [
        ("code", Value::from(code)),
        ("status", Value::from(answer.status)),
        ("title", Value::from(known.title())),
        ("type", Value::from(format!("urn:sync:problem:{code}"))),
    ];
    for (name, value) in expected {
        must(body[name] == value, &format!("`{name}` is not {value}"))?;
    }
    must(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "it has no detail")?;
    if let Some(pointer) = &row.pointer {
        must(body["pointer"] == pointer.as_str(), &format!("the pointer is not {pointer:?}"))?;
    }
    if let Some(limit) = row.limit {
        must(body["limit"] == limit, &format!("the limit is not {limit}"))?;
    }
    must((answer.status == 401) == answer.headers.contains_key("www-authenticate"), "www-authenticate")?;
    must((answer.status == 405) == answer.headers.contains_key("allow"), "allow")?;
    must(log::since(mark).contains(&format!("code=\"{code}\"")), "the log does not say so")
}

/// What could have changed: both spaces, and how many there are.
#[derive(Debug, PartialEq)]
struct State {
    /// Head, counts, replicas and hash of each space.
    spaces: Vec<Value>,
    /// Number of the last entry of each space's log.
    logs: Vec<i64>,
    n_spaces: usize,
}

async fn state(world: &World, values: &Values) -> State {
    let service = &world.app.service;
    let somebody = Actor::new(ActorId::new("somebody").unwrap(), Role::Viewer);
    let (mut spaces, mut logs) = (Vec::new(), Vec::new());
    for name in ["space", "foreign_space"] {
        let space = SpaceId::new(values.get(name)).unwrap();
        spaces.push(serde_json::to_value(service.status(&somebody, &space, true).await.unwrap()).unwrap());
        let last = service.log(&somebody, &space, None, Some(1)).await.unwrap();
        logs.push(last.first().map_or(0, |entry| entry.entry));
    }
    let n_spaces = world.app.store.spaces(None, 10_000).await.unwrap().len();
    State { spaces, logs, n_spaces }
}

fn left_behind(effect: Effect, before: &State, after: &State) -> Result<(), String> {
    let holds = match effect {
        Effect::None => before == after,
        Effect::Logged => {
            before.spaces == after.spaces
                && before.logs[0] + 1 == after.logs[0]
                && before.logs[1] == after.logs[1]
        }
        Effect::Written => before != after && before.spaces[1] == after.spaces[1],
    };
    if holds { Ok(()) } else { Err(format!("it should leave {effect:?}: {before:?} became {after:?}")) }
}

async fn stored(world: &World, values: &Values, row: &Row, expected: &str) -> Result<(), String> {
    let ask = format!("GET /v1/spaces/{}/records/notes/{}", values.get("space"), row.id.to_lowercase());
    let answer = world.ask(&ask, Some(values.get("ada_token")), None).await;
    let canonical =
        sync_core::json::Json::parse(expected.as_bytes(), &sync_core::json::Limits::RECORD).unwrap();
    if answer.text().ends_with(&format!("\"data\":{canonical}}}")) {
        return Ok(());
    }
    Err(format!("expected {canonical} to be stored, got {}", shown(&answer)))
}
