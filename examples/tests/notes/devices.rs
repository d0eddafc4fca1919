//! Several devices, several people.

use crate::world::*;

#[test]
fn offline_edits_of_two_devices_both_arrive() {
    let server = Server::start();
    let phone = Device::new();
    phone.login(&server, "ada", &["--register"]);
    let id = phone.add("buy milk");
    phone.ok(&["sync"]);
    let laptop = Device::of(&server, "ada");
    assert_eq!(laptop.ok(&["sync"]), "sent 0, received 1\n");
    phone.ok(&["done", &id]);
    phone.ok(&["edit", &id, "--tag", "home"]);
    laptop.ok(&["edit", &id, "buy oat milk", "--tag", "shop"]);
    laptop.add("call Bob");
    assert!(laptop.ok(&["status"]).contains("unsent     2"));
    phone.ok(&["sync"]);
    assert_eq!(laptop.ok(&["sync"]), "sent 2, received 0, 1 merged\n");
    phone.ok(&["sync"]);
    assert_eq!(phone.ok(&["export"]), laptop.ok(&["export"]));
    assert!(phone.ok(&["list"]).contains("[x] buy oat milk  #home  #shop"));
    let status = laptop.ok(&["status"]);
    assert!(status.contains("unsent     0") && status.contains("conflicts  0"), "{status}");
    assert!(status.contains("sent 2, received 0"), "{status}");
}

#[test]
fn people_do_not_see_the_notes_of_others() {
    let server = Server::start();
    let (ada, bob) = (Device::new(), Device::new());
    ada.login(&server, "ada", &["--register"]);
    bob.login(&server, "bob", &["--register"]);
    ada.add("of ada");
    bob.add("of bob");
    for device in [&ada, &bob] {
        device.ok(&["sync"]);
    }
    assert_eq!((ada.texts(), bob.texts()), (vec!["of ada".to_owned()], vec!["of bob".to_owned()]));
    // On the same computer: what was not sent waits for its owner.
    ada.add("of ada, not sent");
    let said = ada.login_with(&server, "bob", PASSWORD, &[]);
    assert!(said.err.contains("1 change of ada"), "{said:?}");
    ada.ok(&["sync"]);
    assert_eq!(ada.texts(), ["of bob"]);
    ada.login(&server, "ada", &[]);
    assert_eq!(ada.texts(), ["of ada", "of ada, not sent"]);
    assert_eq!(ada.ok(&["sync"]), "sent 1, received 0\n");
}
