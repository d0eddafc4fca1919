//! Two changes that do not go together.

use crate::world::*;

/// Two devices that changed the same note, whose id is the third; the second one synced last.
fn two_that_differ(server: &Server) -> (Device, Device, String) {
    let phone = Device::new();
    phone.login(server, "ada", &["--register"]);
    let id = phone.add("buy milk");
    phone.ok(&["sync"]);
    let laptop = Device::of(server, "ada");
    laptop.ok(&["sync"]);
    phone.ok(&["edit", &id, "buy oat milk"]);
    laptop.ok(&["edit", &id, "buy two\nmilk"]);
    phone.ok(&["sync"]);
    let said = laptop.ok(&["sync"]);
    assert_eq!(said, "sent 1, received 2, 1 in conflict\n1 in conflict: notes conflicts\n");
    (phone, laptop, id)
}

#[test]
fn a_conflict_shows_both_sides_and_what_was_there_before() {
    let server = Server::start();
    let (phone, laptop, id) = two_that_differ(&server);
    phone.ok(&["sync"]);
    for device in [&phone, &laptop] {
        let said = device.ok(&["conflicts"]);
        for line in [
            "    before               buy milk\n",
            "    mine, came second    buy two\n                         milk\n",
            "    theirs, came first   buy oat milk\n",
            &format!("  decide with: notes resolve {id} mine|theirs|edit\n"),
        ] {
            assert!(said.contains(line), "{line:?} is missing in {said}");
        }
        assert!(device.ok(&["show", &id]).contains("notes conflicts"));
    }
    phone.ok(&["edit", &id, "buy soy milk"]);
    assert!(phone.ok(&["conflicts"]).contains("    changed since to     buy soy milk\n"));
}

#[test]
fn a_conflict_is_decided_in_any_way_and_on_any_device() {
    for (args, expected) in [
        (&["mine"][..], "buy two\nmilk"),
        (&["theirs"], "buy oat milk"),
        (&["edit", "--text", "buy two oat milk"], "buy two oat milk"),
    ] {
        let server = Server::start();
        let (phone, laptop, id) = two_that_differ(&server);
        phone.ok(&["sync"]);
        phone.ok(&[&["resolve", &id], args].concat());
        assert_eq!(phone.ok(&["conflicts"]), "no conflicts\n", "decided offline");
        assert!(phone.refused(&["resolve", &id, "mine"]).contains("notes conflicts"));
        phone.ok(&["sync"]);
        laptop.ok(&["sync"]);
        for device in [&phone, &laptop] {
            assert_eq!(device.texts(), [expected], "{args:?}");
            assert_eq!(device.ok(&["conflicts"]), "no conflicts\n");
        }
    }
}

#[test]
fn a_conflict_is_decided_in_an_editor_that_shows_both_sides() {
    let server = Server::start();
    let (_, laptop, id) = two_that_differ(&server);
    let resolve = |editor: &str| {
        laptop.command(&["resolve", &id, "edit"]).env("EDITOR", editor).output().unwrap().status.success()
    };
    assert!(!resolve("truncate -s 0"), "an empty text decides nothing");
    assert!(resolve("sed -i s/buy/get/"));
    assert_eq!(laptop.texts(), ["get two\nmilk\nget oat milk"]);
}

#[test]
fn two_conflicts_of_one_note_are_told_apart() {
    let server = Server::start();
    let (phone, laptop, id) = two_that_differ(&server);
    let tablet = Device::of(&server, "ada");
    tablet.ok(&["sync"]);
    tablet.ok(&["edit", &id, "from the tablet"]);
    phone.ok(&["edit", &id, "from the phone"]);
    phone.ok(&["sync"]);
    tablet.ok(&["sync"]);
    laptop.ok(&["sync"]);
    let said = laptop.ok(&["conflicts"]);
    let names: Vec<&str> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    let names: Vec<&str> = names.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names.len(), 2, "{said}");
    assert!(laptop.refused(&["resolve", &id, "mine"]).contains("several"));
    for name in names {
        laptop.ok(&["resolve", name, "theirs"]);
    }
    laptop.ok(&["sync"]);
    assert_eq!(laptop.ok(&["conflicts"]), "no conflicts\n");
    assert_eq!(laptop.texts(), ["from the phone"]);
}
