//! Everything that can be asked, and what people see of it. The same whether the server runs, does not, or shares a
//! database with the operator.

use serde_json::{Value, json};

use crate::desk::{Desk, PASSWORD, refusal};
use crate::support::server::Layout;

#[test]
fn an_operator_does_everything_while_the_server_runs() {
    everything(Desk::beside(Layout::OneFile));
}

#[test]
fn an_operator_does_everything_while_the_server_of_a_folder_runs() {
    everything(Desk::beside(Layout::FilePerSpace));
}

#[test]
fn an_operator_does_everything_while_no_server_runs() {
    everything(Desk::without(Layout::OneFile));
}

#[test]
fn an_operator_does_everything_on_a_database_that_a_server_uses() {
    let Some(desk) = Desk::on_postgres() else { return };
    everything(desk);
}

#[test]
fn a_name_that_reads_like_somebody_else_finds_nobody() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    let ada = desk.json(&["user", "show", "ada"]).remove(0);
    desk.run(&["user", "add", "--address", "bob@example.org"]);
    let id = ada["user"].as_str().unwrap();
    for name in [id, "bob@example.org", "cy@example.org"] {
        desk.world.register(name);
    }
    assert_eq!(desk.json(&["user", "show", id])[0]["name"], "ada");
    assert_eq!(desk.json(&["user", "show", "bob@example.org"])[0]["address"], "bob@example.org");
    assert_eq!(desk.refused(&["user", "show", "cy@example.org"]).0, 3);
}

fn everything(mut desk: Desk) {
    users_come_and_are_shown(&mut desk);
    a_new_password_signs_out_and_in(&mut desk);
    devices_are_shown_renamed_and_revoked(&mut desk);
    roles_are_given_and_taken(&mut desk);
    invites_and_links_let_in(&mut desk);
    spaces_and_users_go_with_everything(&mut desk);
    desk.server.take().unwrap().stop();
    desk.world.check_log();
}

fn users_come_and_are_shown(desk: &mut Desk) {
    let ada = desk.add("Ada");
    let bob = &desk.json(&["user", "add", "--address", "Bob@Example.org"])[0];
    assert_eq!((&bob["address"], &bob["has_password"]), (&json!("bob@example.org"), &json!(false)));
    let listed = desk.json(&["user", "list"]);
    assert_eq!(listed.len(), 2);
    assert_keys(&listed[0], &["address", "created_at", "has_password", "name", "space", "user"]);
    let shown = &desk.json(&["user", "show", "ADA"])[0];
    assert_eq!((&shown["name"], &shown["space"]), (&json!("Ada"), &json!(ada.space)));
    assert_eq!(shown["spaces"], json!({ &ada.space: "owner" }));
    assert_eq!(shown["devices"].as_array().unwrap().len(), 1);
    assert!(desk.run(&["user", "list"]).contains("bob@example.org"));
    for who in ["bob@example.org", bob["user"].as_str().unwrap()] {
        assert_eq!(desk.json(&["user", "show", who])[0]["user"], bob["user"], "{who}");
    }

    let taken = desk.run_with(&["user", "add", "ADA", "--password-stdin"], PASSWORD);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8(taken.stderr).unwrap().contains("taken"));
    let (exit_code, told) = desk.refused(&["user", "show", "nobody"]);
    assert!(exit_code == 3 && told.contains(r#"no user "nobody""#), "{exit_code} {told}");
}

fn a_new_password_signs_out_and_in(desk: &mut Desk) {
    let ada = desk.world.log_in("ada");
    desk.run_reading(&["user", "password", "ada", "--password-stdin"], "another horse battery\n");
    assert_eq!(refusal(&desk.get(&ada, "/v1/me")), (401, "token_revoked".to_owned()));
    assert_eq!(refusal(&desk.log_in("ada", PASSWORD)), (401, "invalid_credentials".to_owned()));
    assert_eq!(desk.log_in("ada", "another horse battery").status, 200);
    let (exit_code, told) = desk.refused(&["user", "password", "ada", "--password-stdin"]);
    assert!(exit_code == 1 && told.contains("8 to 1024 bytes"), "{told}");
    let short_of_a_name =
        desk.run_with(&["user", "password", "bob@example.org", "--password-stdin"], PASSWORD);
    assert_eq!(short_of_a_name.status.code(), Some(1));

    desk.run_reading(&["user", "password", "ada", "--password-stdin"], PASSWORD);
    let ada = desk.world.log_in("ada");
    desk.run(&["user", "sign-out", "ada"]);
    assert_eq!(refusal(&desk.get(&ada, "/v1/me")), (401, "token_revoked".to_owned()));
}

fn devices_are_shown_renamed_and_revoked(desk: &mut Desk) {
    let (ada, other) = (desk.world.log_in("ada"), desk.world.log_in("ada"));
    let keys = ["created_at", "device", "expires_at", "kind", "last_sync_at", "name", "platform", "spaces"];
    let devices = desk.json(&["device", "list", "ada"]);
    assert_eq!(devices.len(), 2);
    assert_keys(&devices[0], &keys);
    let device = devices[0]["device"].as_str().unwrap();
    desk.run(&["device", "rename", "ada", device, "the old phone"]);
    assert!(desk.run(&["device", "list", "ada"]).contains("the old phone"));
    desk.run(&["device", "revoke", "ada", device]);
    assert_eq!(refusal(&desk.get(&ada, "/v1/me")), (401, "token_revoked".to_owned()));
    assert_eq!(desk.get(&other, "/v1/me").status, 200, "the other one stays");
    for (who, device) in [("ada", device), ("bob@example.org", devices[1]["device"].as_str().unwrap())] {
        assert_eq!(desk.refused(&["device", "revoke", who, device]).0, 3, "{who}");
    }
}

fn spaces_are_renamed(desk: &mut Desk) {
    let ada = desk.world.log_in("ada");
    let created_at = desk.json(&["space", "show", "family"])[0]["created_at"].clone();
    assert!(created_at.is_i64(), "{created_at}");
    assert_eq!(desk.json(&["space", "rename", "family", "Sekret"]), [json!({"done": true})]);
    let known = json!({"space": "family", "name": "Sekret", "created_at": created_at});
    assert!(desk.json(&["space", "list"]).contains(&known));
    for shown in [desk.run(&["space", "list"]), desk.run(&["space", "show", "family"])] {
        assert!(shown.lines().any(|line| line.starts_with("family") && line.contains("Sekret")), "{shown}");
    }
    let seen = desk.get(&ada, "/v1/spaces/family").ok();
    assert_eq!((&seen["name"], &seen["created_at"]), (&json!("Sekret"), &created_at));
    desk.run(&["space", "rename", "family", "--no-name"]);
    assert_eq!(desk.json(&["space", "show", "family"])[0]["name"], Value::Null);
    for refused in [
        ["space", "rename", "family"].as_slice(),
        &["space", "rename", "family", " "],
        &["space", "rename", "family", "a", "--no-name"],
    ] {
        assert_eq!(desk.refused(refused).0, 2, "{refused:?}");
    }
    assert_eq!(desk.refused(&["space", "rename", "nowhere", "a"]).0, 3);
}

fn roles_are_given_and_taken(desk: &mut Desk) {
    let cy = desk.add("cy");
    let created = &desk.json(&["space", "create", "family", "--owner", "ada", "--name", " The family "])[0];
    assert_keys(created, &["collections", "created_at", "head", "members", "n_records", "name", "space"]);
    assert_eq!(created["name"], "The family");
    spaces_are_renamed(desk);
    assert_eq!(desk.refused(&["space", "create", "family", "--owner", "cy"]).0, 1, "it is there");
    let changes = "/v1/spaces/family/changes";
    let push = |desk: &Desk| {
        let put = json!({"mutations": [{"op": "put", "collection": "notes", "id": "1", "data": {}}]});
        desk.world.http(&cy).post(changes, &put.to_string()).unwrap()
    };
    assert_eq!(refusal(&push(desk)), (404, "space_not_found".to_owned()));
    desk.run(&["space", "member", "family", "cy", "viewer"]);
    assert_eq!(refusal(&push(desk)), (403, "forbidden_role".to_owned()));
    desk.run(&["space", "member", "family", "cy", "editor"]);
    push(desk).ok();
    let shown = &desk.json(&["space", "show", "family"])[0];
    assert_eq!((&shown["n_records"], &shown["collections"]), (&json!(1), &json!({"notes": 1})));
    let members = desk.json(&["space", "members", "family"]);
    let roles: Vec<_> = members.iter().map(|one| (&one["name"], &one["role"])).collect();
    assert_eq!(roles.len(), 2);
    assert!(roles.contains(&(&json!("cy"), &json!("editor"))), "{roles:?}");
    desk.run(&["space", "member", "family", "cy", "none"]);
    assert_eq!(refusal(&desk.get(&cy, changes)), (404, "space_not_found".to_owned()));

    let (exit_code, told) = desk.refused(&["space", "member", "family", "ada", "viewer"]);
    assert!(exit_code == 1 && told.contains("owner"), "{told}");
    assert_eq!(desk.refused(&["space", "member", "nowhere", "ada", "viewer"]).0, 3);
    assert_eq!(desk.refused(&["space", "show", "nowhere"]).0, 3);
}

fn invites_and_links_let_in(desk: &mut Desk) {
    let cy = desk.world.log_in("cy");
    let invite = &desk.json(&["space", "invite", "family", "viewer"])[0];
    assert_keys(invite, &["expires_at", "id", "invite", "url"]);
    let body = json!({"token": invite["invite"]}).to_string();
    let accepted = desk.world.http(&cy).post("/v1/invites/accept", &body).unwrap().ok();
    assert_eq!((&accepted["space"], &accepted["role"]), (&json!("family"), &json!("viewer")));

    let invite = &desk.json(&["user", "invite"])[0];
    let registered = json!({"username": "dee", "password": PASSWORD, "invite": invite["invite"]});
    assert_eq!(desk.post("/v1/auth/register", &registered).status, 201);
    let url = invite["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/invite#{}", invite["invite"].as_str().unwrap())), "{url}");

    let link = &desk.json(&["user", "link", "bob@example.org"])[0];
    let token = link["url"].as_str().unwrap().rsplit_once('#').unwrap().1;
    let redeemed = desk.post("/v1/auth/link/redeem", &json!({"token": token}));
    assert_eq!(redeemed.ok()["user"]["address"], "bob@example.org");
    let again = desk.post("/v1/auth/link/redeem", &json!({"token": token}));
    assert_eq!(refusal(&again), (400, "link_invalid".to_owned()));
    assert_eq!(desk.refused(&["user", "link", "ada"]).0, 1, "without an address there is no link");
}

fn spaces_and_users_go_with_everything(desk: &mut Desk) {
    let (ada, cy) = (desk.world.log_in("ada"), desk.world.log_in("cy"));
    let (exit_code, told) = desk.refused(&["user", "delete", "ada"]);
    assert!(exit_code == 2 && told.contains("--yes"), "{told}");
    let (exit_code, told) = desk.refused(&["user", "delete", "ada", "--yes"]);
    assert!(exit_code == 1 && told.contains("family") && told.contains("--with-shared-spaces"), "{told}");
    assert_eq!(desk.get(&ada, "/v1/me").status, 200, "nothing happened");
    desk.run(&["user", "delete", "ada", "--yes", "--with-shared-spaces"]);
    assert_eq!(refusal(&desk.get(&ada, "/v1/me")), (401, "token_revoked".to_owned()));
    assert_eq!(refusal(&desk.log_in("ada", PASSWORD)), (401, "invalid_credentials".to_owned()));
    assert_eq!(desk.refused(&["space", "show", "family"]).0, 3);
    assert_eq!(desk.refused(&["user", "delete", "ada", "--yes"]).0, 3);

    assert_eq!(desk.json(&["space", "delete", &cy.space, "--yes"]), [json!({"done": true})]);
    let gone = desk.get(&cy, &cy.path("changes"));
    assert_eq!(refusal(&gone), (404, "space_not_found".to_owned()));
    let spaces = desk.json(&["space", "list"]);
    assert!(spaces.iter().all(|space| space["space"] != json!(cy.space)) && spaces.len() == 2, "{spaces:?}");
}

#[track_caller]
fn assert_keys(object: &Value, expected: &[&str]) {
    let keys: Vec<_> = object.as_object().unwrap().keys().collect();
    assert_eq!(keys, expected);
}
