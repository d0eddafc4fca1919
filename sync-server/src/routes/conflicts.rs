//! `GET /v1/spaces/{space}/conflicts?after&settled`: 200 with `{conflicts, next}`.
//!
//! `POST /v1/spaces/{space}/conflicts/{id}/resolve`: body `{take: "mine" | "theirs" | "merged", data?, version?}`. 200 with
//! the outcome, 404 for a conflict that never was, 409 `version_conflict` when it is resolved already or the record has
//! moved on (then with `version` and `theirs`).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sync_core::Resolution;
use sync_core::json::{Json, Limits};
use sync_core::protocol::decode;
use sync_core::service::Resolved;
use sync_core::{Conflict, Error, Version};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json_of};
use super::resource::{Answer, get, post, resource};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let list = warp::path!("spaces" / String / "conflicts").map(|space| vec![space]);
    let one =
        warp::path!("spaces" / String / "conflicts" / String / "resolve").map(|space, id| vec![space, id]);
    first_of([resource(list, app, get(conflicts)), resource(one, app, post(resolve))])
}

async fn conflicts(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    let query = request.query(&["after", "settled"])?;
    let (after, with_settled) = (query.record_id("after")?, query.flag("settled")?);
    let (conflicts, next) = app.service.conflicts(&actor, &space, after, with_settled).await?;
    let conflicts: Vec<Value> = conflicts.iter().map(shown).collect();
    Ok(json_of(&json!({"conflicts": conflicts, "next": next})))
}

/// A conflict as it is listed: its own name and version beside what it holds.
fn shown(conflict: &Conflict) -> Value {
    let body = serde_json::to_value(&conflict.body).expect("a conflict has a JSON form");
    json!({"id": conflict.id, "version": conflict.version, "conflict": body})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve<'a> {
    take: Take,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    version: Option<Version>,
}

/// Read from text: as an enum serde would also take `{"mine": null}`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
enum Take {
    Mine,
    Theirs,
    Merged,
}

impl TryFrom<String> for Take {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "mine" => Ok(Self::Mine),
            "theirs" => Ok(Self::Theirs),
            "merged" => Ok(Self::Merged),
            _ => Err("take is mine, theirs or merged"),
        }
    }
}

/// Reads a member that is there, so that `null` is a value and not "nothing there".
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

async fn resolve(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    let id = request.record_id(1)?;
    request.query(&[])?;
    let wish: Resolve<'_> = decode(&request.body)?;
    let resolution = match (wish.take, wish.data) {
        (Take::Mine, None) => Resolution::TakeMine,
        (Take::Theirs, None) => Resolution::TakeTheirs,
        (Take::Merged, Some(data)) => Resolution::Merged(Some(content(data)?)),
        (Take::Merged, None) => return Err(unfit("a merged resolution carries the record as data")),
        (_, Some(_)) => return Err(unfit("only a merged resolution carries data")),
    };
    match app.service.resolve(&actor, &space, &id, resolution, wish.version).await? {
        Resolved::Done(outcome) => Ok(json_of(&outcome)),
        Resolved::Moved { version, theirs } => Err(Problem::new(Code::VersionConflict)
            .detail("the record has moved on: look at it again, then resolve with its version")
            .extra("version", version.get())
            .extra("theirs", theirs.map_or(Value::Null, |theirs| theirs.to_value()))),
    }
}

fn content(data: &RawValue) -> Result<Json, Error> {
    Json::parse(data.get().as_bytes(), &Limits::RECORD)
        .map_err(|error| sync_core::protocol::refuse_content(&error, "/data"))
}

fn unfit(detail: &str) -> Problem {
    Problem::new(Code::ValidationFailed).detail(detail).pointer("/data")
}
