//! The server as a whole: from a configuration to something that listens, and to its orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sync_core::service::{Service, ServiceBuilder};
use sync_core::{Clock, IdSource, OsIds, SystemClock, TokioHandle};
use tokio::net::TcpListener;

use crate::app::{App, Parts};
use crate::auth::cookie::SessionCookie;
use crate::backend::Backend;
use crate::config::{Config, Hidden};
use crate::control::Control;
use crate::edge::{Around, Edge};
use crate::gate::{Gate, GateLimits};
use crate::identity::{Identity, Post};
use crate::inside::Inside;
use crate::letters::Letters;
use crate::limit::Limiter;
use crate::listen::{ListenLimits, Listener, serve};
use crate::mail::{MailSettings, PostOffice};
use crate::operate::Operator;
use crate::origin::Origin;
use crate::routes::routes;
use crate::stopping::Stopping;
use crate::tls::Tls;

/// A server that is ready to serve: its store is open and its address bound.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sync_core::merge::{CollectionPolicy, PathRule};
/// use sync_core::{Collection, Policies};
/// use sync_server::{Server, config::{Config, Settings}};
/// let settings =
///     Settings { listen: Some("127.0.0.1:0".into()), store: Some("memory:".into()), ..Settings::default() };
/// let mut config = Config::load(settings, |_| None, None)?;
/// let likes = CollectionPolicy::default().with_rule("/n".parse()?, PathRule::Counter);
/// config.policies = Policies::default().with(Collection::new("likes")?, likes); // what the replicas have, too
/// let server = Server::start(config).await?;
/// println!("listening on {}", server.url());
/// server.run(async {}).await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    address: SocketAddr,
    app: App,
    around: Around,
    office: Option<PostOffice>,
    /// Before the store: while that is open, no other process can have taken its place.
    control: Control,
    backend: Backend,
    data: DataRuntime,
}

/// The runtime on which all database work runs, so that it does not queue behind the connections.
#[derive(Debug)]
struct DataRuntime(Option<tokio::runtime::Runtime>);

impl DataRuntime {
    fn start() -> Result<Self, String> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().thread_name("sync-data").enable_all().build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| format!("cannot start the data threads: {error}"))
    }

    fn handle(&self) -> TokioHandle {
        let runtime = self.0.as_ref().expect("it is taken out by drop alone");
        TokioHandle(runtime.handle().clone())
    }
}

impl Drop for DataRuntime {
    fn drop(&mut self) {
        // A runtime must not be waited for within another.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Server {
    /// Opens the store, finds or makes the secret, and binds the address.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the server: what could not be done and why.
    pub async fn start(config: Config) -> Result<Self, String> {
        Self::start_with(config, |service| service).await
    }

    /// As [`start`](Server::start), with rules of the program's own: what may be written, and who may read what.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sync_core::service::Actor;
    /// use sync_core::{RecordKey, json::Json};
    /// use sync_server::{Server, config::{Config, Settings}};
    /// let settings =
    ///     Settings { listen: Some("127.0.0.1:0".into()), store: Some("memory:".into()), ..Settings::default() };
    /// let own_drafts = |actor: &Actor, key: &RecordKey, _: &Json| {
    ///     key.collection.as_str() != "drafts" || key.id.as_str().starts_with(actor.id.as_str())
    /// };
    /// let config = Config::load(settings, |_| None, None)?;
    /// let server = Server::start_with(config, |service| service.scope(own_drafts)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Server::start).
    pub async fn start_with(
        config: Config,
        rules: impl FnOnce(ServiceBuilder) -> ServiceBuilder,
    ) -> Result<Self, String> {
        let (clock, ids): (Arc<dyn Clock>, Arc<dyn IdSource>) = (Arc::new(SystemClock), Arc::new(OsIds));
        let backend = Backend::open_to_serve(&config.store).await?;
        let tls = config.tls.clone().map(|files| Tls::load(files, Arc::clone(&clock))).transpose()?;
        let (socket, address) = bind(config.listen).await?;
        let base_url = config.base_url.clone();
        let base_url = base_url.unwrap_or_else(|| Origin::of_listener(address, tls.is_some()));
        let office = post_office(&config, &base_url, &clock, &ids)?;
        let limiter = Arc::new(limiter(config.rate_limit, &clock, ids.as_ref()));
        let cookie =
            if config.insecure_cookies { SessionCookie::insecure() } else { SessionCookie::default() };
        let data = DataRuntime::start()?;
        let post = office
            .clone()
            .map(|office| -> Arc<dyn Post> { Arc::new(Letters::new(office, base_url.as_str().to_owned())) });
        let inside = Inside::over(&backend, &config, Arc::new(data.handle()), post, rules).await?;
        let Inside { service, identity } = inside;
        let control = Control::open(&config.store);
        let app = App::new(Parts {
            service,
            store: backend.store(),
            identity,
            limiter: Arc::clone(&limiter),
            cookie,
            base_url: base_url.clone(),
            stopping: Stopping::default(),
            body_bytes_max: BODY_BYTES_MAX,
        });
        let gate = GateLimits { body_bytes_max: BODY_BYTES_MAX, ..GateLimits::default() };
        let around = Around {
            gate: Gate::new(gate),
            cors: config.cors,
            proxies: config.trusted_proxies,
            limiter,
            cookie,
            own_origin: Some(base_url),
        };
        let listener = Listener { socket, tls };
        Ok(Self { listener, address, app, around, office, control, backend, data })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address it listens on, with the scheme that is spoken there: `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        let scheme = if self.listener.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The service that answers its requests, for a program that embeds the server and reaches the same spaces itself, by
    /// [`Loopback`](sync_core::transport::Loopback). It must not be used any more when the server has ended: the store
    /// is closed then.
    pub fn service(&self) -> &Service {
        &self.app.service
    }

    /// Every rule about accounts, for a program that embeds the server: to make a code for another device, to invite, to
    /// revoke.
    pub fn identity(&self) -> &Identity {
        &self.app.identity
    }

    /// What an operator may do about users, devices and spaces, for a program that embeds the server and is its console.
    pub fn operator(&self) -> Operator {
        Operator::new(
            self.app.identity.clone(),
            self.app.service.clone(),
            Arc::clone(&self.app.store),
            self.app.base_url.clone(),
        )
    }

    /// Serves until `stop` is ready, answers what is in flight (who waits for a change gets what there is), and closes
    /// the store.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let operator = self.operator();
        let limits = ListenLimits { proxies: self.around.proxies.clone(), ..ListenLimits::default() };
        let limits = limits.within_descriptors();
        let edge = Edge::new(self.around, warp::service(routes(&self.app)));
        let stop = async {
            stop.await;
            self.app.stopping.begin();
        };
        let following = self.listener.tls.clone().map(|tls| tokio::spawn(tls.follow()));
        let last_call = async {
            self.app.stopping.begun().await;
            tokio::time::sleep(LAST_CALL).await;
        };
        let mut last_call = std::pin::pin!(last_call.fuse());
        tokio::select! {
            () = serve(self.listener, limits, edge, stop) => {}
            () = self.app.identity.keep_up() => {}
            () = self.control.serve(operator) => {}
            () = &mut last_call => {}
        }
        tokio::select! {
            () = self.app.sockets().ended(FAREWELL_PAUSE_MAX) => {}
            () = last_call => {}
        }
        self.control.close().await;
        if let Some(following) = following {
            following.abort();
        }
        if let Err(problem) = self.app.identity.write_notes().await {
            tracing::warn!(code = problem.code().as_str(), "could not write down how far devices are");
        }
        if let Some(office) = &self.office {
            office.close().await;
        }
        self.backend.close().await;
        drop(self.data);
    }
}

/// The longest pause between two open connections that end, after requests have been answered. 1 s: they are told when the server
/// begins to stop, and ten thousand need as long for all of them together; who is gone without a word needs more.
const FAREWELL_PAUSE_MAX: Duration = Duration::from_secs(1);

/// When connections are not waited for any more, after the server began to stop. 9 s of the ten that orchestrators wait: the store
/// is still to be closed.
const LAST_CALL: Duration = Duration::from_secs(9);

/// The way letters leave, if there is one.
fn post_office(
    config: &Config,
    base_url: &Origin,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn IdSource>,
) -> Result<Option<PostOffice>, String> {
    let settings = MailSettings {
        smtp_url: config.smtp_url.as_ref().map(Hidden::reveal),
        mail_dir: config.mail_dir.as_deref(),
        mail_from: config.mail_from.as_deref(),
        base_url: base_url.as_str(),
    };
    settings.open(Arc::clone(clock), Arc::clone(ids))
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot tell the bound address: {error}"))?;
    Ok((listener, address))
}

fn limiter(is_on: bool, clock: &Arc<dyn Clock>, ids: &dyn IdSource) -> Limiter {
    let mut secret = [0; 16];
    ids.fill(&mut secret);
    if is_on { Limiter::new(Arc::clone(clock), secret) } else { Limiter::off() }
}

/// Bytes in one body. 8 MiB: a thousand mutations of 8 KiB; the limit of what the library reads as a body.
const BODY_BYTES_MAX: usize = sync_core::json::Limits::BODY.bytes_max;
