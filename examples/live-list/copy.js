// The copy of a space that a browser keeps: what the server had when it was last heard of, and what was edited since.
//
// Nothing here waits for a network. Every change is in localStorage before it is shown, all of it as one item, so that
// a page that is closed, reloaded or killed goes on exactly where it was. That suits some hundred records; an
// application with more keeps the same things in IndexedDB.
//
//   const copy = await Copy.open("list of ada");
//   copy.put("items", crypto.randomUUID(), { text: "milk", done: false });
//   const [item] = copy.list("items");
//   copy.patch(item, { done: true });
//
// A "change" event says that something may look different. How edits leave and news comes in is up to sync.js.

import { add, edited, keyOf, learn, pathOf, seal, settle } from "./edits.js";

/** One copy of one space. */
export class Copy extends EventTarget {
  #kept = {
    // What this copy is called, and the number of the mutation that the server expects from it next.
    client: crypto.randomUUID(),
    first: 1,
    // What the server has: {version, data} by "collection/id", without data where it was deleted, so that older news does
    // not bring it back; and up to where that is complete.
    records: {},
    cursor: null,
    // Lists of edits that are on their way. The first may have arrived, so it stays as it is until it is answered.
    batches: [],
    // Edits that are in no batch yet, and those that the server will never take, with its reason.
    waiting: [],
    refused: [],
  };
  #name;
  #release;

  /**
   * Opens the copy with this name, or begins it. A copy belongs to one page at a time, as two would overwrite each
   * other's edits: where another tab has it open, this waits until that is closed.
   */
  static async open(name) {
    const release = await new Promise((hold) => {
      navigator.locks.request(name, () => new Promise((release) => hold(release)));
    });
    return new Copy(name, release);
  }

  /** For `open` alone. */
  constructor(name, release) {
    super();
    this.#name = name;
    this.#release = release;
    this.#kept = JSON.parse(localStorage.getItem(name)) ?? this.#kept;
  }

  /** Leaves it to the next who opens it. */
  close() {
    this.#release();
  }

  /** All records of a collection, with what was edited here: {collection, id, version, data, unsent}. */
  list(collection) {
    const seen = new Map(Object.entries(this.#kept.records));
    for (const edit of this.#unsent()) {
      const key = keyOf(edit.mutation);
      const { version, data } = seen.get(key) ?? { version: 0 };
      // Whoever sees an edit of their own does not see what others have done under it since.
      const base = Math.min(version, edit.mutation.base_version ?? version);
      seen.set(key, { version: base, data: edited(edit, data), unsent: true });
      // A conflict that was settled here is one no more.
      if (edit.mutation.resolves) seen.delete(`$conflicts/${edit.mutation.resolves}`);
    }
    const isShown = ([key, { data }]) => key.startsWith(`${collection}/`) && data !== undefined;
    const record = ([key, record]) => ({ collection, id: key.slice(collection.length + 1), ...record });
    return [...seen].filter(isShown).map(record);
  }

  /** Creates a record, under an id that nobody has used. */
  put(collection, id, data) {
    this.#edit({ op: "put", collection, id, base_version: 0, data }, data);
  }

  /**
   * Changes members of a record to other texts, numbers or truths. The record, from `list`, is given as its author saw it
   * when they began. The server is told what was there: so it joins this with what others did to other members, and
   * notices when it was the same one.
   */
  patch({ collection, id, version, data }, members) {
    const changed = Object.entries(members).filter(([name, now]) => data[name] !== now);
    const patch = changed.map(([name, now]) => ({ path: pathOf(name), was: data[name], now }));
    if (patch.length === 0) return;
    this.#edit({ op: "patch", collection, id, base_version: version, patch }, { ...data, ...members });
  }

  /** Deletes a record. If somebody else changes it at the same time, it stays with their change. */
  delete({ collection, id, version }) {
    this.#edit({ op: "delete", collection, id, base_version: version });
  }

  /** Settles a conflict, from `list("$conflicts")`: the record is to be `data`, or without any stays as it is. */
  resolve(conflict, data) {
    if (data === undefined) return this.delete(conflict);
    const { collection, id } = conflict.data;
    const base_version = this.#kept.records[keyOf({ collection, id })]?.version ?? 0;
    this.#edit({ op: "put", collection, id, base_version, resolves: conflict.id, data }, data);
  }

  /** How many edits the server has not answered. */
  get unsent() {
    return this.#unsent().length;
  }

  /** Edits that the server will never take: {mutation, mine, code, detail}. They stay until they are dismissed. */
  get refused() {
    return this.#kept.refused;
  }
  dismiss(refused) {
    const left = this.#kept.refused.filter((other) => other !== refused);
    this.#change((kept) => (kept.refused = left));
  }

  // The rest is for sync.js.

  /** Up to where the server's changes are here. */
  get cursor() {
    return this.#kept.cursor;
  }

  /** What came with the last answer, by which a server notices that it was restored to a time before it. */
  get receipt() {
    return this.#kept.receipt?.token;
  }

  /** Takes in changes that follow on the cursor, with the cursor after them: both or neither. */
  take({ from, to, changes, head }) {
    this.#change((kept) => {
      // From the very beginning: what was here before is no part of it.
      if (from === null) kept.records = {};
      for (const change of changes) learn(kept, keyOf(change), change.version, change.data);
      kept.cursor = to;
      // The cursor stands for what was answered as well from here on.
      if (kept.receipt?.head <= head) kept.receipt = null;
    });
  }

  /** The batch to be sent, the same until it is answered; undefined if nothing waits. */
  batch() {
    if (this.#kept.batches.length === 0 && this.#kept.waiting.length > 0) this.#keep(seal);
    const { client, first, batches } = this.#kept;
    return batches[0] && { client_id: client, first, mutations: batches[0].map((edit) => edit.mutation) };
  }

  /** The batch was answered: what became of each of its mutations. */
  answered({ outcomes, receipt, head }) {
    this.#change((kept) => {
      if (receipt) kept.receipt = { token: receipt, head };
      const batch = kept.batches.shift();
      kept.first += batch.length;
      batch.forEach((edit, idx) => settle(kept, edit, outcomes[idx]));
    });
  }

  /** The batch was refused as a whole, and nothing of it has happened: in halves, all but the culprit will pass. */
  refuse(code, detail) {
    this.#change((kept) => {
      const batch = kept.batches.shift();
      const half = batch.length >> 1;
      if (half > 0) kept.batches.unshift(batch.slice(0, half), batch.slice(half));
      else settle(kept, batch[0], { outcome: "rejected", code, detail });
    });
  }

  /** These numbers belong to another copy, or the server has forgotten them: the same edits go under a new name. */
  rename() {
    this.#keep(rename);
  }

  /** The cursor cannot be continued: everything is loaded again from the beginning. What was edited here stays. */
  startOver(reason) {
    this.#keep((kept) => {
      kept.cursor = null;
      if (reason === "horizon") return;
      kept.receipt = null;
      rename(kept);
      // Versions that it was based on may be gone with a history that the server does not have any more.
      for (const { mutation } of [...kept.batches.flat(), ...kept.waiting]) {
        if (mutation.base_version > 0) delete mutation.base_version;
      }
    });
  }

  /** What the server has not answered, in the order in which it was done. */
  #unsent() {
    return [...this.#kept.batches.flat(), ...this.#kept.waiting];
  }

  #edit(mutation, mine) {
    this.#change((kept) => add(kept, { mutation, mine }));
  }

  #change(what) {
    this.#keep(what);
    this.dispatchEvent(new Event("change"));
  }

  /** All of it or nothing: if the browser has no room for it, nothing has happened, and whoever asked is told. */
  #keep(what) {
    const kept = structuredClone(this.#kept);
    what(kept);
    localStorage.setItem(this.#name, JSON.stringify(kept));
    this.#kept = kept;
  }
}

function rename(kept) {
  Object.assign(kept, { client: crypto.randomUUID(), first: 1 });
}
