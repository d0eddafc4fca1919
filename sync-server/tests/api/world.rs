//! A server without sockets: the edge over the routes over a store, with a clock and ids that repeat.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use postgres_testing::Cluster;
use sync_core::service::{Limits, Service};
use sync_core::store::{MemoryStore, Store};
use sync_core::{Accounts, Clock, ManualClock, SeededIds, Timestamp, TokioRuntime};
use sync_server::app::{App, Parts};
use sync_server::auth::address::MailAddress;
use sync_server::auth::cookie::SessionCookie;
use sync_server::auth::password::{HashCost, Passwords};
use sync_server::auth::registration::Registration;
use sync_server::auth::secret::JwtSecret;
use sync_server::auth::token::Tokens;
use sync_server::edge::{Around, Edge};
use sync_server::gate::{Gate, GateLimits};
use sync_server::identity::{self, Identity, Post, Rights, SyncNotes};
use sync_server::limit::Limiter;
use sync_server::reply::Response;
use sync_server::routes::routes;
use sync_store_postgres::{PostgresOptions, PostgresStore};
use sync_store_sqlite::SqliteStore;

/// What signs the tokens of these tests.
pub(crate) const SECRET: &str = "Vb3kq0ZyT8mXr5Lw2Nc7Ju1Gd6Hs9Ea4";

/// How long tokens live, in seconds.
pub(crate) const LIFETIME_S: u32 = 3600;

/// The first of January 2026, when these tests begin.
pub(crate) const START_US: i64 = 1_767_225_600_000_000;

/// Hashing at almost no cost; what it costs in earnest is tested where it matters.
pub(crate) const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

type Ask = Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Response> + Send + Sync>;

/// A server and what the tests may change about it.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) tokens: Tokens,
    pub(crate) letters: Arc<Letters>,
    pub(crate) clock: Arc<ManualClock>,
    ask: Ask,
    /// Where the data is, deleted with the world.
    home: Option<Box<dyn Any>>,
}

/// The letters that would have been sent: to whom, and the token in it.
#[derive(Debug, Default)]
pub(crate) struct Letters(Mutex<Vec<(String, String)>>);

impl Letters {
    /// The letters that an address got, oldest first.
    pub(crate) fn to(&self, address: &str) -> Vec<String> {
        let letters = self.0.lock().unwrap();
        letters.iter().filter(|(to, _)| to == address).map(|(_, token)| token.clone()).collect()
    }

    /// How many letters there are.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn add(&self, address: &str, token: &str) {
        self.0.lock().unwrap().push((address.to_owned(), token.to_owned()));
    }
}

impl Post for Letters {
    fn sign_in_link(&self, to: &MailAddress, token: &str, _: Duration) {
        self.add(to.normal(), token);
    }

    fn invite(&self, to: &MailAddress, token: &str, _: Duration) {
        self.add(to.normal(), token);
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl World {
    pub(crate) fn memory() -> Self {
        let store = MemoryStore::default();
        Self::over(Arc::new(store.clone()), Arc::new(store), CHEAP, None)
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_dir(&folder.path().join("data")).await.unwrap();
        Self::over(Arc::new(store.clone()), Arc::new(store), CHEAP, Some(Box::new(folder)))
    }

    /// On a database that endangers no data, so that `/ready` has no more to say than over the other stores. `None` where
    /// there is no Postgres.
    pub(crate) async fn postgres() -> Option<Self> {
        let cluster = Cluster::start(&[("fsync", "on"), ("full_page_writes", "on")])?;
        let options = PostgresOptions::from_url(&cluster.url()).unwrap();
        let store = PostgresStore::open(options).await.unwrap();
        Some(Self::over(Arc::new(store.clone()), Arc::new(store), CHEAP, Some(Box::new(cluster))))
    }

    /// A world whose hashes cost something.
    pub(crate) fn with_hash_cost(cost: HashCost) -> Self {
        let store = MemoryStore::default();
        Self::over(Arc::new(store.clone()), Arc::new(store), cost, None)
    }

    /// A world that takes new users in another way, and limits what is asked as a server does.
    pub(crate) fn strict(registration: Registration) -> Self {
        let store = MemoryStore::default();
        Self::strict_over(Arc::new(store.clone()), Arc::new(store), CHEAP, registration)
    }

    /// As [`strict`](World::strict), over this store and with hashes that cost this much.
    pub(crate) fn strict_over(
        store: Arc<dyn Store>,
        accounts: Arc<dyn Accounts>,
        cost: HashCost,
        registration: Registration,
    ) -> Self {
        let limiter = |clock: Arc<ManualClock>| Limiter::new(clock, [7; 16]);
        Self::built(store, accounts, cost, None, registration, limiter, true)
    }

    /// A world from which no letter leaves.
    pub(crate) fn without_mail() -> Self {
        let store = MemoryStore::default();
        let limiter = |_| Limiter::off();
        Self::built(Arc::new(store.clone()), Arc::new(store), CHEAP, None, Registration::Open, limiter, false)
    }

    pub(crate) fn over(
        store: Arc<dyn Store>,
        accounts: Arc<dyn Accounts>,
        cost: HashCost,
        home: Option<Box<dyn Any>>,
    ) -> Self {
        Self::built(store, accounts, cost, home, Registration::Open, |_| Limiter::off(), true)
    }

    fn built(
        store: Arc<dyn Store>,
        accounts: Arc<dyn Accounts>,
        cost: HashCost,
        home: Option<Box<dyn Any>>,
        registration: Registration,
        limiter: impl FnOnce(Arc<ManualClock>) -> Limiter,
        mails: bool,
    ) -> Self {
        super::log::start();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START_US).unwrap()));
        // Two servers on one store must not mint the same ids.
        let ids = Arc::new(SeededIds::new(if registration == Registration::Open { 7 } else { 8 }));
        let rights = Arc::new(Rights::new(Arc::clone(&accounts), false));
        let service = Service::builder(Arc::clone(&store), Arc::new(TokioRuntime))
            .clock(clock.clone())
            .ids(ids.clone())
            .limits(Limits::default())
            .roles(rights.clone())
            .build();
        let body_bytes_max = sync_core::json::Limits::BODY.bytes_max;
        let tokens = Tokens::new(&JwtSecret::given(SECRET).unwrap(), LIFETIME_S);
        let letters = Arc::new(Letters::default());
        let limiter = Arc::new(limiter(clock.clone()));
        let identity = Identity::new(identity::Parts {
            accounts: Arc::clone(&accounts),
            service: service.clone(),
            tokens: tokens.clone(),
            token_lifetime_s: LIFETIME_S,
            passwords: Passwords::new(cost).unwrap(),
            clock: clock.clone(),
            ids,
            rights,
            synced: SyncNotes::default(),
            registration,
            post: mails.then(|| letters.clone() as Arc<dyn Post>),
        });
        let app = App::new(Parts {
            service,
            store,
            identity,
            limiter: Arc::clone(&limiter),
            cookie: SessionCookie::default(),
            base_url: "https://sync.example".parse().unwrap(),
            stopping: Default::default(),
            body_bytes_max,
        });
        let gate = Gate::new(GateLimits { body_bytes_max, ..GateLimits::default() });
        // The requests below name the host `h`. Without TLS, as answers would tell browsers to stay with it.
        let own_origin = Some("http://h".parse().unwrap());
        let around = Around { gate, limiter, own_origin, ..Around::default() };
        let edge = Edge::new(around, warp::service(routes(&app)));
        let ask: Ask = Box::new(move |request| {
            let edge = edge.clone();
            Box::pin(async move { edge.answer(request).await })
        });
        Self { app, accounts, tokens, letters, clock, ask, home }
    }

    /// Whether its data is in a database.
    pub(crate) fn is_database(&self) -> bool {
        self.home.is_some()
    }

    /// The time in seconds.
    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now().as_micros() / 1_000_000
    }

    /// The newest letter to an address, as soon as it is there: letters leave after the answer.
    pub(crate) async fn letter(&self, address: &str) -> String {
        self.nth_letter(address, 1).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (parts, body) = (self.ask)(request).await.into_parts();
        // A stream that is cut on purpose ends in an error; none of these tests does that.
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// As [`letter`](World::letter), as soon as there are `n` of them.
    pub(crate) async fn nth_letter(&self, address: &str, n: usize) -> String {
        for _ in 0..10_000 {
            let letters = self.letters.to(address);
            if let Some(newest) = letters.last().filter(|_| letters.len() >= n) {
                return newest.clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{address} got no letter");
    }

    /// Lets what goes on in the background come to its end, over the memory store.
    pub(crate) async fn quiet(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// As [`ask`](World::ask), from another machine.
    pub(crate) async fn ask_from(
        &self,
        ip: &str,
        ask: &str,
        token: Option<&str>,
        body: Option<&str>,
    ) -> Answer {
        let mut asked = asking(ask, token, body);
        asked.extensions_mut().insert(SocketAddr::new(ip.parse().unwrap(), 40_000));
        self.send(asked).await
    }

    /// Sends `GET /path` or `POST /path` with a token and a JSON body, where there are any.
    pub(crate) async fn ask(&self, ask: &str, token: Option<&str>, body: Option<&str>) -> Answer {
        self.send(asking(ask, token, body)).await
    }
}

/// A request with a token and a JSON body, where there are any.
pub(crate) fn asking(ask: &str, token: Option<&str>, body: Option<&str>) -> Request<Full<Bytes>> {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("h"));
    if let Some(token) = token {
        headers.insert("authorization", HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    }
    if body.is_some() {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
    }
    request(ask, headers, body.map(|body| Bytes::from(body.to_owned())))
}

/// Puts a request together; `ask` is a method and an address.
pub(crate) fn request(ask: &str, headers: HeaderMap, body: Option<Bytes>) -> Request<Full<Bytes>> {
    let (method, address) = ask.split_once(' ').unwrap();
    let mut request = Request::new(Full::new(body.unwrap_or_default()));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    *request.uri_mut() = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
    *request.headers_mut() = headers;
    request
}

/// Adds a header; a name that starts with `-` removes one.
pub(crate) fn set_header(headers: &mut HeaderMap, name: &str, value: &str, is_first: bool) {
    let name_of = |name: &str| HeaderName::try_from(name).unwrap();
    if let Some(name) = name.strip_prefix('-') {
        headers.remove(name_of(name));
        return;
    }
    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
    if is_first {
        headers.insert(name_of(name), value);
    } else {
        headers.append(name_of(name), value);
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The member `name` of the body, as text without quotes.
    pub(crate) fn member(&self, name: &str) -> String {
        match &self.json()[name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}
