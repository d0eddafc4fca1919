//! `GET /health`: 200 while the process answers. `GET /ready`: 200 when the store does too, else 503.
//!
//! `GET /limits`: 200 with what requests are held to. `GET /openapi.json`: the description of all routes.

use hyper::{Method, StatusCode};
use serde_json::json;
use sync_core::json::Limits as JsonLimits;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::request::{json, json_of};
use super::{Answer, not_allowed, resource};
use crate::app::App;
use crate::reply::Response;

/// The description of all routes. A test holds it against them.
const OPENAPI: &str = include_str!("../../openapi.json");

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let path = warp::path::param().and(warp::path::end()).map(|name: String| vec![name]);
    let known = path.and_then(|segments: Vec<String>| async move {
        match segments[0].as_str() {
            "health" | "ready" | "limits" | "openapi.json" => Ok(segments),
            _ => Err(warp::reject::not_found()),
        }
    });
    resource(known, app, |app, segments, request| async move {
        if request.method != Method::GET {
            return not_allowed("GET");
        }
        request.query(&[])?;
        match segments[0].as_str() {
            "ready" => ready(&app).await,
            "limits" => Ok(limits(&app)),
            "openapi.json" => Ok(json(StatusCode::OK, OPENAPI.to_owned())),
            _ => Ok(json_of(&json!({"status": "ok"}))),
        }
    })
}

async fn ready(app: &App) -> Answer {
    app.store.spaces(None, 1).await?;
    Ok(json_of(&json!({"status": "ready"})))
}

fn limits(app: &App) -> Response {
    let limits = app.service.limits();
    json_of(&json!({
        "body_bytes_max": app.body_bytes_max,
        "mutations_max": limits.mutations_max,
        "record_bytes_max": JsonLimits::RECORD.bytes_max,
        "record_depth_max": JsonLimits::RECORD.depth_max,
        "page_rows_max": limits.page_rows_max,
        "page_bytes_max": limits.page_bytes_max,
        "collections_max": limits.collections_max,
        "wait_s_max": limits.wait_max.as_secs(),
        "clock_drift_s_max": limits.clock_drift_max.as_secs(),
    }))
}
