//! `GET /v1/spaces/{space}/records/{collection}?after&limit`: 200 with `{records, next}`.
//!
//! `GET /v1/spaces/{space}/records/{collection}/{id}`: 200 with the record, 404 `not_found`.

use hyper::StatusCode;
use sync_core::protocol::write_change;
use sync_core::{Collection, RecordKey};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// Records a client may ask for at once; the service has a smaller limit of its own and keeps to it.
const LIMIT_MAX: u32 = 1_000_000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("spaces" / String / "records" / String).map(|space, collection| vec![space, collection]);
    let one = warp::path!("spaces" / String / "records" / String / String)
        .map(|space, collection, id| vec![space, collection, id]);
    first_of([resource(list, app, get(records)), resource(one, app, get(record))])
}

async fn records(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    let collection = collection(&request)?;
    let query = request.query(&["after", "limit"])?;
    let after = query.record_id("after")?;
    let limit = query.u32_in("limit", 1..=LIMIT_MAX)?.and_then(|limit| usize::try_from(limit).ok());
    let page = app.service.records(&actor, &space, &collection, after, limit).await?;
    let mut body = String::from("{\"records\":[");
    for (idx, record) in page.records.iter().enumerate() {
        if idx > 0 {
            body.push(',');
        }
        write_change(record, &mut body);
    }
    body.push_str(&format!("],\"next\":{}}}", serde_json::json!(page.next)));
    Ok(json(StatusCode::OK, body))
}

async fn record(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    let key = RecordKey::new(collection(&request)?, request.record_id(2)?);
    request.query(&[])?;
    let missing = || Problem::new(Code::NotFound).detail("there is no such record");
    let record = app.service.record(&actor, &space, &key, false).await?.ok_or_else(missing)?;
    let mut body = String::new();
    write_change(&record, &mut body);
    Ok(json(StatusCode::OK, body))
}

fn collection(request: &Request) -> Result<Collection, Problem> {
    request.name(1, |text| Collection::from_stored(&text))
}
