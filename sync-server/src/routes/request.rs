//! A request as the routes see it, and the answers they give most.

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use sync_core::protocol::decode;
use sync_core::service::Actor;
use sync_core::{NameError, RecordId, SpaceId};
use warp::{Filter, Rejection};

use crate::app::App;
use crate::auth::bearer::bearer;
use crate::client::ClientAddress;
use crate::identity::{Presented, SignedIn};
use crate::problem::{Code, Problem};
use crate::query::{Query, unescape};
use crate::reply::Response;

/// The parts of a request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// From where it comes.
    pub(super) client: ClientAddress,
    /// The socket it came by, if that can be used for something else.
    pub(super) on_upgrade: Option<OnUpgrade>,
    parameters: Vec<String>,
    query: Option<String>,
}

/// The requests for `path`, which yields its parameters.
pub(super) fn of(
    path: impl Filter<Extract = (Vec<String>,), Error = Rejection> + Clone,
) -> impl Filter<Extract = (Request,), Error = Rejection> + Clone {
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    path.and(query)
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::bytes())
        .and(warp::ext::optional())
        .and(warp::ext::optional())
        .map(|parameters, query, method, headers, body, client: Option<ClientAddress>, on_upgrade| {
            let client = client.unwrap_or(ClientAddress::LOCAL);
            Request { method, headers, body, client, on_upgrade, parameters, query }
        })
}

impl Request {
    /// The query, of which the route knows these parameters.
    pub(super) fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        Query::parse(self.query.as_deref(), known)
    }

    /// The body as a value of ours.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        Ok(decode(&self.body)?)
    }

    /// What it shows of itself: the token in its head, or else the cookie of a browser.
    pub(super) fn presented(&self, app: &App) -> Result<Presented<'_>, Problem> {
        if !self.headers.contains_key(AUTHORIZATION)
            && let Some(token) = app.cookie.token(&self.headers)?
        {
            return Ok(Presented::Cookie(token));
        }
        bearer(&self.headers).map(Presented::Bearer)
    }

    /// Whether it shows nothing of itself.
    pub(super) fn is_anonymous(&self, app: &App) -> bool {
        !self.headers.contains_key(AUTHORIZATION) && !app.cookie.is_sent(&self.headers)
    }

    /// Who asks.
    pub(super) async fn signed_in(&self, app: &App) -> Result<SignedIn, Problem> {
        app.identity.signed_in(self.presented(app)?).await
    }

    /// Who asks, as a member of the space that is the first parameter of the path. Who they are comes before whether there
    /// is such a space.
    pub(super) async fn at_work(&self, app: &App) -> Result<(SignedIn, Actor, SpaceId), Problem> {
        let presented = self.presented(app)?;
        match self.space() {
            Ok(space) => {
                let (who, actor) = app.identity.at_work(presented, &space).await?;
                Ok((who, actor, space))
            }
            Err(invalid) => app.identity.signed_in(presented).await.and(Err(invalid)),
        }
    }

    /// As [`at_work`](Request::at_work), where it does not matter on which device.
    pub(super) async fn member(&self, app: &App) -> Result<(Actor, SpaceId), Problem> {
        let (_, actor, space) = self.at_work(app).await?;
        Ok((actor, space))
    }

    /// The space that is the first parameter of the path.
    pub(super) fn space(&self) -> Result<SpaceId, Problem> {
        SpaceId::new(self.raw(0)).map_err(|error| invalid_id(&error.to_string()))
    }

    /// A parameter of the path as a name; one that cannot exist is `invalid_id`.
    pub(super) fn name<T>(&self, idx: usize, read: fn(String) -> Result<T, NameError>) -> Result<T, Problem> {
        let text = unescape(self.raw(idx))
            .ok_or_else(|| invalid_id("a part of the path is not percent-encoded UTF-8"))?;
        read(text).map_err(|error| invalid_id(&error.to_string()))
    }

    /// A parameter of the path as the id of a record.
    pub(super) fn record_id(&self, idx: usize) -> Result<RecordId, Problem> {
        self.name(idx, RecordId::new)
    }

    fn raw(&self, idx: usize) -> &str {
        self.parameters.get(idx).map_or("", String::as_str)
    }
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer with the JSON form of a value of ours.
pub(super) fn json_of(value: &impl serde::Serialize) -> Response {
    json(StatusCode::OK, serde_json::to_string(value).expect("our own types have a JSON form"))
}

/// An answer that says that it is done, and nothing else.
pub(super) fn no_content() -> Response {
    let mut response = Response::new("".into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The refusal of a name that nothing can have.
pub(super) fn invalid_id(why: &str) -> Problem {
    Problem::new(Code::InvalidId).detail(why)
}
