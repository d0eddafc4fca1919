//! Runs every row of the table against the real routes, over each store.

use serde_json::Value;
use sync_server::problem::Code;

use super::fixture::{self, CONTENT, FOREIGN, PASSWORD};
use super::log;
use super::openapi::Ledger;
use super::state::{left_behind, state};
use super::table::{Effect, Group, Row, Table, is_of_accounts};
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
    let mut before = state(world, &values, None).await;
    let table = Table::read();
    let mut rows = table.asked().peekable();
    while let Some((group, row)) = rows.next() {
        let answered = check(world, &values, group, row, &mut ledger).await;
        // Asking a database for all there is of accounts takes its time: of rows that change nothing it is asked at the
        // end of each run of them. Over the memory store it is asked each time.
        let is_quiet = |(group, row): &(&Group, &Row)| row.effect(group) == Effect::None;
        let is_amid = rows.peek().is_some_and(is_quiet) && is_quiet(&(group, row)) && world.is_database();
        let untouched = Some(&before).filter(|_| is_amid || !is_of_accounts(row.ask(group)));
        let after = state(world, &values, untouched).await;
        if let Err(why) = answered.and_then(|()| left_behind(row.effect(group), &before, &after)) {
            wrong.push(format!("{} ({}): {why}", row.id, row.what));
        }
        before = after;
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    log::shows_nothing(&log::since(mark), &[SECRET, PASSWORD, CONTENT, FOREIGN]);
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
        200..300 => outcomes(&answer, &words)?,
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
