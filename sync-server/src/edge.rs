//! The service a connection talks to: who asks, the gate and CORS before the routes, the common headers after.

mod same_site;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderValue, ORIGIN, STRICT_TRANSPORT_SECURITY};
use tower::{Service, ServiceExt};

use crate::auth::cookie::SessionCookie;
use crate::client::{ClientAddress, TrustedProxies};
use crate::cors::Cors;
use crate::gate::Gate;
use crate::limit::{Limiter, Rule};
use crate::origin::Origin;
use crate::problem::{Code, Problem};
use crate::reply::{Response, finish};

/// For how long browsers ask for this host over TLS alone: a year, and for this host alone, as others of its domain are not
/// ours to decide about.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// What stands around the routes. Each part does by default what is right for a server that was told nothing.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// What a request must pass.
    pub gate: Gate,
    /// Which other sites may call.
    pub cors: Cors,
    /// Who is believed about where a request comes from.
    pub proxies: TrustedProxies,
    /// How many requests one address may send.
    pub limiter: Arc<Limiter>,
    /// The cookie by which browsers sign in: with it, a request must come from a page of ours to change anything.
    pub cookie: SessionCookie,
    /// The origin of our own pages; when it is https, browsers are told to stay with that. Those that [`cors`](Self::cors)
    /// lists are ours, too.
    pub own_origin: Option<Origin>,
}

/// Everything around the routes, as one cloneable service.
///
/// A request that reaches a route carries its [`ClientAddress`] in its extensions, found from the [`SocketAddr`] of its peer,
/// which the listener puts there; without one it counts as this machine's.
///
/// `S` is `warp::service(routes)` where `routes` is a `BoxedFilter<(Response,)>`: other filters carry
/// lifetimes that a spawned connection cannot.
///
/// ```
/// use sync_server::{edge::{Around, Edge}, reject::recover};
/// use warp::{Filter, Reply};
/// let hello = warp::path!("hello").map(|| "hello".into_response()).boxed();
/// let routes = hello.recover(recover).unify().boxed();
/// let edge = Edge::new(Around::default(), warp::service(routes));
/// # let _ = edge.clone();
/// ```
#[derive(Clone, Debug)]
pub struct Edge<S> {
    around: Arc<Around>,
    routes: S,
}

impl<S> Edge<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response, Error = Infallible> + Clone,
{
    /// Puts these parts around `routes`.
    pub fn new(around: Around, routes: S) -> Self {
        Self { around: Arc::new(around), routes }
    }

    /// Answers one request. A panic in a route is that request's 500, and nobody else's business.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let cors = &self.around.cors;
        let origin = request.headers().get(ORIGIN).cloned();
        let method = request.method().clone();
        let mut response = self.routed(request).await.unwrap_or_else(Problem::into_response);
        if let Some(code) = response.extensions().get::<Code>() {
            // Neither address nor body: they may name people or carry secrets.
            tracing::debug!(%method, status = response.status().as_u16(), code = code.as_str(), "refused");
        }
        cors.mark(origin.as_ref(), &mut response);
        if self.around.own_origin.as_ref().is_some_and(Origin::is_https) {
            let policy = HeaderValue::from_static(TRANSPORT_SECURITY);
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, policy);
        }
        finish(response)
    }

    async fn routed<B>(&self, mut request: Request<B>) -> Result<Response, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let client = self.client(&request);
        request.extensions_mut().insert(client);
        let around = &self.around;
        // Before anything is read or looked up. The rest of a request that is refused is not read, either.
        around.limiter.check(around.limiter.client(Rule::Request, client)).map_err(Problem::close)?;
        let (method, headers) = (request.method(), request.headers());
        if let Some(response) = around.cors.preflight(method, headers) {
            return Ok(response);
        }
        same_site::check(method, headers, around.cookie, around.own_origin.as_ref(), &around.cors)
            .map_err(Problem::close)?;
        let admitted = around.gate.admit(request).await?;
        let routes = self.routes.clone();
        let answered = AssertUnwindSafe(async { routes.oneshot(admitted.request).await });
        match answered.catch_unwind().await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(never)) => match never {},
            Err(_) => {
                tracing::error!("a route panicked");
                Err(Code::Internal.into())
            }
        }
    }

    fn client<B>(&self, request: &Request<B>) -> ClientAddress {
        match request.extensions().get::<SocketAddr>() {
            Some(peer) => self.around.proxies.client(peer.ip(), request.headers()),
            None => ClientAddress::LOCAL,
        }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Edge<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move { Ok(edge.answer(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::{Filter, Reply};

    async fn answer(own_origin: Option<&str>, origin: &str) -> Response {
        let hello = warp::path!("hello").map(|| "hello".into_response()).boxed();
        let routes = hello.recover(crate::reject::recover).unify().boxed();
        let cors = Cors::new(&["https://app.example".into()]).unwrap();
        let own_origin = own_origin.map(|origin| origin.parse().unwrap());
        let edge = Edge::new(Around { cors, own_origin, ..Around::default() }, warp::service(routes));
        let request = Request::builder().uri("/hello").header("host", "h").header(ORIGIN, origin);
        edge.answer(request.body(Full::<Bytes>::default()).unwrap()).await
    }

    #[tokio::test]
    async fn browsers_are_held_to_tls_where_there_is_tls() {
        for (own, expected) in
            [(Some("https://sync.example"), true), (Some("http://sync.example"), false), (None, false)]
        {
            let answer = answer(own, "null").await;
            assert_eq!(answer.headers().contains_key(STRICT_TRANSPORT_SECURITY), expected, "{own:?}");
        }
    }

    #[tokio::test]
    async fn only_who_may_read_an_answer_may_load_it() {
        for (origin, expected) in [
            ("https://app.example", "cross-origin"),
            ("https://evil.example", "same-origin"),
            ("null", "same-origin"),
        ] {
            let answer = answer(None, origin).await;
            assert_eq!(answer.status(), 200);
            let policies: Vec<_> = answer.headers().get_all("cross-origin-resource-policy").iter().collect();
            assert_eq!(policies, [expected], "{origin}");
        }
    }
}
