//! What a copy keeps and what it sends, by itself: `copy.js` and `edits.js` without a server.

use serde_json::{Value, json};

use crate::world::World;

/// What a script yields that is given a new `copy`, with an item `a` of version 10 that says "milk".
fn with_copy(js: &str) -> Option<Value> {
    let world = World::start()?;
    let page = world.device("").page;
    let begin = "(async () => {
        const { Copy } = await import('/copy.js');
        const name = 'a copy';
        let copy = await Copy.open(name);
        const frame = (version, data) => {
            const change = { collection: 'items', id: 'a', version, deleted: !data, data };
            copy.take({ from: copy.cursor, to: String(version), changes: [change] });
        };
        const item = () => copy.list('items')[0];
        frame(10, { text: 'milk', done: false });
    ";
    Some(page.value(&format!("{begin} {js} }})()")))
}

#[test]
fn a_batch_stays_as_it_is_until_it_is_answered() {
    let js = "copy.patch(item(), { text: 'oat milk' });
        const sent = copy.batch();
        copy.patch(item(), { done: true });
        copy.close();
        copy = await Copy.open(name);
        const again = copy.batch();
        copy.answered({ outcomes: [{ outcome: 'applied', version: 11 }] });
        const next = copy.batch();
        return [JSON.stringify(sent) === JSON.stringify(again), sent.first, next.first, next.mutations[0].patch];";
    let Some(found) = with_copy(js) else { return };
    assert_eq!(found, json!([true, 1, 2, [{"path": "/done", "was": false, "now": true}]]));
}

#[test]
fn a_receipt_is_shown_until_changes_from_behind_it_were_taken() {
    let js = "const take = (head, to) => copy.take({ from: copy.cursor, to, changes: [], head });
        const seen = [copy.receipt];
        const answer = (receipt, head) => {
            copy.patch(item(), { text: `${head}` });
            copy.batch();
            copy.answered({ outcomes: [{ outcome: 'applied', version: head }], receipt, head });
            seen.push(copy.receipt);
        };
        answer('one', 20);
        take(19, 'b');
        seen.push(copy.receipt);
        copy.close();
        copy = await Copy.open(name);
        seen.push(copy.receipt);
        take(20, 'c');
        seen.push(copy.receipt);
        answer('two', 21);
        answer(undefined, 22);
        copy.startOver('horizon');
        seen.push(copy.receipt);
        copy.startOver('history_diverged');
        seen.push(copy.receipt);
        return seen.map((receipt) => receipt ?? null);";
    let Some(found) = with_copy(js) else { return };
    assert_eq!(found, json!([null, "one", "one", "one", null, "two", "two", "two", null]));
}

#[test]
fn edits_that_were_not_sent_are_one() {
    let js = "copy.patch(item(), { text: 'oat milk' });
        copy.patch(item(), { text: 'soy milk' });
        copy.patch(item(), { done: true });
        copy.put('items', 'b', { text: 'bread' });
        copy.patch(copy.list('items')[1], { text: 'rye bread' });
        copy.put('items', 'c', { text: 'soap' });
        copy.delete(copy.list('items')[2]);
        return copy.batch().mutations.map(({ id, op, base_version, patch, data }) => [id, op, base_version, patch ?? data]);";
    let Some(found) = with_copy(js) else { return };
    let patch = json!([
        {"path": "/text", "was": "milk", "now": "soy milk"},
        {"path": "/done", "was": false, "now": true},
    ]);
    assert_eq!(found, json!([["a", "patch", 10, patch], ["b", "put", 0, {"text": "rye bread"}]]));
}

#[test]
fn who_deletes_an_edit_of_their_own_does_not_delete_what_came_under_it() {
    let js = "copy.patch(item(), { text: 'oat milk' });
        frame(12, { text: 'rice milk', done: false });
        copy.delete(item());
        return copy.batch().mutations.map(({ op, base_version }) => [op, base_version]);";
    let Some(found) = with_copy(js) else { return };
    // Version 12 was never seen: the server will know that somebody changed the item since 10.
    assert_eq!(found, json!([["delete", 10]]));
}

#[test]
fn an_edit_on_top_of_one_that_is_on_its_way_is_based_on_what_becomes_of_it() {
    let js = "const based = (outcome) => {
            copy.patch(item(), { text: 'oat milk' });
            copy.batch();
            copy.delete(item());
            copy.answered({ outcomes: [outcome] });
            const [deletion] = copy.batch().mutations;
            copy.answered({ outcomes: [{ outcome: 'unchanged', version: 0 }] });
            frame(copy.version = (copy.version ?? 20) + 10, { text: 'milk', done: false });
            return deletion.base_version;
        };
        const applied = based({ outcome: 'applied', version: 11 });
        const merged = based({ outcome: 'merged', version: 31, data: { text: 'oat milk', done: true } });
        return [applied, merged];";
    let Some(found) = with_copy(js) else { return };
    // What others did to it is not seen before the answer.
    assert_eq!(found, json!([11, 30]));
}

#[test]
fn older_news_does_not_bring_back_what_was_deleted_or_changed() {
    let js = "copy.delete(item());
        copy.batch();
        copy.answered({ outcomes: [{ outcome: 'applied', version: 13 }] });
        frame(12, { text: 'rice milk', done: false });
        const gone = item() === undefined;
        frame(14, { text: 'soy milk', done: false });
        return [gone, item().data.text];";
    let Some(found) = with_copy(js) else { return };
    assert_eq!(found, json!([true, "soy milk"]));
}

#[test]
fn what_can_never_be_sent_is_set_aside_and_holds_up_nothing_else() {
    let js = "['b', 'c', 'd'].forEach((id) => copy.put('items', id, { text: id }));
        const taken = [];
        for (let batch; (batch = copy.batch()); ) {
            const ids = batch.mutations.map(({ id }) => id);
            if (ids.includes('c')) copy.refuse('validation_failed', 'not this one');
            else {
                taken.push([batch.first, ...ids]);
                copy.answered({ outcomes: ids.map(() => ({ outcome: 'applied', version: 20 })) });
            }
        }
        const refused = copy.refused.map(({ mutation, mine, code }) => [mutation.id, mine.text, code]);
        copy.dismiss(copy.refused[0]);
        return [taken, refused, copy.refused.length];";
    let Some(found) = with_copy(js) else { return };
    assert_eq!(found, json!([[[1, "b"], [2, "d"]], [["c", "c", "validation_failed"]], 0]));
}

#[test]
fn an_edit_for_which_there_is_no_room_has_not_happened() {
    let js = "const refused = (edit) => {
            try { edit(); } catch (error) { return error.name; }
        };
        const large = refused(() => copy.patch(item(), { text: 'x'.repeat(50_000) }));
        const room = Storage.prototype.setItem;
        Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
        const full = refused(() => copy.patch(item(), { text: 'oat milk' }));
        Storage.prototype.setItem = room;
        return [large, full, item().data.text, copy.unsent];";
    let Some(found) = with_copy(js) else { return };
    assert_eq!(found, json!(["RangeError", "QuotaExceededError", "milk", 0]));
}
