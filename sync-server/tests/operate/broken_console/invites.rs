//! Invites that nobody could take back.

use serde_json::{Value, json};

use crate::desk::{Desk, refusal};
use crate::support::server::Layout;

#[test]
fn an_operator_lists_invites_and_takes_them_back() {
    for mut desk in [Desk::beside(Layout::OneFile), Desk::without(Layout::OneFile)] {
        desk.add("ada");
        desk.run(&["space", "create", "family", "--owner", "ada"]);
        for (noun, of) in [("user", &[][..]), ("space", &["family"])] {
            let more = if noun == "space" { &["editor"][..] } else { &[] };
            let made = |desk: &mut Desk| desk.json(&[&[noun, "invite"], of, more].concat()).remove(0);
            let (first, second) = (made(&mut desk), made(&mut desk));
            let listed = |desk: &mut Desk| desk.json(&[&[noun, "invites"], of].concat());
            let ids = |listed: &[Value]| listed.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
            assert_eq!(ids(&listed(&mut desk)), [first["id"].clone(), second["id"].clone()], "{noun}");
            let role = if noun == "space" { json!("editor") } else { Value::Null };
            assert_eq!(listed(&mut desk)[0]["role"], role);
            let uninvite = [&[noun, "uninvite"], of, &[first["id"].as_str().unwrap()]].concat();
            desk.run(&uninvite);
            assert_eq!(ids(&listed(&mut desk)), [second["id"].clone()], "{noun}");
            assert_eq!(desk.refused(&uninvite).0, 3);
            let ada = desk.world.log_in("ada");
            let body = json!({"token": first["invite"]}).to_string();
            let late = desk.world.http(&ada).post("/v1/invites/accept", &body).unwrap();
            assert_eq!(refusal(&late), (400, "invite_invalid".to_owned()), "{noun}");
        }
        let of_the_server = desk.json(&["user", "invites"])[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(desk.refused(&["space", "uninvite", "family", &of_the_server]).0, 3, "it is none of its");
        assert_eq!(desk.refused(&["space", "invites", "nowhere"]).0, 3);
    }
}
