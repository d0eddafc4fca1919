//! One browser is cut off for a while, both go on editing, and nothing of it is lost.

use serde_json::json;

use crate::world::{Device, World, assert_converged};

/// What is said about conflicts.
const CONFLICTS: &str = "[...document.querySelectorAll('#conflicts .what')].map((what) => what.textContent)";

/// How many edits wait.
const UNSENT: &str = "document.getElementById('unsent').textContent";

/// Two people with these items before them.
fn with_items(texts: &[&str]) -> Option<(World, Device, Device)> {
    let (world, ada, bob) = World::with_two()?;
    texts.iter().for_each(|text| ada.add(text));
    let items: Vec<_> = texts.iter().map(|&text| (text, false)).collect();
    assert_converged([&ada, &bob], &items);
    Some((world, ada, bob))
}

#[test]
fn edits_of_different_members_are_merged() {
    let Some((_world, ada, bob)) = with_items(&["milk"]) else { return };
    bob.cut_off();
    ada.tick("milk");
    bob.rewrite("milk", "oat milk");
    bob.wait_items(&[("oat milk", false)]);
    ada.wait_items(&[("milk", true)]);
    bob.come_back();
    assert_converged([&ada, &bob], &[("oat milk", true)]);
    ada.page.wait_for(CONFLICTS, &json!([]));
}

#[test]
fn edits_of_the_same_member_are_a_conflict_that_both_see_and_either_settles() {
    let Some((_world, ada, bob)) = with_items(&["bread"]) else { return };
    bob.cut_off();
    ada.rewrite("bread", "rye bread");
    ada.wait_sent();
    bob.rewrite("bread", "white bread");
    bob.come_back();
    // What is stored stays, for both, until somebody decides.
    assert_converged([&ada, &bob], &[("rye bread", false)]);
    ada.page.wait_for(CONFLICTS, &json!(["bob wanted text “white bread” where it says text “rye bread”"]));
    bob.page.wait_for(CONFLICTS, &json!(["You wanted text “white bread” where it says text “rye bread”"]));
    // Whatever has become of the rest of it in the meantime stays.
    ada.tick("rye bread");
    bob.wait_items(&[("rye bread", true)]);
    bob.page.click("#conflicts .mine");
    assert_converged([&ada, &bob], &[("white bread", true)]);
    ada.page.wait_for(CONFLICTS, &json!([]));
    bob.page.wait_for(CONFLICTS, &json!([]));
}

#[test]
fn a_conflict_is_settled_offline() {
    let Some((_world, ada, bob)) = with_items(&["bread"]) else { return };
    bob.cut_off();
    ada.rewrite("bread", "rye bread");
    ada.wait_sent();
    bob.rewrite("bread", "white bread");
    bob.come_back();
    ada.page.wait("document.querySelector('#conflicts .stored')");
    ada.cut_off();
    ada.page.click("#conflicts .stored");
    ada.page.wait_for(CONFLICTS, &json!([]));
    ada.come_back();
    bob.page.wait_for(CONFLICTS, &json!([]));
    assert_converged([&ada, &bob], &[("rye bread", false)]);
}

#[test]
fn what_is_deleted_goes_unless_somebody_else_has_changed_it() {
    let Some((_world, ada, bob)) = with_items(&["milk", "bread", "soap", "jam"]) else { return };
    bob.cut_off();
    ada.press("milk", ".delete");
    ada.press("bread", ".delete");
    ada.rewrite("soap", "green soap");
    ada.wait_sent();
    bob.rewrite("bread", "rye bread");
    bob.press("soap", ".delete");
    bob.tick("jam");
    bob.add("salt");
    bob.wait_items(&[("milk", false), ("rye bread", false), ("jam", true), ("salt", false)]);
    bob.come_back();
    let left = [("rye bread", false), ("green soap", false), ("jam", true), ("salt", false)];
    assert_converged([&ada, &bob], &left);
}

#[test]
fn a_page_that_is_reloaded_offline_keeps_what_it_has_not_sent() {
    let Some((_world, ada, bob)) = with_items(&["milk", "bread"]) else { return };
    bob.cut_off();
    bob.tick("milk");
    bob.add("salt");
    bob.rewrite("salt", "sea salt");
    bob.press("bread", ".delete");
    // An item that is new has no history: what was written last is all there is of it.
    bob.page.wait_for(UNSENT, &json!("3 not sent"));
    bob.page.reload();
    bob.wait_items(&[("milk", true), ("sea salt", false)]);
    bob.page.wait_for(UNSENT, &json!("3 not sent"));
    ada.add("soap");
    bob.come_back();
    let (by_ada, by_bob) = (("soap", false), ("sea salt", false));
    // Both came after the same two.
    let expected = if first_is(&ada, "soap") {
        [("milk", true), by_ada, by_bob]
    } else {
        [("milk", true), by_bob, by_ada]
    };
    assert_converged([&ada, &bob], &expected);
}

/// Whether this comes second in the list, before what was added at the same place by somebody else.
fn first_is(device: &Device, text: &str) -> bool {
    device.page.wait("document.querySelectorAll('#items li').length === 3");
    device.page.value("document.querySelectorAll('#items .text')[1].value") == text
}

#[test]
fn an_edit_whose_answer_was_lost_is_not_done_twice() {
    let Some((_world, ada, bob)) = with_items(&["milk"]) else { return };
    bob.line.deafen();
    bob.tick("milk");
    ada.wait_items(&[("milk", true)]);
    // It arrived, and bob does not know. What others make of it meanwhile is not overruled when he asks once more.
    ada.tick("milk");
    ada.wait_sent();
    bob.page.wait_for(UNSENT, &json!("1 not sent"));
    bob.cut_off();
    bob.rewrite("milk", "oat milk");
    bob.come_back();
    assert_converged([&ada, &bob], &[("oat milk", false)]);
}
