//! One resource: a path, and what is done for each method it offers.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::Method;
use warp::filters::BoxedFilter;
use warp::{Filter, Rejection};

use super::request::{self, Request};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// What a handler yields: an answer, or the problem that is the answer.
pub(super) type Answer = Result<Response, Problem>;

type Handler = Arc<dyn Fn(App, Request) -> BoxFuture<'static, Answer> + Send + Sync>;

/// The methods of a resource; any other is refused with the list of these.
#[derive(Clone, Default)]
pub(super) struct Methods(Vec<(Method, Handler)>);

/// A resource that can be read.
pub(super) fn get<R>(handler: fn(App, Request) -> R) -> Methods
where
    R: Future<Output = Answer> + Send + 'static,
{
    Methods::default().on(Method::GET, handler)
}

/// A resource that something can be sent to.
pub(super) fn post<R>(handler: fn(App, Request) -> R) -> Methods
where
    R: Future<Output = Answer> + Send + 'static,
{
    Methods::default().on(Method::POST, handler)
}

impl Methods {
    /// Adds a handler.
    pub(super) fn on<R>(mut self, method: Method, handler: fn(App, Request) -> R) -> Self
    where
        R: Future<Output = Answer> + Send + 'static,
    {
        self.0.push((method, Arc::new(move |app, request| Box::pin(handler(app, request)))));
        self
    }

    async fn answer(self, app: App, request: Request) -> Answer {
        match self.0.iter().find(|(method, _)| *method == request.method) {
            Some((_, handler)) => handler(app, request).await,
            None => Err(Problem::new(Code::MethodNotAllowed).allow(&self.allowed())),
        }
    }

    fn allowed(&self) -> String {
        let mut names: Vec<_> = self.0.iter().map(|(method, _)| method.as_str()).collect();
        names.sort_unstable();
        names.join(", ")
    }
}

/// Answers requests for `path`, which yields its parameters.
pub(super) fn resource<P>(path: P, app: &App, methods: Methods) -> BoxedFilter<(Response,)>
where
    P: Filter<Extract = (Vec<String>,), Error = Rejection> + Clone + Send + Sync + 'static,
{
    let app = app.clone();
    request::of(path)
        .then(move |request| {
            let answer = methods.clone().answer(app.clone(), request);
            async { answer.await.unwrap_or_else(Problem::into_response) }
        })
        .boxed()
}
