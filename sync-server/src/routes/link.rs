//! `POST /v1/auth/link`: body `{address, invite?}`. 202 whoever the address belongs to, 503 `mail_unavailable`. A letter
//! with a link goes out by itself; `invite` is for who is not a user yet, where the server takes nobody else.
//!
//! `POST /v1/auth/link/redeem`: body `{token, session?: "cookie" | "token", invite?, device_name?, platform?}`. 200
//! with the cookie set, or with tokens; 400 `link_invalid`.
//!
//! `GET` and `HEAD` of `/link`, `/invite`, `/pair`: the pages that letters and pictures lead to. They use nothing up, and take
//! any query.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use sync_core::Proof;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::grant::granted;
use super::request::{Request, json};
use super::resource::{Answer, Methods, get, post, resource};
use crate::app::App;
use crate::auth::address::MailAddress;
use crate::identity::NewDevice;
use crate::limit::Rule;
use crate::pages::{invite_page, link_page, pair_page};
use crate::problem::Code;
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    first_of([
        resource(warp::path!("auth" / "link").map(Vec::new), app, post(send)),
        resource(warp::path!("auth" / "link" / "redeem").map(Vec::new), app, post(redeem)),
    ])
}

/// What people open in a browser, outside of the API.
pub(super) fn pages(app: &App) -> BoxedFilter<(Response,)> {
    first_of([
        resource(warp::path!("link").map(Vec::new), app, page(|_, _| async { Ok(link_page()) })),
        resource(warp::path!("invite").map(Vec::new), app, page(|_, _| async { Ok(invite_page()) })),
        resource(warp::path!("pair").map(Vec::new), app, page(|_, _| async { Ok(pair_page()) })),
    ])
}

/// Whatever the query: gateways of mail and those who count clicks add theirs. They ask by HEAD, too, whether the link is
/// dead.
fn page<R>(show: fn(App, Request) -> R) -> Methods
where
    R: Future<Output = Answer> + Send + 'static,
{
    get(show).on(Method::HEAD, show)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    address: String,
    invite: Option<String>,
}

/// Nothing is looked up before the answer, so that it tells nothing, neither by its content nor by its time.
async fn send(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Asking = request.decode()?;
    let address = MailAddress::new(&given.address)?;
    app.identity.can_mail()?;
    app.limiter.check(app.limiter.client(Rule::Link, request.client))?;
    tokio::spawn(async move {
        let limiter = &app.limiter;
        if !limiter.allow(limiter.bucket(Rule::LinkMail, address.limit_key())) {
            return tracing::debug!("an address gets no more letters for now");
        }
        if let Err(problem) = app.identity.send_link(&address, given.invite.as_deref()).await {
            tracing::warn!(code = problem.code().as_str(), "could not send a link");
        }
    });
    Ok(json(StatusCode::ACCEPTED, r#"{"sent":true}"#.to_owned()))
}

/// What whoever has the letter wants to show from now on.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    #[default]
    Cookie,
    Token,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeeming {
    token: String,
    #[serde(default)]
    session: Wanted,
    invite: Option<String>,
    device_name: Option<String>,
    platform: Option<String>,
}

async fn redeem(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Redeeming = request.decode()?;
    let device = NewDevice::new(given.device_name.as_deref(), given.platform.as_deref())?;
    let proof = match given.session {
        Wanted::Cookie => Proof::Cookie,
        Wanted::Token => Proof::Refresh,
    };
    let work = app.identity.redeem_link(&given.token, given.invite.as_deref(), proof, &device);
    let bucket = app.limiter.client(Rule::LinkRedeem, request.client);
    let grant = app.guarded(&[bucket], &[Code::LinkInvalid, Code::InviteInvalid], work).await?;
    Ok(granted(&app, StatusCode::OK, &grant))
}
