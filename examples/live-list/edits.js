// What becomes of edits: joined while they wait, sealed into batches, settled by their outcomes. Functions over what
// copy.js keeps; nothing here is stored or sent.
//
// An edit is {mutation, mine}: what the server is asked for, and the whole record as its author wants it.

// A message to a server has at most 64 KiB; this leaves room for what is around the mutations.
const BATCH_BYTES_MAX = 48 << 10;
// Enough for an afternoon offline in a few batches, each answered in some milliseconds.
const BATCH_MUTATIONS_MAX = 200;

/** Adds an edit to those that wait. */
export function add(kept, edit) {
  const isSame = isAbout(edit.mutation);
  const idx = kept.waiting.findLastIndex(isSame);
  const joined = idx < 0 ? undefined : join(kept.waiting[idx], edit);
  // Who deletes or settles something means what they see, which has no version before the edits under it are answered.
  const isLate = kept.batches.flat().some(isSame) || (idx >= 0 && !joined);
  if (isLate && edit.mutation.op !== "patch") delete edit.mutation.base_version;
  if (joined) kept.waiting.splice(idx, 1, ...joined);
  else kept.waiting.push(edit);
  if (!kept.waiting.every(fits)) throw new RangeError("this is too large to be sent");
}

/** Two edits of a record that were both not sent, as one or none; undefined if they stay two. */
function join(before, after) {
  const [first, then] = [before.mutation, after.mutation];
  if (then.resolves || first.resolves || first.op === "delete" || then.op === "put") return undefined;
  // What the server never saw need not be deleted there.
  if (then.op === "delete") return first.op === "put" && first.base_version === 0 ? [] : [after];
  if (first.op === "put") return [{ mutation: { ...first, data: after.mine }, mine: after.mine }];
  const patch = new Map(first.patch.map((edit) => [edit.path, edit]));
  for (const edit of then.patch) patch.set(edit.path, { ...patch.get(edit.path) ?? edit, now: edit.now });
  return [{ mutation: { ...first, patch: [...patch.values()] }, mine: after.mine }];
}

/** Moves what waits into a batch: the oldest edits, and one for each record, as the next needs its outcome. */
export function seal(kept) {
  const [batch, left, keys] = [[], [], new Set()];
  let size = 0;
  for (const edit of kept.waiting) {
    const key = keyOf(edit.mutation);
    size += bytes(edit.mutation);
    const goes = !keys.has(key) && size <= BATCH_BYTES_MAX && batch.length < BATCH_MUTATIONS_MAX;
    (goes ? batch : left).push(edit);
    keys.add(key);
  }
  kept.batches = [batch];
  kept.waiting = left;
}

/** Takes over what became of an edit that was sent. */
export function settle(kept, edit, outcome) {
  const { mutation } = edit;
  const key = keyOf(mutation);
  const isApplied = outcome.outcome === "applied";
  // What was done on top of it may need to know.
  const next = kept.waiting.find(({ mutation: later }) => keyOf(later) === key && later.base_version === undefined);
  if (next) next.mutation.base_version = isApplied ? outcome.version : mutation.base_version;
  if (mutation.resolves && ["applied", "unchanged", "merged"].includes(outcome.outcome)) {
    delete kept.records[`$conflicts/${mutation.resolves}`]?.data;
  }
  switch (outcome.outcome) {
    case "applied":
    case "unchanged": {
      const known = kept.records[key] ?? { version: 0 };
      // Others may have done more to an unchanged record, which the feed will tell.
      const version = isApplied ? outcome.version : known.version;
      if (known.version < outcome.version) kept.records[key] = { version, data: edited(edit, known.data) };
      break;
    }
    case "merged":
      learn(kept, key, outcome.version, outcome.data);
      break;
    case "conflict":
      // The server keeps the edit, as a conflict that the feed brings; or it was to settle one, which stays as it is.
      learn(kept, key, outcome.version, outcome.theirs);
      if (mutation.resolves) refuse(kept, edit, "version_conflict", "the record has changed since");
      break;
    default:
      if (outcome.code === "content_needed") addWhole(kept, edit);
      else refuse(kept, edit, outcome.code, outcome.detail);
  }
}

/** Sends the whole of a record of which only a part was sent: it was deleted, and shall live on with this edit. */
function addWhole(kept, { mutation: { patch, ...rest }, mine }) {
  const edit = { mutation: { ...rest, op: "put", data: mine }, mine };
  if (fits(edit)) kept.waiting.unshift(edit);
  else refuse(kept, edit, "body_too_large", "it was deleted, and is too large to be sent again");
}

/** Puts an edit aside which the server will never take, until somebody has seen it. */
export function refuse(kept, edit, code, detail) {
  kept.refused.push({ ...edit, code, detail });
}

/** Takes over a state of a record from the server, unless a newer one is known. */
export function learn(kept, key, version, data) {
  if (version > (kept.records[key]?.version ?? 0)) kept.records[key] = { version, data };
}

/** What an edit makes of a record; of one that others deleted, what its author has, until the server has decided. */
export function edited({ mutation, mine }, data) {
  if (mutation.op !== "patch" || data === undefined) return mine;
  return { ...data, ...Object.fromEntries(mutation.patch.map(({ path, now }) => [memberAt(path), now])) };
}

/** The path of a member, and the member at a path. */
export function pathOf(name) {
  return `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
export function memberAt(path) {
  return path.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
}

/** What a record is known by here. */
export function keyOf({ collection, id }) {
  return `${collection}/${id}`;
}

function isAbout(mutation) {
  return (edit) => keyOf(edit.mutation) === keyOf(mutation);
}

function fits(edit) {
  return bytes(edit.mutation) <= BATCH_BYTES_MAX;
}

function bytes(value) {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}
