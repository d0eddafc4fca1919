//! Those who follow, as they are seen from where the bench is run: users, and the process of their connections.

use std::net::SocketAddr;

use hyper::Method;

use crate::client::Client;
use crate::measure::Delivered;
use crate::program::Program;
use crate::subject::register;

/// Connections of one user; the server takes 500.
const OF_USER_MAX: usize = 400;

/// Connections of one space, where there are many spaces.
pub(super) const OF_SPACE: usize = 10;

/// Someone who is signed in.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) token: String,
    /// Their own space.
    pub(super) space: String,
}

impl User {
    pub(super) async fn register(address: SocketAddr, name: &str) -> Self {
        let (token, path) = register(address, name).await;
        Self { token, space: path.trim_start_matches("/v1/spaces/").to_owned() }
    }

    /// One more space of theirs.
    async fn another_space(&self, client: &mut Client) -> String {
        let (status, made) = client.request(Method::POST, "/v1/spaces", "{}").await;
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&made));
        text(&made, "space")
    }

    /// Others who are members of their space.
    pub(super) async fn with_members(&self, address: SocketAddr, n: usize) -> Vec<User> {
        let mut members = Vec::new();
        let mut owner = Client::connect(address, &self.token).await;
        for n in 0..n {
            let member = Self::register(address, &format!("member-{n}")).await;
            let path = format!("/v1/spaces/{}/invites", self.space);
            let (status, invite) = owner.request(Method::POST, &path, r#"{"role":"editor"}"#).await;
            assert!(status.is_success(), "{}", String::from_utf8_lossy(&invite));
            let accept = format!(r#"{{"token":"{}"}}"#, text(&invite, "token"));
            let mut guest = Client::connect(address, &member.token).await;
            guest.ok(Method::POST, "/v1/invites/accept", accept).await;
            members.push(Self { space: self.space.clone(), ..member });
        }
        members
    }
}

fn text(json: &[u8], name: &str) -> String {
    let json: serde_json::Value = serde_json::from_slice(json).expect("the answer is JSON");
    json[name].as_str().unwrap_or_else(|| panic!("{json} has no {name}")).to_owned()
}

/// How many users it takes for so many connections.
pub(super) fn n_users(n_connections: usize) -> usize {
    n_connections.div_ceil(OF_USER_MAX)
}

/// Spaces for so many connections, [`OF_SPACE`] each: their owners, one after the other.
pub(super) async fn users_and_spaces(address: SocketAddr, n_connections: usize) -> Vec<User> {
    let (n_users, n_spaces) = (n_users(n_connections), n_connections.div_ceil(OF_SPACE));
    let mut spaces = Vec::new();
    for n in 0..n_users {
        let user = User::register(address, &format!("user-{n}")).await;
        let mut client = Client::connect(address, &user.token).await;
        for _ in 0..n_spaces / n_users + usize::from(n < n_spaces % n_users) {
            spaces.push(User { space: user.another_space(&mut client).await, ..user.clone() });
        }
    }
    spaces
}

/// The process of those who follow.
pub(super) struct Crowd(Program);

impl Crowd {
    pub(super) fn new() -> Self {
        Self(Program::myself(&["follow"]))
    }

    /// Connections to a server, spread over users who are members of the space. `kind` is `live`, or `stall` for those who
    /// will not read.
    pub(super) fn join(&mut self, kind: &str, address: SocketAddr, users: &[User], n: usize) {
        for (idx, User { token, space }) in users.iter().enumerate() {
            let n_theirs = n / users.len() + usize::from(idx < n % users.len());
            self.0.tell(&format!("{kind} {address} {token} {space} {n_theirs}"));
        }
    }

    /// Connections to the bare broadcast.
    pub(super) fn join_bare(&mut self, address: SocketAddr, n: usize) {
        self.0.tell(&format!("bare {address} {n}"));
    }

    /// Waits until all are caught up.
    pub(super) fn ready(&mut self) {
        self.0.tell("ready");
        assert_eq!(self.0.line(), "ready");
    }

    /// Waits until everyone was given so many messages; how long that took.
    pub(super) fn delivered(&mut self, n_messages: usize) -> Delivered {
        self.0.tell(&format!("expect {n_messages}"));
        Delivered::from_line(&self.0.line())
    }

    /// Has everyone push a message of so many bytes, and wait for one.
    pub(super) fn exchange(&mut self, n_bytes: usize) {
        self.0.tell(&format!("exchange {n_bytes}"));
        assert_eq!(self.0.line(), "exchanged");
    }
}
