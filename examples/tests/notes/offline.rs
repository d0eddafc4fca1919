//! Without an account and without a network.

use std::io::Read;
use std::process::Stdio;

use crate::world::*;

#[test]
fn notes_work_without_an_account() {
    let device = Device::new();
    assert_eq!(device.ok(&["list"]), "");
    let milk = device.add("buy milk\n2 litres");
    let bob = device.ok(&["add", "call Bob", "--tag", "#work", "--tag", "phone"]);
    let bob = bob.split(' ').nth(1).unwrap();
    assert_eq!(
        device.ok(&["list"]),
        format!("{milk} [ ] buy milk …\n{bob} [ ] call Bob  #phone  #work\n"),
        "oldest first"
    );
    device.ok(&["edit", &milk, "buy oat milk", "--tag", "home"]);
    device.ok(&["edit", bob, "--untag", "phone"]);
    device.ok(&["done", bob]);
    assert_eq!(device.ok(&["list", "--open"]), format!("{milk} [ ] buy oat milk  #home\n"));
    assert_eq!(device.ok(&["list", "--done"]), format!("{bob} [x] call Bob  #work\n"));
    assert_eq!(device.ok(&["list", "--tag", "home", "--sort", "text"]).lines().count(), 1);
    assert_eq!(device.ok(&["list", "--sort", "edited"]).lines().next().unwrap().split(' ').next(), Some(bob));
    assert_eq!(device.ok(&["find", "BOB"]), format!("{bob} [x] call Bob  #work\n"));
    assert_eq!(device.ok(&["find", "home"]), format!("{milk} [ ] buy oat milk  #home\n"), "also in tags");
    let shown = device.ok(&["show", &milk[..3]]);
    assert!(shown.starts_with("buy oat milk\n") && shown.contains("#home"), "{shown}");
    assert!(device.ok(&["status"]).contains("account    none"));
    device.ok(&["done", "--undo", bob]);
    device.ok(&["rm", &milk, bob]);
    assert!(device.texts().is_empty());
    assert_eq!(mode(&device.data()), 0o700, "for the eyes of its user");
}

#[test]
fn an_editor_changes_a_text_and_one_that_fails_does_not() {
    let device = Device::new();
    let id = device.add("buy milk");
    let edit = |editor: &str| device.command(&["edit", &id]).env("EDITOR", editor).output().unwrap();
    assert!(edit("sed -i s/milk/bread/").status.success());
    assert_eq!(device.texts(), ["buy bread"]);
    for broken in ["false", "/not/there", "truncate -s 0"] {
        let said: Said = edit(broken).into();
        assert_eq!(said.status.code(), Some(1), "{broken}: {said:?}");
        assert!(said.err.contains("→"), "it says what to do: {said:?}");
    }
    assert_eq!(device.texts(), ["buy bread"]);
}

#[test]
fn all_notes_with_a_tag_get_another_one_together() {
    let device = Device::new();
    for text in ["one", "two"] {
        device.ok(&["add", text, "--tag", "a/b~c"]);
    }
    device.add("three");
    assert_eq!(device.ok(&["retag", "a/b~c", "new"]), "2 notes with #a/b~c now have #new\n");
    assert_eq!(device.ok(&["list", "--tag", "new"]).lines().count(), 2);
    assert_eq!(device.ok(&["list", "--tag", "a/b~c"]), "");
}

#[test]
fn a_reader_of_the_output_may_leave() {
    let device = Device::new();
    for n in 0..3 {
        device.add(&"x".repeat(90_000 + n));
    }
    let mut child =
        device.command(&["export"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!((said.status.code(), said.err.as_str()), (Some(0), ""));
}
