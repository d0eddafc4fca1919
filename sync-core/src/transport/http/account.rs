//! Signing in, and asking a server what it holds.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::HttpTransport;
use super::answer::{Answer, JSON};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::{IdSource, OsIds};
use crate::pairing::PairingCode;
use crate::session::Session;
use crate::state_hash::StateHash;
use crate::types::{ActorId, CredentialId, SpaceId};

/// What every way in answers. Exactly one of the two tokens is there.
#[derive(Deserialize)]
struct SignedInWire {
    user: UserWire,
    space: SpaceId,
    device: Option<CredentialId>,
    access_token: Option<String>,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
    device_token: Option<String>,
}

#[derive(Deserialize)]
struct WaitingWire {
    claim: String,
}

#[derive(Deserialize)]
struct UserWire {
    id: ActorId,
    username: String,
}

#[derive(Deserialize)]
struct StatusWire {
    state_hash: StateHash,
}

impl HttpTransport {
    /// Creates an account and signs requests with its token from now on, as [`login`](Self::login) does.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when the name is taken (code `username_taken`) or name or password break a rule,
    /// and as any request.
    pub async fn register(&self, username: &str, password: &str) -> Result<Session> {
        self.sign_in("/v1/auth/register", username, password).await
    }

    /// Signs in and signs requests with the token from now on. The session that is returned is for keeping: the next start
    /// makes a transport [from it](Self::from_session).
    ///
    /// On a transport in use this is how the same user signs in again; [`wake`](crate::replica::Replica::wake) then makes a
    /// replica that runs try at once. Another user needs a transport and a replica of their own. If they sign in here all
    /// the same, their rights hold for everything that uses this transport: a replica of a space that they may not see
    /// has no access and keeps what it has; to one that they may write, edits which still wait go in their name.
    ///
    /// ```no_run
    /// # use sync_core::replica::Replica;
    /// # async fn example(notes: Replica) -> Result<(), Box<dyn std::error::Error>> {
    /// use sync_core::{Session, transport::HttpTransport};
    /// let server = HttpTransport::new("http://127.0.0.1:8080", None)?;
    /// let session: Session = server.login("ada", "correct horse").await?;
    /// std::fs::write("session.json", serde_json::to_vec(&session)?)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Unauthorized`](ErrorKind::Unauthorized) with code `invalid_credentials` when name or password are wrong, and as
    /// any request.
    pub async fn login(&self, username: &str, password: &str) -> Result<Session> {
        self.sign_in("/v1/auth/login", username, password).await
    }

    /// The canonical hash of all records of a space, as the server has them. It reads them all: not for every day.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn state_hash(&self, space: &SpaceId) -> Result<StateHash> {
        let request =
            self.request(Method::GET, &format!("/v1/spaces/{space}/status?hash=true"), JSON, String::new())?;
        let status: StatusWire = read(self.fetch(request, Duration::ZERO).await?)?;
        Ok(status.state_hash)
    }

    /// Trades the refresh token of a session for the next tokens, and signs requests with them from now on. It is time when
    /// [`expires_at`](Session::expires_at) is near, or after an error of kind [`Unauthorized`](ErrorKind::Unauthorized) with
    /// code `token_expired`.
    ///
    /// Save the session that is returned: the old refresh token is spent. When the answer was lost, or the app ended before
    /// it could save, renewing the old session again is fine, and yields the same refresh token, until that is used. One that
    /// comes back later has been copied, and the server signs the device out.
    ///
    /// ```no_run
    /// # async fn example(server: sync_core::transport::HttpTransport, session: sync_core::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// let session = server.renew(&session).await?;
    /// std::fs::write("session.json", serde_json::to_vec(&session)?)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a session that has no refresh token, as that of a paired device: its token stays.
    /// [`Unauthorized`](ErrorKind::Unauthorized) when its user has to sign in again; and as any request.
    pub async fn renew(&self, session: &Session) -> Result<Session> {
        let token = session.refresh_token.as_deref();
        let token =
            token.ok_or_else(|| Error::invalid("invalid_token", "the session has no refresh token"))?;
        let body = json!({"refresh_token": token, "exchange": session.exchange}).to_string();
        self.enter("/v1/auth/refresh", body).await
    }

    /// Signs out: the server forgets the device, and so does this transport. What a replica has not sent stays where it is.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn sign_out(&self) -> Result<()> {
        let request = self.request(Method::POST, "/v1/auth/logout", JSON, String::new())?;
        match self.fetch(request, Duration::ZERO).await? {
            Answer::Problem(problem) => Err(problem.into_error()),
            Answer::Done(_) | Answer::Begun(_) | Answer::Nothing => self.set_token(None),
        }
    }

    /// Makes this device one of whoever shows the code. Ask the person first whether
    /// [that server](PairingCode::server) is the one they mean.
    ///
    /// ```no_run
    /// # async fn example(scanned: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// use sync_core::transport::{HttpTransport, Paired};
    /// use sync_core::PairingCode;
    /// let (server, mut paired) = HttpTransport::pair(&PairingCode::parse(scanned)?, "Ada's phone").await?;
    /// let session = loop {
    ///     match paired {
    ///         Paired::SignedIn(session) => break session,
    ///         Paired::Waiting { claim } => {
    ///             tokio::time::sleep(std::time::Duration::from_secs(2)).await; // until Ada agrees
    ///             paired = server.paired(&claim).await?;
    ///         }
    ///     }
    /// };
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) with code `pairing_invalid` when the code was used, is too old or was never one; and as
    /// any request.
    pub async fn pair(code: &PairingCode, device_name: &str) -> Result<(Self, Paired)> {
        let transport = Self::new(code.server(), None)?;
        let body = json!({"token": code.token(), "device_name": device_name}).to_string();
        let paired = transport.redeem(body).await?;
        Ok((transport, paired))
    }

    /// Asks whether a pairing was agreed to. Not more often than every second.
    ///
    /// # Errors
    ///
    /// As [`pair`](Self::pair); `pairing_invalid` also says that it was refused.
    pub async fn paired(&self, claim: &str) -> Result<Paired> {
        self.redeem(json!({"claim": claim}).to_string()).await
    }

    async fn redeem(&self, body: String) -> Result<Paired> {
        let request = self.request(Method::POST, "/v1/pairings/redeem", JSON, body)?;
        match self.fetch(request, Duration::ZERO).await? {
            Answer::Begun(body) => {
                let WaitingWire { claim } = parse(&body)?;
                Ok(Paired::Waiting { claim })
            }
            answer => Ok(Paired::SignedIn(Box::new(self.signed_in(read(answer)?)?))),
        }
    }

    async fn sign_in(&self, path: &str, username: &str, password: &str) -> Result<Session> {
        self.enter(path, json!({"username": username, "password": password}).to_string()).await
    }

    async fn enter(&self, path: &str, body: String) -> Result<Session> {
        let request = self.request(Method::POST, path, JSON, body)?;
        self.signed_in(read(self.fetch(request, Duration::ZERO).await?)?)
    }

    fn signed_in(&self, wire: SignedInWire) -> Result<Session> {
        let SignedInWire { user, space, device, access_token, expires_in, refresh_token, device_token } =
            wire;
        let token = access_token.or(device_token);
        let token =
            token.ok_or_else(|| Error::new(ErrorKind::Distrusted, "the server signed in without a token"))?;
        self.set_token(Some(&token))?;
        let expires_at = expires_in
            .map_or(Timestamp::MAX, |seconds| self.clock.now().saturating_add(Duration::from_secs(seconds)));
        Ok(Session {
            server: self.address.to_string(),
            user: user.id,
            username: user.username,
            space,
            token,
            expires_at,
            device,
            exchange: refresh_token.is_some().then(|| OsIds.new_id()),
            refresh_token,
        })
    }
}

/// What became of a pairing, for the device that wants in.
#[derive(Clone, Debug)]
pub enum Paired {
    /// It is in.
    SignedIn(Box<Session>),
    /// Whoever showed the code has to agree first. Ask again with this claim, which is a secret.
    Waiting {
        /// What to ask with.
        claim: String,
    },
}

fn read<T: for<'de> Deserialize<'de>>(answer: Answer) -> Result<T> {
    parse(&answer.into_content()?)
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::Distrusted, "the answer of the server cannot be read").with_source(error)
    })
}
