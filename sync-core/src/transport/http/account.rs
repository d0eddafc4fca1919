//! Signing in, and asking a server what it holds.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::HttpTransport;
use super::answer::{Answer, JSON};
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use crate::state_hash::StateHash;
use crate::types::{ActorId, SpaceId};

#[derive(Deserialize)]
struct SignedInWire {
    user: UserWire,
    space: SpaceId,
    access_token: String,
    expires_in: u64,
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

    async fn sign_in(&self, path: &str, username: &str, password: &str) -> Result<Session> {
        let body = json!({"username": username, "password": password}).to_string();
        let request = self.request(Method::POST, path, JSON, body)?;
        let signed_in: SignedInWire = read(self.fetch(request, Duration::ZERO).await?)?;
        self.set_token(Some(&signed_in.access_token))?;
        Ok(Session {
            server: self.address.to_string(),
            user: signed_in.user.id,
            username: signed_in.user.username,
            space: signed_in.space,
            token: signed_in.access_token,
            expires_at: self.clock.now().saturating_add(Duration::from_secs(signed_in.expires_in)),
        })
    }
}

fn read<T: for<'de> Deserialize<'de>>(answer: Answer) -> Result<T> {
    match answer {
        Answer::Problem(problem) => Err(problem.into_error()),
        Answer::Done(body) => serde_json::from_slice(&body).map_err(|error| {
            Error::new(ErrorKind::Distrusted, "the answer of the server cannot be read").with_source(error)
        }),
    }
}
