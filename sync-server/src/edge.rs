//! The service a connection talks to: the gate and CORS before the routes, the common headers after.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::ORIGIN;
use tower::{Service, ServiceExt};

use crate::cors::Cors;
use crate::gate::Gate;
use crate::problem::{Code, Problem};
use crate::reply::{Response, finish};

/// Everything around the routes, as one cloneable service.
///
/// `S` is `warp::service(routes)` where `routes` is a `BoxedFilter<(Response,)>`: other filters carry
/// lifetimes that a spawned connection cannot.
///
/// ```
/// use sync_server::{cors::Cors, edge::Edge, gate::{Gate, GateLimits}, reject::recover};
/// use warp::{Filter, Reply};
/// let hello = warp::path!("hello").map(|| "hello".into_response()).boxed();
/// let routes = hello.recover(recover).unify().boxed();
/// let edge = Edge::new(Gate::new(GateLimits::default()), Cors::default(), warp::service(routes));
/// # let _ = edge.clone();
/// ```
#[derive(Clone, Debug)]
pub struct Edge<S> {
    around: Arc<(Gate, Cors)>,
    routes: S,
}

impl<S> Edge<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response, Error = Infallible> + Clone,
{
    /// Puts `gate` and `cors` before `routes`.
    pub fn new(gate: Gate, cors: Cors, routes: S) -> Self {
        Self { around: Arc::new((gate, cors)), routes }
    }

    /// Answers one request. A panic in a route is that request's 500, and nobody else's business.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (gate, cors) = &*self.around;
        let origin = request.headers().get(ORIGIN).cloned();
        let method = request.method().clone();
        let mut response = match cors.preflight(request.method(), request.headers()) {
            Some(response) => response,
            None => self.routed(gate, request).await.unwrap_or_else(Problem::into_response),
        };
        if let Some(code) = response.extensions().get::<Code>() {
            // Neither address nor body: they may name people or carry secrets.
            tracing::debug!(%method, status = response.status().as_u16(), code = code.as_str(), "refused");
        }
        cors.mark(origin.as_ref(), &mut response);
        finish(response)
    }

    async fn routed<B>(&self, gate: &Gate, request: Request<B>) -> Result<Response, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let admitted = gate.admit(request).await?;
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
