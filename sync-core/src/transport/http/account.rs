//! Signing in, and asking a server what it holds.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::HttpTransport;
use super::answer::{Answer, JSON};
use crate::error::{Error, ErrorKind, Result};
use crate::state_hash::StateHash;
use crate::types::{ActorId, SpaceId};

/// What signing in yields. The token itself stays in the transport; [`HttpTransport::token`] hands it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who was signed in.
    pub user: ActorId,
    /// Their personal space.
    pub space: SpaceId,
    /// How long the token lives.
    pub expires_in: Duration,
}

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
}

#[derive(Deserialize)]
struct StatusWire {
    state_hash: StateHash,
}

impl HttpTransport {
    /// Creates an account and signs requests with its token from now on.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when the name is taken or name or password break a rule, and as any request.
    pub async fn register(&self, username: &str, password: &str) -> Result<SignedIn> {
        self.sign_in("/v1/auth/register", username, password).await
    }

    /// Signs in and signs requests with the token from now on.
    ///
    /// # Errors
    ///
    /// [`Unauthorized`](ErrorKind::Unauthorized) when name or password are wrong, and as any request.
    pub async fn login(&self, username: &str, password: &str) -> Result<SignedIn> {
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

    async fn sign_in(&self, path: &str, username: &str, password: &str) -> Result<SignedIn> {
        let body = json!({"username": username, "password": password}).to_string();
        let request = self.request(Method::POST, path, JSON, body)?;
        let signed_in: SignedInWire = read(self.fetch(request, Duration::ZERO).await?)?;
        self.set_token(Some(&signed_in.access_token))?;
        let expires_in = Duration::from_secs(signed_in.expires_in);
        Ok(SignedIn { user: signed_in.user.id, space: signed_in.space, expires_in })
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
