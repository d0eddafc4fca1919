//! What the world holds of accounts: each thing that signs in, while it is good, and after each of its ends.

use serde_json::{Value, json};
use sync_core::{
    AccountsExt, ActorId, Change, Credential, CredentialId, Device, Holder, Invite, Proof, Purpose, Role,
    SPACE_INFOS_MAX, SecretHash, SpaceId,
};

use super::fixture::PASSWORD;
use super::template::Values;
use super::world::{Answer, World};

/// Those who are there for their accounts alone.
const PEOPLE: [&str; 10] = ["otto", "rita", "carl", "dora", "remo", "tom", "olga", "quinn", "lena", "ines"];

/// What will have ended by itself when the rows are asked.
pub(crate) async fn ended(world: &World, values: &mut Values) {
    let mut people = People { world, values };
    people.register().await;
    let otto = people.login("otto").await;
    people.set("expired_refresh", &otto, "refresh_token");
    let offered = people.ask("POST /v1/pairings", "ada", None, 201).await;
    people.set("expired_pairing", &offered, "pairing");
    people.set("expired_pairing_token", &offered, "token");
    let invited =
        people.ask("POST /v1/spaces/{space}/invites", "ada", Some(r#"{"role":"editor"}"#), 201).await;
    people.set("expired_invite", &invited, "token");
    people.set("expired_invite_id", &invited, "invite");
    people.link("expired_link", "late@example.org").await;
    people.cookie("expired_cookie", "otto@example.org").await;
    let token = people.values.get("ada_token").to_owned();
    people.values.set("expired_token", token);
}

/// What is good when the rows are asked, and what was ended by somebody.
pub(crate) async fn current(world: &World, values: &mut Values) {
    let mut people = People { world, values };
    people.sign_ins().await;
    people.devices().await;
    people.links().await;
    people.team().await;
    people.invites().await;
    people.pairings().await;
    people.gone().await;
    people.full().await;
}

struct People<'w> {
    world: &'w World,
    values: &'w mut Values,
}

impl People<'_> {
    /// Asks as someone, or as `nobody`; it must be answered with this status.
    async fn ask(&self, ask: &str, who: &str, body: Option<&str>, status: u16) -> Answer {
        let token = (who != "nobody").then(|| self.values.get(&format!("{who}_token")).to_owned());
        let (ask, body) = (self.values.fill(ask), body.map(|body| self.values.fill(body)));
        let answer = self.world.ask(&ask, token.as_deref(), body.as_deref()).await;
        assert_eq!(answer.status, status, "{ask}: {answer:?}");
        answer
    }

    /// Remembers a member of an answer.
    fn set(&mut self, name: &str, answer: &Answer, member: &str) {
        self.values.set(name, answer.member(member));
    }

    async fn register(&mut self) {
        for name in PEOPLE {
            let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
            let answer = self.ask("POST /v1/auth/register", "nobody", Some(&body), 201).await;
            self.values.set(name, answer.json()["user"]["id"].as_str().unwrap());
            self.values.set(&format!("{name}_space"), answer.member("space"));
        }
    }

    async fn login(&self, name: &str) -> Answer {
        let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
        self.ask("POST /v1/auth/login", "nobody", Some(&body), 200).await
    }

    async fn refresh(&self, token: &str, exchange: Option<&str>) -> Answer {
        let body = json!({"refresh_token": token, "exchange": exchange}).to_string();
        self.ask("POST /v1/auth/refresh", "nobody", Some(&body), 200).await
    }

    async fn sign_ins(&mut self) {
        for name in PEOPLE {
            let answer = self.login(name).await;
            self.set(&format!("{name}_token"), &answer, "access_token");
            self.set(&format!("{name}_device"), &answer, "device");
        }
        for name in ["refresh", "refresh_newest"] {
            let answer = self.login("rita").await;
            self.set(name, &answer, "refresh_token");
        }
        for (name, exchange) in
            [("refresh_spent", None), ("refresh_lost", Some("a word")), ("refresh_stolen", Some("a word"))]
        {
            let first = self.login("rita").await.member("refresh_token");
            self.refresh(&first, exchange).await;
            self.values.set(name, first);
        }
        let out = self.login("rita").await;
        self.set("out_token", &out, "access_token");
        self.set("out_refresh", &out, "refresh_token");
        self.ask("POST /v1/auth/logout", "out", None, 204).await;
    }

    async fn devices(&mut self) {
        for name in ["phone", "tablet", "laptop", "revoked"] {
            let body = format!(r#"{{"device_name":"{name}","platform":"test"}}"#);
            let answer = self.ask("POST /v1/devices", "ada", Some(&body), 201).await;
            self.set(name, &answer, "device");
            self.set(&format!("{name}_token"), &answer, "device_token");
        }
        self.ask("DELETE /v1/devices/{revoked}", "ada", None, 204).await;
    }

    /// Has a link sent, and remembers its token.
    async fn link(&mut self, name: &str, address: &str) {
        let n_before = self.world.letters.to(address).len();
        let body = json!({"address": address}).to_string();
        self.ask("POST /v1/auth/link", "nobody", Some(&body), 202).await;
        let token = self.world.nth_letter(address, n_before + 1).await;
        self.values.set(name, token);
    }

    /// Signs in by a link with a cookie, and remembers that.
    async fn cookie(&mut self, name: &str, address: &str) -> Answer {
        self.link("link_used", address).await;
        let answer =
            self.ask("POST /v1/auth/link/redeem", "nobody", Some(r#"{"token":"{link_used}"}"#), 200).await;
        let cookie = answer.header("set-cookie").strip_prefix("__Host-session=").unwrap();
        self.values.set(name, cookie.split(';').next().unwrap());
        answer
    }

    async fn links(&mut self) {
        let mara = self.cookie("mara_cookie", "mara@example.org").await;
        self.values.set("mara", mara.json()["user"]["id"].as_str().unwrap());
        self.set("mara_device", &mara, "device");
        self.cookie("out_cookie", "mara@example.org").await;
        self.link("link_for_token", "mara@example.org").await;
        let body = r#"{"token":"{link_for_token}","session":"token"}"#;
        let answer = self.ask("POST /v1/auth/link/redeem", "nobody", Some(body), 200).await;
        self.set("mara_token", &answer, "access_token");
        for (name, address) in [
            ("link", "new@example.org"),
            ("link_as_token", "mara@example.org"),
            ("link_replaced", "twice@example.org"),
            ("link_newest", "twice@example.org"),
            ("link_spare", "spare@example.org"),
        ] {
            self.link(name, address).await;
        }
        let good = self.values.get("link_spare").to_owned();
        let (id, secret) = good.split_at(good.len() - 43);
        self.values.set("link_wrong", format!("{id}{}", "A".repeat(43)));
        self.values.set("link_cut", format!("{id}{}", &secret[1..]));
        self.values.set("no_token", "x.y.z");
    }

    async fn team(&mut self) {
        for space in ["team", "doomed", "shared"] {
            let body = format!(r#"{{"space":"{space}"}}"#);
            self.ask("POST /v1/spaces", if space == "shared" { "lena" } else { "ada" }, Some(&body), 201)
                .await;
        }
        let (editor, viewer) = (Role::Editor, Role::Viewer);
        self.role("team", "ed", editor).await;
        self.role("team", "vera", viewer).await;
        self.role("team", "tom", viewer).await;
        self.role("team", "rita", viewer).await;
        self.role("team", "olga", Role::Owner).await;
        self.role("shared", "ed", editor).await;
        let space = self.values.get("space").to_owned();
        self.role(&space, "tom", viewer).await;
        self.role(&space, "remo", viewer).await;
        self.ask("DELETE /v1/spaces/{space}/members/{remo}", "ada", None, 204).await;
    }

    async fn role(&self, space: &str, who: &str, role: Role) {
        let (space, who) = (SpaceId::new(space).unwrap(), ActorId::new(self.values.get(who)).unwrap());
        self.world.accounts.set_role(&space, &who, Some(role)).await.unwrap();
    }

    async fn invites(&mut self) {
        for (name, who, role) in [
            ("invite", "ada", "editor"),
            ("invite_lower", "ada", "viewer"),
            ("invite_used", "ada", "viewer"),
            ("invite_revoked", "ada", "viewer"),
            ("invite_spare", "ada", "viewer"),
            ("invite_lowest", "ada", "viewer"),
            ("invite_orphan", "olga", "editor"),
        ] {
            let body = format!(r#"{{"role":"{role}"}}"#);
            let answer = self.ask("POST /v1/spaces/team/invites", who, Some(&body), 201).await;
            self.set(name, &answer, "token");
            self.set(&format!("{name}_id"), &answer, "invite");
        }
        self.ask("POST /v1/invites/accept", "lena", Some(r#"{"token":"{invite_used}"}"#), 200).await;
        self.ask("DELETE /v1/spaces/team/invites/{invite_revoked_id}", "ada", None, 204).await;
        self.role("team", "olga", Role::Viewer).await;
        for (name, address) in [("invite_maras", "mara@example.org"), ("invite_others", "other@example.org")]
        {
            let n_before = self.world.letters.to(address).len();
            let body = format!(r#"{{"role":"viewer","address":"{address}"}}"#);
            self.ask("POST /v1/spaces/team/invites", "ada", Some(&body), 201).await;
            let token = self.world.nth_letter(address, n_before + 1).await;
            self.values.set(name, token);
        }
        let here =
            self.ask("POST /v1/spaces/{space}/invites", "ada", Some(r#"{"role":"viewer"}"#), 201).await;
        self.set("space_invite_id", &here, "invite");
        let foreign =
            self.ask("POST /v1/spaces/{foreign_space}/invites", "bob", Some(r#"{"role":"viewer"}"#), 201);
        let foreign = foreign.await;
        self.set("foreign_invite", &foreign, "token");
        self.set("foreign_invite_id", &foreign, "invite");
        let of_the_server = self.world.app.identity.invite_user().await.unwrap();
        self.values.set("server_invite", of_the_server.token);
    }

    async fn offer(&mut self, name: &str, who: &str, confirm: bool) {
        let body = format!(r#"{{"confirm":{confirm}}}"#);
        let answer = self.ask("POST /v1/pairings", who, Some(&body), 201).await;
        self.set(name, &answer, "pairing");
        self.set(&format!("{name}_token"), &answer, "token");
    }

    async fn redeem(&self, name: &str, status: u16) -> Answer {
        let body = format!(r#"{{"token":"{{{name}_token}}","device_name":"new phone","platform":"test"}}"#);
        self.ask("POST /v1/pairings/redeem", "nobody", Some(&body), status).await
    }

    async fn pairings(&mut self) {
        for (name, who, confirm) in [
            ("pairing", "ada", false),
            ("pairing_again", "ada", false),
            ("pairing_used", "ada", false),
            ("pairing_cancelled", "ada", false),
            ("pairing_spare", "ada", false),
            ("pairing_asking", "ada", true),
            ("pairing_claimed", "ada", true),
            ("pairing_refused", "ada", true),
            ("pairing_agreed", "ada", true),
            ("foreign_pairing", "bob", false),
            ("bobs_pairing", "bob", false),
        ] {
            self.offer(name, who, confirm).await;
        }
        self.redeem("pairing_used", 200).await;
        self.ask("DELETE /v1/pairings/{pairing_cancelled}", "ada", None, 204).await;
        for name in ["pairing_claimed", "pairing_refused", "pairing_agreed"] {
            let waiting = self.redeem(name, 202).await;
            self.set(&format!("{name}_claim"), &waiting, "claim");
        }
        self.ask("DELETE /v1/pairings/{pairing_refused}", "ada", None, 204).await;
        self.ask("POST /v1/pairings/{pairing_agreed}/confirm", "ada", None, 204).await;
    }

    /// Those whose tokens ended with something else of theirs.
    async fn gone(&mut self) {
        let first = self.login("carl").await;
        self.set("changed_token", &first, "access_token");
        self.set("changed_refresh", &first, "refresh_token");
        let device = self.ask("POST /v1/devices", "dora", Some(r#"{"device_name":"phone"}"#), 201).await;
        self.set("deleted_device_token", &device, "device_token");
        let change = format!(r#"{{"current":"{PASSWORD}","new":"{PASSWORD}"}}"#);
        self.ask("POST /v1/auth/password", "carl", Some(&change), 204).await;
        self.ask("DELETE /v1/me", "dora", Some(&format!(r#"{{"password":"{PASSWORD}"}}"#)), 204).await;
        let mut headers = hyper::header::HeaderMap::new();
        for (name, value) in [
            ("host", "h".to_owned()),
            ("cookie", format!("__Host-session={}", self.values.get("out_cookie"))),
            ("origin", "http://h".to_owned()),
        ] {
            super::world::set_header(&mut headers, name, &value, true);
        }
        let out = super::world::request("POST /v1/auth/logout", headers, None);
        assert_eq!(self.world.send(out).await.status, 204);
    }

    /// Someone who has as much of everything as anyone may have.
    async fn full(&mut self) {
        let device = self.ask("POST /v1/devices", "quinn", Some(r#"{"device_name":"the one"}"#), 201).await;
        self.link_to_quinn().await;
        self.set("quinn_token", &device, "device_token");
        for _ in 0..10 {
            self.offer("quinns_pairing", "quinn", false).await;
        }
        let listed = self.ask("GET /v1/devices", "quinn", None, 200).await.json();
        for one in listed["devices"].as_array().unwrap() {
            if one["kind"] == "sign_in" {
                let ask = format!("DELETE /v1/devices/{}", one["device"].as_str().unwrap());
                self.ask(&ask, "quinn", None, 204).await;
            }
        }
        let device = Purpose::Device(Device {
            proof: Proof::Token,
            name: "one of many".into(),
            platform: None,
            family: None,
            spent: Vec::new(),
            exchange: None,
            ends_at: None,
        });
        let quinn = Holder::User(ActorId::new(self.values.get("quinn")).unwrap());
        let home = Holder::Space(SpaceId::new(self.values.get("quinn_space")).unwrap());
        let invite = Purpose::Invite(Invite { role: Role::Viewer, address: None, by: None });
        let devices = (1..100).map(|idx| self.credential("device", idx, &quinn, &device));
        let invites = (0..100).map(|idx| self.credential("invite", idx, &home, &invite));
        let changes: Vec<_> = devices.chain(invites).map(Change::AddCredential).collect();
        assert!(self.world.accounts.change(&changes).await.unwrap().is_done());
    }

    async fn link_to_quinn(&mut self) {
        let quinn = ActorId::new(self.values.get("quinn")).unwrap();
        let mut user = self.world.accounts.user(&quinn).await.unwrap().unwrap();
        user.address = Some("quinn@example.org".to_owned());
        assert!(self.world.accounts.change(&[Change::UpdateUser(user)]).await.unwrap().is_done());
        self.link("quinns_link", "quinn@example.org").await;
    }

    fn credential(&self, kind: &str, idx: usize, holder: &Holder, purpose: &Purpose) -> Credential {
        let now = self.world.app.identity.now();
        Credential {
            id: CredentialId::new(format!("many-{kind}-of-quinn-{idx}")).unwrap(),
            holder: holder.clone(),
            revision: 1,
            secret: SecretHash::of("nobody shows it"),
            created_at: now,
            expires_at: (kind == "invite").then(|| now.saturating_add(std::time::Duration::from_secs(3600))),
            purpose: purpose.clone(),
        }
    }
}

/// Everything of accounts that a refusal must not change, but for what counts wrong guesses, and what has ended.
pub(crate) async fn accounts(world: &World) -> Vec<Value> {
    let mut found = Vec::new();
    let users = world.accounts.users(None, 10_000).await.unwrap();
    let spaces = world.app.store.spaces(None, 10_000).await.unwrap();
    for user in &users {
        found.push(serde_json::to_value(user).unwrap());
        let roles = world.accounts.spaces_of(&user.id, None, 10_000).await.unwrap();
        found.push(serde_json::to_value(roles).unwrap());
    }
    for some in spaces.chunks(SPACE_INFOS_MAX) {
        let infos = world.accounts.space_infos(some).await.unwrap();
        found.extend(infos.iter().map(|info| serde_json::to_value(info).unwrap()));
    }
    let holders = users.iter().map(|user| Holder::User(user.id.clone()));
    for holder in holders.chain(spaces.into_iter().map(Holder::Space)).chain([Holder::Server]) {
        for credential in world.accounts.credentials(&holder, None, 10_000).await.unwrap() {
            found.extend(lasting(world, credential));
        }
    }
    found
}

fn lasting(world: &World, mut credential: Credential) -> Option<Value> {
    if credential.is_expired(world.app.identity.now()) {
        return None;
    }
    if let Purpose::Pairing(pairing) = &mut credential.purpose {
        pairing.misses = 0;
        credential.revision = 0;
    }
    Some(serde_json::to_value(credential).unwrap())
}
