//! Registering when the store cannot say whether the user was written.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use sync_core::service::Service;
use sync_core::store::MemoryStore;
use sync_core::{
    Accounts, ActorId, Change, Changed, Credential, CredentialId, Error, ErrorKind, Holder, LookedUp,
    Notices, OsIds, Result, Role, SpaceId, SpaceInfo, Synced, SystemClock, TokioRuntime, User,
};
use sync_server::app::{App, Parts};
use sync_server::auth::cookie::SessionCookie;
use sync_server::auth::password::{HashCost, Passwords};
use sync_server::auth::registration::Registration;
use sync_server::auth::secret::JwtSecret;
use sync_server::auth::token::Tokens;
use sync_server::identity::{self, Identity, Rights, SyncNotes};
use sync_server::limit::Limiter;
use sync_server::routes::routes;
use sync_server::stopping::Stopping;
use tower::ServiceExt;

/// Writes users, and then says that it does not know.
#[derive(Debug)]
struct Uncertain(MemoryStore);

#[async_trait]
impl Accounts for Uncertain {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        let changed = self.0.change(changes).await?;
        match changes.iter().any(|change| matches!(change, Change::CreateUser(_))) {
            true => Err(Error::new(ErrorKind::Unavailable, "the connection was lost during the commit")),
            false => Ok(changed),
        }
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        self.0.users(after, limit).await
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        self.0.user(id).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        self.0.user_by_name(name_key).await
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        self.0.user_by_address(address).await
    }

    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp> {
        self.0.look_up(credentials, roles).await
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        self.0.spaces_of(actor, after, limit).await
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        self.0.members(space, after, limit).await
    }

    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
        self.0.space_infos(spaces).await
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        self.0.credentials(holder, after, limit).await
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        self.0.synced(devices, limit).await
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        self.0.notices(after).await
    }
}

fn app() -> App {
    let store = MemoryStore::default();
    let secret = JwtSecret::given("0123456789abcdefghijklmnopqrstuvwxyz").unwrap();
    let accounts: Arc<dyn Accounts> = Arc::new(Uncertain(store.clone()));
    let service = Service::new(Arc::new(store.clone()), Arc::new(TokioRuntime));
    let identity = Identity::new(identity::Parts {
        accounts: Arc::clone(&accounts),
        service: service.clone(),
        tokens: Tokens::new(&secret, 60),
        token_lifetime_s: 60,
        passwords: Passwords::new(HashCost::default()).unwrap(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(OsIds),
        rights: Arc::new(Rights::new(accounts, false)),
        synced: SyncNotes::default(),
        registration: Registration::Open,
        post: None,
    });
    App::new(Parts {
        service,
        store: Arc::new(store),
        identity,
        limiter: Arc::new(Limiter::off()),
        cookie: SessionCookie::default(),
        base_url: "https://sync.example".parse().unwrap(),
        stopping: Stopping::default(),
        body_bytes_max: 1 << 20,
    })
}

async fn ask(app: &App, request: hyper::http::request::Builder, body: String) -> (u16, Value) {
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answer = warp::service(routes(app)).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_user_of_whom_nobody_knows_whether_they_exist_keeps_their_space() {
    let app = app();
    let credentials = json!({"username": "ada", "password": "correct horse"}).to_string();
    let post = |path| hyper::Request::post(path).header("content-type", "application/json");
    let (status, _) = ask(&app, post("/v1/auth/register"), credentials.clone()).await;
    assert_eq!(status, 503);
    let (status, told) = ask(&app, post("/v1/auth/login"), credentials).await;
    assert_eq!(status, 200, "{told}");
    let path = format!("/v1/spaces/{}/changes", told["space"].as_str().unwrap());
    let token = format!("Bearer {}", told["access_token"].as_str().unwrap());
    let (status, page) =
        ask(&app, hyper::Request::get(path).header("authorization", token), String::new()).await;
    assert_eq!(status, 200, "{page}");
}
