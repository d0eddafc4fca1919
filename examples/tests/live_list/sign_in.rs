//! Tokens that end, and who may go on.

use crate::world::{World, assert_converged};

#[test]
fn a_token_that_is_not_taken_any_more_is_renewed() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.add("milk");
    bob.wait_items(&[("milk", false)]);
    bob.cut_off();
    bob.tick("milk");
    bob.page.run(
        "const account = JSON.parse(localStorage.getItem('account'));
         account.access_token = 'spent';
         localStorage.setItem('account', JSON.stringify(account))",
    );
    bob.page.reload();
    bob.come_back();
    assert_converged([&ada, &bob], &[("milk", true)]);
}

#[test]
fn somebody_who_was_signed_out_signs_in_again_and_has_lost_nothing() {
    let Some((_world, ada, bob)) = World::with_two() else { return };
    ada.add("milk");
    bob.wait_items(&[("milk", false)]);
    bob.cut_off();
    bob.tick("milk");
    bob.line.mend();
    // Their device is revoked, as from another one of theirs, before the page has sent anything.
    bob.page.run(
        "fetch(JSON.parse(localStorage.getItem('account')).server + '/v1/auth/logout', {
             method: 'POST',
             headers: { authorization: `Bearer ${JSON.parse(localStorage.getItem('account')).access_token}` },
         }).then(() => dispatchEvent(new Event('online')))",
    );
    bob.page.wait("document.getElementById('said').textContent.startsWith('Sign in again')");
    bob.enter("bob", "login");
    bob.choose("Groceries");
    assert_converged([&ada, &bob], &[("milk", true)]);
}
