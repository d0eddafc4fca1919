//! `GET /health`: 200 while the process answers. `GET /ready`: 200 when the store does too (with what endangers its data, if anything does), else 503.
//!
//! `GET /limits`: 200 with what requests are held to. `GET /openapi.json`: the description of all routes.

use hyper::StatusCode;
use serde_json::json;
use sync_core::json::Limits as JsonLimits;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json, json_of};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::reply::Response;

/// The description of all routes. A test holds it against them.
const OPENAPI: &str = include_str!("../../openapi.json");

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    first_of([
        resource(warp::path!("health").map(Vec::new), app, get(health)),
        resource(warp::path!("ready").map(Vec::new), app, get(ready)),
        resource(warp::path!("limits").map(Vec::new), app, get(limits)),
        resource(warp::path!("openapi.json").map(Vec::new), app, get(openapi)),
    ])
}

async fn health(_: App, request: Request) -> Answer {
    request.query(&[])?;
    Ok(json_of(&json!({"status": "ok"})))
}

async fn ready(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let warnings = app.store.check().await?;
    Ok(json_of(&match warnings.is_empty() {
        true => json!({"status": "ready"}),
        false => json!({"status": "ready", "warnings": warnings}),
    }))
}

async fn openapi(_: App, request: Request) -> Answer {
    request.query(&[])?;
    Ok(json(StatusCode::OK, OPENAPI.to_owned()))
}

async fn limits(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let limits = app.service.limits();
    Ok(json_of(&json!({
        "body_bytes_max": app.body_bytes_max,
        "mutations_max": limits.mutations_max,
        "record_bytes_max": JsonLimits::RECORD.bytes_max,
        "record_depth_max": JsonLimits::RECORD.depth_max,
        "key_bytes_max": JsonLimits::RECORD.key_bytes_max,
        "page_rows_max": limits.page_rows_max,
        "page_bytes_max": limits.page_bytes_max,
        "collections_max": limits.collections_max,
        "wait_s_max": limits.wait_max.as_secs(),
        "clock_drift_s_max": limits.clock_drift_max.as_secs(),
    })))
}
