//! The part of the golden story that is about accounts: a life of one user, and every kind of answer on the way.

use super::golden::Story;

const GRACE: &str = r#"{"username":"Grace","password":"correct horse"}"#;

impl Story<'_> {
    pub(super) async fn accounts(&mut self) {
        self.token = String::new();
        let grace = self.world.ask("POST /v1/auth/register", None, Some(GRACE)).await;
        self.token = grace.member("access_token");
        self.space = grace.member("space");
        self.step("me", "GET /v1/me", None).await;
        self.devices().await;
        self.pairings().await;
        self.spaces().await;
        self.invites().await;
        self.sessions().await;
        self.links().await;
        self.leaving().await;
    }

    async fn devices(&mut self) {
        let body = r#"{"device_name":"Grace's phone","platform":"Android 16"}"#;
        let phone = self.step("device-added", "POST /v1/devices", Some(body)).await.member("device");
        // What a device that pulls says about where it is.
        let changes = self.step("account-pull", "GET /v1/spaces/SPACE/changes", None).await.member("cursor");
        self.step("account-pull-after", &format!("GET /v1/spaces/SPACE/changes?after={changes}"), None).await;
        self.step("devices", "GET /v1/devices", None).await;
        let one = format!("/v1/devices/{phone}");
        self.step("device-renamed", &format!("PATCH {one}"), Some(r#"{"device_name":"The old phone"}"#))
            .await;
        self.step("device", &format!("GET {one}"), None).await;
        self.step("device-revoked", &format!("DELETE {one}"), None).await;
        self.step("device-not-found", &format!("GET {one}"), None).await;
        self.step("device-name", "POST /v1/devices", Some(r#"{"device_name":""}"#)).await;
    }

    async fn pairings(&mut self) {
        let offer = self.step("pairing-offered", "POST /v1/pairings", Some(r#"{"confirm":true}"#)).await;
        let one = format!("/v1/pairings/{}", offer.member("pairing"));
        self.step("pairing", &format!("GET {one}"), None).await;
        let picture = self.world.ask(&format!("GET {one}/qr.png"), Some(&self.token), None).await;
        assert_eq!((picture.status, picture.header("content-type")), (200, "image/png"));
        self.ledger.note(&format!("GET {one}/qr.png"), &picture);
        let redeem = format!(
            r#"{{"token":"{}","device_name":"New phone","platform":"iOS 26"}}"#,
            offer.member("token")
        );
        let waiting = self.unsigned("pairing-waits", "POST /v1/pairings/redeem", &redeem).await;
        self.step("pairing-claimed", &format!("GET {one}"), None).await;
        self.step("pairing-agreed", &format!("POST {one}/confirm"), None).await;
        self.step("pairing-confirmed", &format!("GET {one}"), None).await;
        let claim = format!(r#"{{"claim":"{}"}}"#, waiting.member("claim"));
        self.unsigned("pairing-redeemed", "POST /v1/pairings/redeem", &claim).await;
        self.unsigned("pairing-invalid", "POST /v1/pairings/redeem", &claim).await;
        let other = self.world.ask("POST /v1/pairings", Some(&self.token), None).await.member("pairing");
        self.step("pairing-cancelled", &format!("DELETE /v1/pairings/{other}"), None).await;
    }

    async fn spaces(&mut self) {
        self.step("space-created", "POST /v1/spaces", Some(r#"{"space":"crew","name":"The crew"}"#)).await;
        self.step("space-taken", "POST /v1/spaces", Some(r#"{"space":"crew"}"#)).await;
        self.step("space", "GET /v1/spaces/crew", None).await;
        self.step("space-renamed", "PATCH /v1/spaces/crew", Some(r#"{"name":"The night crew"}"#)).await;
        self.step("spaces-page", "GET /v1/spaces?limit=1", None).await;
        let me = self.world.ask("GET /v1/me", Some(&self.token), None).await;
        let me = me.json()["user"]["id"].as_str().unwrap().to_owned();
        let role = format!("PUT /v1/spaces/crew/members/{me}");
        self.step("last-owner", &role, Some(r#"{"role":"editor"}"#)).await;
    }

    async fn invites(&mut self) {
        let invites = "/v1/spaces/crew/invites";
        let invited = self.step("invite", &format!("POST {invites}"), Some(r#"{"role":"editor"}"#)).await;
        let body = r#"{"role":"viewer","address":"Hedy@example.org"}"#;
        let mailed = self.step("invite-mailed", &format!("POST {invites}"), Some(body)).await;
        self.step("invites", &format!("GET {invites}"), None).await;
        let mailed = format!("{invites}/{}", mailed.member("invite"));
        self.step("invite-revoked", &format!("DELETE {mailed}"), None).await;
        let hedy = r#"{"username":"Hedy","password":"correct horse"}"#;
        let hedy = self.world.ask("POST /v1/auth/register", None, Some(hedy)).await;
        let token = hedy.member("access_token");
        let accept = format!(r#"{{"token":"{}"}}"#, invited.member("token"));
        self.step_as(&token, "invite-accepted", "POST /v1/invites/accept", Some(&accept)).await;
        self.step_as(&token, "invite-invalid", "POST /v1/invites/accept", Some(&accept)).await;
        self.step("members", "GET /v1/spaces/crew/members", None).await;
        let hedy = hedy.json()["user"]["id"].as_str().unwrap().to_owned();
        let one = format!("/v1/spaces/crew/members/{hedy}");
        self.step("member-role", &format!("PUT {one}"), Some(r#"{"role":"viewer"}"#)).await;
        self.step_as(&token, "owners-alone", "DELETE /v1/spaces/crew", None).await;
        let leave = r#"{"password":"correct horse"}"#;
        self.step("leave-last-owner", "DELETE /v1/me", Some(leave)).await;
        self.step("member-removed", &format!("DELETE {one}"), None).await;
        self.step("space-deleted", "DELETE /v1/spaces/crew", None).await;
    }

    async fn sessions(&mut self) {
        let signed_in = self.world.ask("POST /v1/auth/login", None, Some(GRACE)).await;
        let spent = format!(r#"{{"refresh_token":"{}"}}"#, signed_in.member("refresh_token"));
        let next = self.unsigned("refresh", "POST /v1/auth/refresh", &spent).await.member("access_token");
        self.unsigned("refresh-spent", "POST /v1/auth/refresh", &spent).await;
        self.step_as(&next, "token-revoked", "GET /v1/me", None).await;
        let change = r#"{"current":"correct horse","new":"correct horse"}"#;
        self.step("password", "POST /v1/auth/password", Some(change)).await;
        let wrong = r#"{"current":"wrong horse","new":"correct horse"}"#;
        self.step("password-wrong", "POST /v1/auth/password", Some(wrong)).await;
        let out = self.world.ask("POST /v1/auth/login", None, Some(GRACE)).await.member("access_token");
        self.step_as(&out, "logout", "POST /v1/auth/logout", None).await;
    }

    async fn links(&mut self) {
        let address = r#"{"address":"Joan@example.org"}"#;
        let redeem = "POST /v1/auth/link/redeem";
        self.unsigned("link-sent", "POST /v1/auth/link", address).await;
        let body = format!(
            r#"{{"token":"{}","device_name":"Firefox"}}"#,
            self.world.nth_letter("joan@example.org", 1).await
        );
        self.unsigned("link-cookie", redeem, &body).await;
        self.unsigned("link-invalid", redeem, &body).await;
        self.world.ask("POST /v1/auth/link", None, Some(address)).await;
        let token = self.world.nth_letter("joan@example.org", 2).await;
        let body = format!(r#"{{"token":"{token}","session":"token"}}"#);
        self.unsigned("link-tokens", redeem, &body).await;
        for page in ["/link", "/invite", "/pair"] {
            for page in [format!("GET {page}"), format!("HEAD {page}?utm_source=x")] {
                let answer = self.world.ask(&page, None, None).await;
                self.document.check(&page, None, &answer);
                self.ledger.note(&page, &answer);
            }
        }
    }

    async fn leaving(&mut self) {
        self.step("leave", "DELETE /v1/me", Some(r#"{"password":"correct horse"}"#)).await;
    }

    /// A step of somebody who is not signed in.
    async fn unsigned(&mut self, name: &str, ask: &str, body: &str) -> super::world::Answer {
        self.step_as("", name, ask, Some(body)).await
    }

    async fn step_as(
        &mut self,
        token: &str,
        name: &str,
        ask: &str,
        body: Option<&str>,
    ) -> super::world::Answer {
        let own = std::mem::replace(&mut self.token, token.to_owned());
        let answer = self.step(name, ask, body).await;
        self.token = own;
        answer
    }
}
