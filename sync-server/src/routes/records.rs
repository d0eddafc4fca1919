//! `GET /v1/spaces/{space}/records/{collection}?after&limit`: 200 with `{records, next}`.
//!
//! `GET /v1/spaces/{space}/records/{collection}/{id}`: 200 with the record, 404 `not_found`.

use hyper::{Method, StatusCode};
use sync_core::protocol::write_change;
use sync_core::{Collection, RecordId, RecordKey};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::request::{Request, decoded, json, named, record_id};
use super::{Answer, not_allowed, resource};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// Records a client may ask for at once; the service has a smaller limit of its own and keeps to it.
const LIMIT_MAX: u32 = 1_000_000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("spaces" / String / "records" / String).map(|space, collection| vec![space, collection]);
    let one = warp::path!("spaces" / String / "records" / String / String)
        .map(|space, name, id| vec![space, name, id]);
    let list = resource(list, app, |app, segments, request| async move {
        match request.method {
            Method::GET => records(&app, &segments, &request).await,
            _ => not_allowed("GET"),
        }
    });
    let one = resource(one, app, |app, segments, request| async move {
        match request.method {
            Method::GET => record(&app, &segments, &request).await,
            _ => not_allowed("GET"),
        }
    });
    list.or(one).unify().boxed()
}

async fn records(app: &App, segments: &[String], request: &Request) -> Answer {
    let (_, space) = app.member(&request.headers, &segments[0]).await?;
    let collection = collection(&segments[1])?;
    let query = request.query(&["after", "limit"])?;
    let after = query.string("after").map(|id| named(RecordId::new(id))).transpose()?;
    let limit = query.u32_in("limit", 1..=LIMIT_MAX)?.and_then(|limit| usize::try_from(limit).ok());
    let page = app.service.records(&space, &collection, after, limit).await?;
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

async fn record(app: &App, segments: &[String], request: &Request) -> Answer {
    let (_, space) = app.member(&request.headers, &segments[0]).await?;
    let key = RecordKey::new(collection(&segments[1])?, record_id(&segments[2])?);
    request.query(&[])?;
    let missing = || Problem::new(Code::NotFound).detail("there is no such record");
    let record = app.service.record(&space, &key, false).await?.ok_or_else(missing)?;
    let mut body = String::new();
    write_change(&record, &mut body);
    Ok(json(StatusCode::OK, body))
}

fn collection(segment: &str) -> Result<Collection, Problem> {
    named(Collection::from_stored(&decoded(segment)?))
}
