//! The routes: what is asked, translated to one call of the service, and its outcome translated back.
//!
//! One small file per resource, whose first lines name its routes. Requests are taken apart in `request`; refusals of
//! the service become problems in [`crate::refusal`].

mod auth;
mod changes;
mod conflicts;
mod devices;
mod grant;
mod link;
mod live;
mod me;
mod members;
mod operations;
mod pairings;
mod records;
mod request;
mod resource;
mod snapshot;
mod spaces;
mod status;
mod trees;

use warp::Filter;
use warp::filters::BoxedFilter;

use crate::app::App;
use crate::reject::recover;
use crate::reply::Response;

/// All routes of the native API.
pub fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let v1 = first_of([
        changes::routes(app),
        records::routes(app),
        conflicts::routes(app),
        snapshot::routes(app),
        status::routes(app),
        trees::routes(app),
        auth::routes(app),
        link::routes(app),
        live::routes(app),
        devices::routes(app),
        pairings::routes(app),
        spaces::routes(app),
        members::routes(app),
        me::routes(app),
    ]);
    let v1 = warp::path!("v1" / ..).and(v1).boxed();
    first_of([v1, link::pages(app), operations::routes(app)]).recover(recover).unify().boxed()
}

/// The first of some routes whose path fits.
fn first_of<const N: usize>(routes: [BoxedFilter<(Response,)>; N]) -> BoxedFilter<(Response,)> {
    let joined = routes.into_iter().reduce(|some, next| some.or(next).unify().boxed());
    joined.expect("a list of routes has at least one")
}
