//! Two browsers with a connection: what one does the other sees, and who is there.

use serde_json::json;

use crate::world::{Device, World, assert_converged};

/// Who is shown to be here, by name.
const PEOPLE: &str = "[...document.querySelectorAll('#people .name')].map((name) => name.textContent).sort()";

/// Who is shown to be writing.
const EDITORS: &str =
    "[...document.querySelectorAll('#items .editors')].map((editors) => editors.textContent)";

#[test]
fn what_one_browser_does_the_other_shows() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.add("milk");
    bob.wait_items(&[("milk", false)]);
    bob.add("bread");
    ada.wait_items(&[("milk", false), ("bread", false)]);
    ada.tick("bread");
    bob.rewrite("milk", "oat milk");
    ada.wait_items(&[("oat milk", false), ("bread", true)]);
    bob.wait_items(&[("oat milk", false), ("bread", true)]);
    ada.press("bread", ".up");
    bob.wait_items(&[("bread", true), ("oat milk", false)]);
    ada.add("soap");
    bob.wait_items(&[("bread", true), ("oat milk", false), ("soap", false)]);
    bob.press("bread", ".delete");
    assert_converged([&ada, &bob], &[("oat milk", false), ("soap", false)]);
}

#[test]
fn everyone_sees_who_is_there_and_what_they_write() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.page.wait_for(PEOPLE, &json!(["ada (you)", "bob"]));
    bob.page.wait_for(PEOPLE, &json!(["ada", "bob (you)"]));
    ada.add("milk");
    ada.add("bread");
    bob.wait_items(&[("milk", false), ("bread", false)]);
    ada.page.write(&ada.field("bread"), "rye bre");
    bob.page.wait_for(EDITORS, &json!(["", "ada is writing"]));
    ada.page.leave();
    bob.page.wait_for(EDITORS, &json!(["", ""]));
    assert_converged([&ada, &bob], &[("milk", false), ("rye bre", false)]);
}

#[test]
fn what_somebody_is_writing_stays_as_it_is_while_others_edit() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.add("milk");
    ada.add("bread");
    bob.wait_items(&[("milk", false), ("bread", false)]);
    let field = bob.field("bread");
    bob.page.write(&field, "rye bread");
    ada.tick("bread");
    ada.press("bread", ".up");
    ada.add("soap");
    bob.page.wait("document.querySelectorAll('#items li').length === 3");
    bob.page.wait(&format!("document.activeElement === document.querySelector('{field}')"));
    bob.page.leave();
    assert_converged([&ada, &bob], &[("rye bread", true), ("milk", false), ("soap", false)]);
}

#[test]
fn a_page_that_is_killed_is_there_no_more() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.page.wait_for(PEOPLE, &json!(["ada (you)", "bob"]));
    bob.page.crash();
    ada.page.wait_for(PEOPLE, &json!(["ada (you)"]));
}

#[test]
fn a_page_that_is_cut_off_shows_nobody_and_is_shown_to_nobody() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.page.wait_for(PEOPLE, &json!(["ada (you)", "bob"]));
    bob.cut_off();
    bob.page.wait_for(PEOPLE, &json!([]));
    ada.page.wait_for(PEOPLE, &json!(["ada (you)"]));
    bob.come_back();
    see_each_other(&ada, &bob);
}

fn see_each_other(ada: &Device, bob: &Device) {
    ada.page.wait_for(PEOPLE, &json!(["ada (you)", "bob"]));
    bob.page.wait_for(PEOPLE, &json!(["ada", "bob (you)"]));
}
