//! Who may do what: every operation times everyone who may come along.
//!
//! What each operation needs is one word in a list; from it follows the answer for each of eleven people. The list has
//! every operation of the OpenAPI document, so a route that is added without a word fails here.

use std::collections::BTreeSet;

use serde_json::json;
use sync_core::{AccountsExt, ActorId, CredentialId, Role, SpaceId};

use super::openapi::Document;
use super::template::Values;
use super::world::{Answer, World};

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing: it is there to come in, or tells nothing.
    Nobody,
    /// To be signed in.
    SignedIn,
    /// To be the one whose device or pairing it is.
    Own,
    /// A role in the space, or a higher one.
    Role(Role),
}

use Needs::{Nobody, Own, SignedIn};

const VIEWER: Needs = Needs::Role(Role::Viewer);
const EDITOR: Needs = Needs::Role(Role::Editor);
const OWNER: Needs = Needs::Role(Role::Owner);

/// An operation, what it needs, and a request for it that is as it should be.
struct Cell {
    ask: &'static str,
    needs: Needs,
    sample: &'static str,
    body: Option<&'static str>,
}

const fn cell(ask: &'static str, needs: Needs, sample: &'static str, body: Option<&'static str>) -> Cell {
    Cell { ask, needs, sample, body }
}

const OPERATIONS: &[Cell] = &[
    cell("GET /health", Nobody, "GET /health", None),
    cell("GET /ready", Nobody, "GET /ready", None),
    cell("GET /limits", Nobody, "GET /limits", None),
    cell("GET /openapi.json", Nobody, "GET /openapi.json", None),
    cell("GET /v1/live", VIEWER, "GET /v1/live?space={space}", None),
    cell("GET /link", Nobody, "GET /link", None),
    cell("HEAD /link", Nobody, "HEAD /link", None),
    cell("GET /invite", Nobody, "GET /invite", None),
    cell("HEAD /invite", Nobody, "HEAD /invite", None),
    cell("GET /pair", Nobody, "GET /pair", None),
    cell("HEAD /pair", Nobody, "HEAD /pair", None),
    cell(
        "POST /v1/auth/register",
        Nobody,
        "POST /v1/auth/register",
        Some(r#"{"username":"newcomer","password":"correct horse"}"#),
    ),
    cell(
        "POST /v1/auth/login",
        Nobody,
        "POST /v1/auth/login",
        Some(r#"{"username":"ada","password":"correct horse"}"#),
    ),
    cell(
        "POST /v1/auth/refresh",
        Nobody,
        "POST /v1/auth/refresh",
        Some(r#"{"refresh_token":"{ada_refresh}"}"#),
    ),
    cell("POST /v1/auth/link", Nobody, "POST /v1/auth/link", Some(r#"{"address":"new@example.org"}"#)),
    cell("POST /v1/auth/link/redeem", Nobody, "POST /v1/auth/link/redeem", Some(r#"{"token":"{link}"}"#)),
    cell(
        "POST /v1/pairings/redeem",
        Nobody,
        "POST /v1/pairings/redeem",
        Some(r#"{"token":"{pairing_token}","device_name":"phone"}"#),
    ),
    cell("POST /v1/auth/logout", SignedIn, "POST /v1/auth/logout", None),
    cell(
        "POST /v1/auth/password",
        SignedIn,
        "POST /v1/auth/password",
        Some(r#"{"current":"correct horse","new":"correct cow"}"#),
    ),
    cell("GET /v1/me", SignedIn, "GET /v1/me", None),
    cell(
        "DELETE /v1/me",
        SignedIn,
        "DELETE /v1/me",
        Some(r#"{"password":"correct horse","shared_spaces":"delete"}"#),
    ),
    cell("GET /v1/devices", SignedIn, "GET /v1/devices", None),
    cell("POST /v1/devices", SignedIn, "POST /v1/devices", Some(r#"{"device_name":"laptop"}"#)),
    cell("GET /v1/devices/{device}", Own, "GET /v1/devices/{device}", None),
    cell(
        "PATCH /v1/devices/{device}",
        Own,
        "PATCH /v1/devices/{device}",
        Some(r#"{"device_name":"old laptop"}"#),
    ),
    cell("DELETE /v1/devices/{device}", Own, "DELETE /v1/devices/{device}", None),
    cell("POST /v1/pairings", SignedIn, "POST /v1/pairings", Some("{}")),
    cell("GET /v1/pairings/{pairing}", Own, "GET /v1/pairings/{pairing}", None),
    cell("DELETE /v1/pairings/{pairing}", Own, "DELETE /v1/pairings/{pairing}", None),
    cell("GET /v1/pairings/{pairing}/qr.png", Own, "GET /v1/pairings/{pairing}/qr.png", None),
    cell("POST /v1/pairings/{pairing}/confirm", Own, "POST /v1/pairings/{claimed}/confirm", None),
    cell("GET /v1/spaces", SignedIn, "GET /v1/spaces", None),
    cell("POST /v1/spaces", SignedIn, "POST /v1/spaces", Some("{}")),
    cell("GET /v1/spaces/{space}", VIEWER, "GET /v1/spaces/{space}", None),
    cell("PATCH /v1/spaces/{space}", OWNER, "PATCH /v1/spaces/{space}", Some(r#"{"name":"Ours"}"#)),
    cell("DELETE /v1/spaces/{space}", OWNER, "DELETE /v1/spaces/{space}", None),
    cell("GET /v1/spaces/{space}/members", VIEWER, "GET /v1/spaces/{space}/members", None),
    cell(
        "PUT /v1/spaces/{space}/members/{user}",
        OWNER,
        "PUT /v1/spaces/{space}/members/{vera}",
        Some(r#"{"role":"editor"}"#),
    ),
    cell("DELETE /v1/spaces/{space}/members/{user}", OWNER, "DELETE /v1/spaces/{space}/members/{max}", None),
    cell("GET /v1/spaces/{space}/invites", OWNER, "GET /v1/spaces/{space}/invites", None),
    cell(
        "POST /v1/spaces/{space}/invites",
        OWNER,
        "POST /v1/spaces/{space}/invites",
        Some(r#"{"role":"viewer"}"#),
    ),
    cell(
        "DELETE /v1/spaces/{space}/invites/{invite}",
        OWNER,
        "DELETE /v1/spaces/{space}/invites/{invite}",
        None,
    ),
    cell(
        "POST /v1/invites/accept",
        SignedIn,
        "POST /v1/invites/accept",
        Some(r#"{"token":"{invite_token}"}"#),
    ),
    cell("GET /v1/spaces/{space}/changes", VIEWER, "GET /v1/spaces/{space}/changes", None),
    cell(
        "POST /v1/spaces/{space}/changes",
        EDITOR,
        "POST /v1/spaces/{space}/changes",
        Some(r#"{"mutations":[{"op":"put","collection":"notes","id":"new","data":1}]}"#),
    ),
    cell("GET /v1/spaces/{space}/snapshot", VIEWER, "GET /v1/spaces/{space}/snapshot", None),
    cell("GET /v1/spaces/{space}/status", VIEWER, "GET /v1/spaces/{space}/status?hash=true", None),
    cell("GET /v1/spaces/{space}/log", VIEWER, "GET /v1/spaces/{space}/log", None),
    cell("GET /v1/spaces/{space}/conflicts", VIEWER, "GET /v1/spaces/{space}/conflicts", None),
    cell(
        "POST /v1/spaces/{space}/conflicts/{id}/resolve",
        EDITOR,
        "POST /v1/spaces/{space}/conflicts/{conflict}/resolve",
        Some(r#"{"take":"mine"}"#),
    ),
    cell("GET /v1/spaces/{space}/records/{collection}", VIEWER, "GET /v1/spaces/{space}/records/notes", None),
    cell(
        "GET /v1/spaces/{space}/records/{collection}/{id}",
        VIEWER,
        "GET /v1/spaces/{space}/records/notes/n1",
        None,
    ),
    cell("GET /v1/spaces/{space}/trees/{tree}", VIEWER, "GET /v1/spaces/{space}/trees/outline", None),
    cell("GET /v1/spaces/{space}/trees/{tree}/ops", VIEWER, "GET /v1/spaces/{space}/trees/outline/ops", None),
    cell(
        "POST /v1/spaces/{space}/trees/{tree}/ops",
        EDITOR,
        "POST /v1/spaces/{space}/trees/outline/ops",
        Some(r#"{"ops":[{"id":{"counter":1,"peerId":"a1"},"targetId":"new","parentId":null}]}"#),
    ),
    cell(
        "POST /v1/spaces/{space}/trees/{tree}/missing",
        VIEWER,
        "POST /v1/spaces/{space}/trees/outline/missing",
        Some(r#"{"vector":{}}"#),
    ),
];

/// Who comes along. The first five show something that belongs to ada or to nobody.
const EVERYONE: [&str; 11] = [
    "anonymous",
    "forged",
    "expired",
    "revoked",
    "deleted",
    "stranger",
    "removed",
    "invited",
    "viewer",
    "editor",
    "owner",
];

/// Content that only members may see.
const CONTENT: &str = "sekret-content";

/// A world with a space, what can be in it, and everyone.
struct Stage {
    world: World,
    values: Values,
}

impl Stage {
    async fn set(world: World) -> Self {
        let mut stage = Self { world, values: Values::default() };
        for name in ["ada", "bob", "rem", "ina", "vera", "ed", "max", "del"] {
            stage.register(name).await;
        }
        stage.values.set("unknown", "0".repeat(32));
        stage.members().await;
        stage.content().await;
        stage.credentials().await;
        stage
    }

    fn get(&self, name: &str) -> String {
        self.values.get(name).to_owned()
    }

    async fn register(&mut self, name: &str) {
        let body = format!(r#"{{"username":"{name}","password":"correct horse"}}"#);
        let answer = self.world.ask("POST /v1/auth/register", None, Some(&body)).await;
        let user = answer.json()["user"]["id"].as_str().unwrap().to_owned();
        self.values.set(name, user);
        for (value, member) in [("token", "access_token"), ("refresh", "refresh_token"), ("space", "space")] {
            self.values.set(&format!("{name}_{value}"), answer.member(member));
        }
    }

    async fn members(&mut self) {
        self.values.set("space", self.get("ada_space"));
        let space = SpaceId::new(self.get("space")).unwrap();
        for (name, role) in
            [("vera", Role::Viewer), ("max", Role::Viewer), ("ed", Role::Editor), ("rem", Role::Editor)]
        {
            let actor = ActorId::new(self.get(name)).unwrap();
            self.world.accounts.set_role(&space, &actor, Some(role)).await.unwrap();
        }
        let gone = format!("DELETE /v1/spaces/{space}/members/{}", self.get("rem"));
        // So that something may be remembered of them.
        let pull = format!("GET /v1/spaces/{space}/changes");
        assert_eq!(self.ask(&pull, "rem_token", None).await.status, 200);
        assert_eq!(self.ask(&gone, "ada_token", None).await.status, 204);
        for (name, token) in [("invite", "invite_token"), ("spare", "spare_token")] {
            let invite = format!("POST /v1/spaces/{space}/invites");
            let invited = self.ask(&invite, "ada_token", Some(r#"{"role":"viewer"}"#)).await;
            self.values.set(name, invited.member("invite"));
            self.values.set(token, invited.member("token"));
        }
    }

    async fn content(&mut self) {
        let changes = format!("POST /v1/spaces/{}/changes", self.get("space"));
        let put = |data: &str, base: &str| {
            format!(
                r#"{{"mutations":[{{"op":"put","collection":"notes","id":"n1",{base}"data":{{"t":"{data}"}}}}]}}"#
            )
        };
        let first = self.ask(&changes, "ada_token", Some(&put(CONTENT, ""))).await.json();
        let base = format!(r#""base_version":{},"#, first["outcomes"][0]["version"]);
        self.ask(&changes, "ada_token", Some(&put(&format!("{CONTENT}-2"), &base))).await;
        let clash = self.ask(&changes, "ed_token", Some(&put(&format!("{CONTENT}-3"), &base))).await.json();
        let name = format!(r#"{{"name":"{CONTENT}"}}"#);
        let rename = format!("PATCH /v1/spaces/{}", self.get("space"));
        assert_eq!(self.ask(&rename, "ada_token", Some(&name)).await.status, 204);
        self.values.set("conflict", clash["outcomes"][0]["id"].as_str().unwrap());
    }

    async fn credentials(&mut self) {
        let device = self.ask("POST /v1/devices", "ada_token", Some(r#"{"device_name":"laptop"}"#)).await;
        self.values.set("device", device.member("device"));
        for (name, claim) in [("pairing", false), ("claimed", true)] {
            let body = json!({"confirm": claim}).to_string();
            let pairing = self.ask("POST /v1/pairings", "ada_token", Some(&body)).await;
            self.values.set(name, pairing.member("pairing"));
            if claim {
                let body = json!({"token": pairing.member("token"), "device_name": "phone"}).to_string();
                assert_eq!(self.world.ask("POST /v1/pairings/redeem", None, Some(&body)).await.status, 202);
            } else {
                self.values.set("pairing_token", pairing.member("token"));
            }
        }
        let body = r#"{"address":"lin@example.org"}"#;
        assert_eq!(self.world.ask("POST /v1/auth/link", None, Some(body)).await.status, 202);
        self.values.set("link", self.world.letter("lin@example.org").await);
        let revoked = self.ask("POST /v1/devices", "ada_token", Some(r#"{"device_name":"lost"}"#)).await;
        let revoke = format!("DELETE /v1/devices/{}", revoked.member("device"));
        assert_eq!(self.ask(&revoke, "ada_token", None).await.status, 204);
        self.values.set("revoked_token", revoked.member("device_token"));
        let delete = r#"{"password":"correct horse"}"#;
        assert_eq!(self.ask("DELETE /v1/me", "del_token", Some(delete)).await.status, 204);
        let of_device = CredentialId::new(self.get("device")).unwrap();
        let ended = self.world.now_s() - 7200;
        self.values.set("expired_token", self.world.tokens.issue(&self.get("ada"), &of_device, "t", ended));
        self.values.set("forged_token", format!("{}x", self.get("ada_token")));
    }

    async fn ask(&self, ask: &str, token: &str, body: Option<&str>) -> Answer {
        self.world.ask(ask, Some(self.values.get(token)), body).await
    }

    /// The token that someone shows.
    fn token(&self, who: &str) -> Option<String> {
        let name = match who {
            "anonymous" => return None,
            "forged" => "forged_token",
            "expired" => "expired_token",
            "revoked" => "revoked_token",
            "deleted" => "del_token",
            "stranger" => "bob_token",
            "removed" => "rem_token",
            "invited" => "ina_token",
            "viewer" => "vera_token",
            "editor" => "ed_token",
            "owner" => "ada_token",
            other => panic!("nobody is called {other}"),
        };
        Some(self.get(name))
    }

    async fn send(&self, cell: &Cell, who: &str, space: &str) -> Answer {
        let sample = cell.sample.replace("{space}", self.values.get(space));
        let body = cell.body.map(|body| self.values.fill(body));
        self.world.ask(&self.values.fill(&sample), self.token(who).as_deref(), body.as_deref()).await
    }
}

/// The refusal that someone must get; `None` when they may.
fn refusal(needs: Needs, who: &str) -> Option<(u16, &'static str)> {
    if needs == Nobody {
        return None;
    }
    let role = match who {
        "anonymous" => return Some((401, "missing_credentials")),
        "forged" => return Some((401, "invalid_token")),
        "expired" => return Some((401, "token_expired")),
        "revoked" | "deleted" => return Some((401, "token_revoked")),
        "viewer" => Some(Role::Viewer),
        "editor" => Some(Role::Editor),
        "owner" => Some(Role::Owner),
        _ => None,
    };
    match (needs, role) {
        (Needs::Role(_), None) => Some((404, "space_not_found")),
        (Needs::Role(needed), Some(role)) if role < needed => Some((403, "forbidden_role")),
        (Own, _) if who != "owner" => Some((404, "not_found")),
        _ => None,
    }
}

/// Signing out is done also when it was done before.
fn is_done_twice(cell: &Cell, who: &str) -> bool {
    cell.ask == "POST /v1/auth/logout" && ["revoked", "deleted"].contains(&who)
}

async fn nobody_does_what_they_may_not(world: World) {
    let stage = Stage::set(world).await;
    let mut n_cells = 0;
    for cell in OPERATIONS {
        for who in EVERYONE {
            let Some((status, code)) = refusal(cell.needs, who) else { continue };
            if is_done_twice(cell, who) {
                continue;
            }
            let answer = stage.send(cell, who, "space").await;
            let name = format!("{who}: {}", cell.ask);
            assert_eq!(answer.status, status, "{name}");
            assert_eq!(answer.member("code"), code, "{name}");
            assert!(!answer.text().contains(CONTENT), "{name}: {}", answer.text());
            if code == "space_not_found" {
                assert_eq!(
                    answer,
                    stage.send(cell, who, "unknown").await,
                    "{name}: it can be told from no space"
                );
            }
            n_cells += 1;
        }
    }
    assert!(n_cells > 250, "only {n_cells} refusals were asked for");
    // None of that has changed anything: whoever may still can.
    assert_eq!(stage.send(&OPERATIONS[0], "owner", "space").await.status, 200);
    let members =
        stage.ask(&format!("GET /v1/spaces/{}/members", stage.get("space")), "ada_token", None).await;
    assert_eq!(members.json()["members"].as_array().unwrap().len(), 4);
    let devices = stage.ask("GET /v1/devices", "ada_token", None).await;
    assert_eq!(devices.json()["devices"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nobody_does_what_they_may_not_over_memory() {
    nobody_does_what_they_may_not(World::memory()).await;
}

#[tokio::test]
async fn nobody_does_what_they_may_not_over_sqlite() {
    nobody_does_what_they_may_not(World::sqlite().await).await;
}

#[tokio::test]
async fn nobody_does_what_they_may_not_over_postgres() {
    let Some(world) = World::postgres().await else { return };
    nobody_does_what_they_may_not(world).await;
}

/// Without this a server that refuses everyone would pass.
#[tokio::test]
async fn everyone_does_what_they_may() {
    for cell in OPERATIONS {
        for who in EVERYONE {
            if refusal(cell.needs, who).is_some() && !is_done_twice(cell, who) {
                continue;
            }
            let stage = Stage::set(World::memory()).await;
            let answer = stage.send(cell, who, "space").await;
            // An invite is for whoever is not in the space yet; the others keep their role.
            assert!(answer.status < 300, "{who}: {}: {} {:?}", cell.ask, answer.status, answer.body);
        }
    }
}

/// A member of another space, who names what is in this one.
#[tokio::test]
async fn ids_of_one_space_mean_nothing_in_another() {
    let stage = Stage::set(World::memory()).await;
    let named = ["{conflict}", "{invite}", "{vera}", "{max}", "/n1"];
    let mut n_cells = 0;
    for cell in OPERATIONS {
        let by_id = named.iter().any(|id| cell.sample.contains(id));
        if by_id && cell.sample.contains("{space}") {
            let answer = stage.send(cell, "stranger", "bob_space").await;
            assert_eq!((answer.status, answer.member("code").as_str()), (404, "not_found"), "{}", cell.ask);
            n_cells += 1;
        }
    }
    assert_eq!(n_cells, 5);
}

#[test]
fn every_operation_is_in_the_matrix() {
    // Names of parameters differ; where they stand does not.
    let shape = |ask: &str| {
        let parts = ask.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let listed: BTreeSet<_> = OPERATIONS.iter().map(|cell| shape(cell.ask)).collect();
    let documented: BTreeSet<_> = Document::read().names().iter().map(|name| shape(name)).collect();
    assert_eq!(listed, documented);
}
