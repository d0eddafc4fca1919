//! Ops of trees over a connection.

use serde_json::{Value, json};

use crate::world::{User, World};

fn moving(clock: u64, target: &str, parent: Value) -> Value {
    json!({"id": {"counter": clock, "peerId": "a1"}, "targetId": target, "parentId": parent})
}

fn adding(space: &str, ops: &[Value]) -> Value {
    json!({"type": "ops", "ref": "add", "space": space, "tree": "outline", "ops": ops})
}

async fn over_http(world: &World, user: &User, verb: &str, body: Value) -> (u16, Value) {
    let path = format!("POST /v1/spaces/{}/trees/outline/{verb}", user.space);
    world.ask(&path, &user.token, body).await
}

#[tokio::test]
async fn ops_are_added_as_over_http_and_come_to_others_in_the_feed() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let (mut one, mut two) = (world.live(&ada).await, world.live(&ada).await);
    two.subscribe(&ada.space, None).await;
    let ops = [moving(1, "book", Value::Null), moving(2, "intro", json!("book"))];
    one.send(adding(&ada.space, &ops)).await;
    let added = one.next_of("added").await;
    assert_eq!((&added["ref"], &added["tree"]), (&json!("add"), &json!("outline")));
    assert_eq!((&added["reply"]["n_new"], &added["reply"]["n_known"]), (&json!(2), &json!(0)));
    let frame = two.next_of("frame").await;
    assert_eq!(frame["changes"][1]["collection"], json!("$tree:outline"));
    assert_eq!(frame["head"], added["reply"]["head"]);
    // Known ones are as good as new ones, in whatever way they come.
    one.send(adding(&ada.space, &ops)).await;
    let again = one.next_of("added").await;
    let (status, expected) = over_http(&world, &ada, "ops", json!({"ops": ops})).await;
    assert_eq!((status, &again["reply"]), (200, &expected));
}

#[tokio::test]
async fn who_says_what_they_have_is_told_what_they_lack() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    let ops: Vec<Value> = (1..=5).map(|n| moving(n, &format!("v{n}"), Value::Null)).collect();
    live.send(adding(&ada.space, &ops)).await;
    let ask = |more: Value| {
        let mut asked = json!({"type": "missing", "ref": "m", "space": ada.space, "tree": "outline"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked
    };
    for (more, clocks) in [
        (json!({"vector": {}}), vec![1, 2, 3, 4, 5]),
        (json!({"vector": {"a1": [[1, 2], [4, 4]]}}), vec![3, 5]),
        (json!({"vector": {"a1": [[1, 1]]}, "limit": 2}), vec![2, 3]),
    ] {
        live.send(ask(more.clone())).await;
        let told = live.next_of("ops").await;
        let seen = told["reply"]["ops"].as_array().unwrap();
        let seen: Vec<_> = seen.iter().map(|op| op["id"]["counter"].as_u64().unwrap()).collect();
        assert_eq!((&told["ref"], &told["tree"], seen), (&json!("m"), &json!("outline"), clocks));
        let (status, expected) = over_http(&world, &ada, "missing", more).await;
        assert_eq!((status, &told["reply"]), (200, &expected));
    }
    for (more, code) in [
        (json!({"vector": {}, "limit": 0}), "validation_failed"),
        (json!({"vector": {"a1": [[2, 1]]}}), "validation_failed"),
        (json!({"vector": []}), "validation_failed"),
    ] {
        live.send(ask(more.clone())).await;
        let refused = live.next_of("error").await;
        assert_eq!((&refused["code"], &refused["ref"]), (&json!(code), &json!("m")), "{more}");
    }
}

#[tokio::test]
async fn what_cannot_be_added_is_refused_with_its_place_and_nothing_is_added() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let mut live = world.live(&ada).await;
    live.send(adding(&ada.space, &[moving(1, "book", Value::Null)])).await;
    live.next_of("added").await;
    for (space, ops, code, pointer) in [
        (
            &ada.space,
            json!([moving(2, "a", Value::Null), moving(0, "b", Value::Null)]),
            "version_out_of_range",
            json!("/ops/1/id/counter"),
        ),
        (
            &ada.space,
            json!([moving(2, "a", Value::Null), moving(1, "other", Value::Null)]),
            "op_conflict",
            json!("/ops/1"),
        ),
        (&ada.space, json!({"not": "a list"}), "validation_failed", json!("/ops")),
        (&bob.space, json!([moving(2, "a", Value::Null)]), "space_not_found", Value::Null),
    ] {
        live.send(json!({"type": "ops", "ref": "r", "space": space, "tree": "outline", "ops": ops})).await;
        let refused = live.next_of("error").await;
        assert_eq!((&refused["code"], &refused["ref"]), (&json!(code), &json!("r")), "{refused}");
        assert_eq!(refused["pointer"], pointer, "{refused}");
    }
    let (_, tree) =
        world.ask(&format!("GET /v1/spaces/{}/trees/outline", ada.space), &ada.token, Value::Null).await;
    assert_eq!(tree["n_ops"], json!(1));
}
