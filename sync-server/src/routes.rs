//! The routes: what is asked, translated to one call of the service, and its outcome translated back.
//!
//! One small file per resource, whose first lines name its routes. Requests are taken apart in [`request`]; refusals of
//! the service become problems in [`crate::refusal`].

mod auth;
mod changes;
mod conflicts;
mod operations;
mod records;
mod request;
mod snapshot;
mod status;

use std::future::Future;

use warp::filters::BoxedFilter;
use warp::{Filter, Rejection};

use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reject::recover;
use crate::reply::Response;
use request::Request;

/// What a handler yields: an answer, or the problem that is the answer.
type Answer = Result<Response, Problem>;

/// All routes of the native API.
pub fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let spaces = changes::routes(app)
        .or(records::routes(app))
        .unify()
        .or(conflicts::routes(app))
        .unify()
        .or(snapshot::routes(app))
        .unify()
        .or(status::routes(app))
        .unify()
        .boxed();
    let v1 = warp::path!("v1" / ..).and(spaces.or(auth::routes(app)).unify()).boxed();
    let routes = v1.or(operations::routes(app)).unify().boxed();
    plain_path().and(routes).recover(recover).unify().boxed()
}

/// Lets only paths through that are written in their one way: warp takes `/a/` for `/a`.
fn plain_path() -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::path::full()
        .and_then(|path: warp::path::FullPath| async move {
            let path = path.as_str();
            let is_plain = path == "/" || !(path.ends_with('/') || path.contains("//"));
            if is_plain { Ok(()) } else { Err(warp::reject::not_found()) }
        })
        .untuple_one()
}

/// One resource: a path, and what is done with a request for it.
fn resource<P, F, R>(path: P, app: &App, handler: F) -> BoxedFilter<(Response,)>
where
    P: Filter<Extract = (Vec<String>,), Error = Rejection> + Clone + Send + Sync + 'static,
    F: Fn(App, Vec<String>, Request) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Answer> + Send,
{
    let app = app.clone();
    path.and(request::filter())
        .then(move |segments: Vec<String>, request: Request| {
            let answer = handler(app.clone(), segments, request);
            async move { answer.await.unwrap_or_else(Problem::into_response) }
        })
        .boxed()
}

/// The refusal of a method, with those that would be answered.
fn not_allowed(methods: &'static str) -> Answer {
    Err(Problem::new(Code::MethodNotAllowed).allow(methods))
}
