// The page: a list that several people edit at once, also without a connection. It shows a copy, and edits it; how that
// becomes the same for everyone is the business of sync.js.

import { Account } from "./account.js";
import { Copy } from "./copy.js";
import { memberAt } from "./edits.js";
import { Sync } from "./sync.js";

const at = (id) => document.getElementById(id);
// What a link to this page brings along: #server=…&invite=…
const given = new URLSearchParams(location.hash.slice(1));
let account, copy, sync;

// --- Signing in, and which list

/** Shows one of the three parts of the page. */
function turnTo(part) {
  for (const id of ["enter", "spaces", "list"]) at(id).hidden = id !== part;
}

function say(text) {
  at("said").textContent = text;
  at("said").hidden = !text;
}

/** Does something that a server may refuse, or a browser have no room for, and says so if it does. */
async function attempt(what) {
  say("");
  try {
    await what();
  } catch (error) {
    if (error.isSignedOut) turnTo("enter");
    say(error.message);
  }
}

at("enter").onsubmit = (event) => {
  event.preventDefault();
  const how = event.submitter.value;
  const { server, ...as } = Object.fromEntries(new FormData(event.target));
  const invite = given.get("invite");
  attempt(async () => {
    if (how === "register" && invite) {
      as.invite = invite;
      given.delete("invite");
    }
    const entered = await Account.enter(server.replace(/\/+$/, ""), how, as);
    close();
    account = entered;
    await chooseSpace();
  });
};

async function chooseSpace() {
  history.replaceState(null, "", location.pathname);
  const token = given.get("invite");
  given.delete("invite");
  if (token) return open((await account.call("POST", "/v1/invites/accept", { token })).space);
  const { spaces } = await account.call("GET", "/v1/spaces");
  localStorage.removeItem("space");
  const list = at("spaces").querySelector("ul");
  const name = ({ space, name }) => name ?? (space === account.home ? "My own list" : space);
  keyed(list, spaces.map((space) => ({ id: space.space, name: name(space) })), "space", (row, { id, name }) => {
    row.querySelector(".open").textContent = name;
    row.querySelector(".open").onclick = () => attempt(() => open(id));
  });
  turnTo("spaces");
}

at("create").onsubmit = (event) => {
  event.preventDefault();
  const { name } = Object.fromEntries(new FormData(event.target));
  attempt(async () => open((await account.call("POST", "/v1/spaces", { name })).space));
};

at("leave").onclick = () => attempt(async () => {
  await account.leave();
  turnTo("enter");
});

at("invite").onclick = () => attempt(async () => {
  const space = localStorage.getItem("space");
  const { token } = await account.call("POST", `/v1/spaces/${space}/invites`, { role: "editor" });
  const link = new URL(location);
  link.hash = new URLSearchParams({ server: account.server, invite: token });
  at("link").textContent = link;
});

at("back").onclick = () => attempt(async () => {
  await chooseSpace();
  close();
});

/** Opens a list. Neither this nor anything that is done with it needs a connection. */
async function open(space) {
  localStorage.setItem("space", space);
  turnTo("list");
  at("state").textContent = "open in another tab";
  copy = await Copy.open(`${space} of ${account.user.id} at ${account.server}`);
  sync = new Sync(copy, { server: account.server, space, token: (isOther) => account.token(isOther) });
  copy.addEventListener("change", show);
  sync.addEventListener("change", show);
  sync.here({ name: account.user.username });
  show();
}

function close() {
  copy?.removeEventListener("change", show);
  sync?.removeEventListener("change", show);
  sync?.close();
  copy?.close();
  copy = sync = undefined;
  at("link").textContent = "";
}

// --- Editing

at("add").onsubmit = (event) => {
  event.preventDefault();
  const { text } = Object.fromEntries(new FormData(event.target));
  const order = Math.max(0, ...items().map((item) => item.data.order)) + 1;
  attempt(() => copy.put("items", crypto.randomUUID(), { text, done: false, order }));
  event.target.reset();
};

function items() {
  return copy.list("items").sort((a, b) => a.data.order - b.data.order || (a.id < b.id ? -1 : 1));
}

function showItem(row, item, idx, all) {
  const [done, text] = [row.querySelector(".done"), row.querySelector(".text")];
  row.className = item.unsent ? "unsent" : "";
  done.checked = item.data.done;
  done.onchange = () => attempt(() => copy.patch(item, { done: done.checked }));
  showText(text, item);
  row.querySelector(".editors").textContent = others().filter(({ state }) => state.editing === item.id)
    .map(({ state }) => `${state.name} is writing`).join(", ");
  const [above, further] = [all[idx - 1], all[idx - 2]];
  row.querySelector(".up").disabled = !above;
  row.querySelector(".up").onclick = () => attempt(() => {
    const order = further ? (above.data.order + further.data.order) / 2 : above.data.order - 1;
    copy.patch(item, { order });
  });
  row.querySelector(".delete").onclick = () => attempt(() => copy.delete(item));
}

/** The text of an item. While somebody writes there it stays as they began, and so does what their edit is based on. */
function showText(text, item) {
  if (text === document.activeElement) return;
  let seen = item;
  text.value = item.data.text;
  text.onfocus = () => sync.here({ name: account.user.username, editing: item.id });
  text.onchange = () => attempt(() => {
    copy.patch(seen, { text: text.value });
    seen = items().find(({ id }) => id === item.id) ?? seen;
  });
  text.onblur = () => {
    sync.here({ name: account.user.username });
    show();
  };
}

// --- Showing

function show() {
  if (sync.state === "signed out") {
    turnTo("enter");
    say("Sign in again to go on. Nothing here is lost.");
  }
  at("state").textContent = sync.why ? `${sync.state} (${sync.why})` : sync.state;
  at("unsent").textContent = copy.unsent ? `${copy.unsent} not sent` : "";
  const people = [...sync.people].map(([id, person]) => ({ id, ...person }));
  keyed(at("people"), people, "person", (row, { id, state }) => {
    row.querySelector(".name").textContent = id === sync.connection ? `${state.name} (you)` : state.name;
  });
  keyed(at("items"), items(), "item", showItem);
  const open = copy.list("$conflicts").filter(({ data }) => data.state === "open");
  keyed(at("conflicts"), open, "conflict", showConflict);
  keyed(at("refused"), copy.refused.map((refused, idx) => ({ id: String(idx), refused })), "refusal", showRefused);
}

/** Those who are here besides this page. */
function others() {
  return [...sync.people].filter(([id]) => id !== sync.connection).map(([, person]) => person);
}

/** An edit that lost: it can take the place of what is stored, or go. */
function showConflict(row, conflict) {
  const { id, patch, mine, by } = conflict.data;
  const stored = items().find((item) => item.id === id)?.data;
  // Of an edit of one member only that one is taken, whatever has become of the others.
  const members = stored && patch ? Object.fromEntries(patch.map(({ path, now }) => [memberAt(path), now])) : mine;
  const who = by === account.user.id ? "You" : others().find(({ user }) => user === by)?.state.name ?? "Somebody";
  row.querySelector(".what").textContent = `${who} wanted ${inWords(members)} where it says ${inWords(stored, members)}`;
  row.querySelector(".mine").hidden = !members;
  row.querySelector(".mine").textContent = `Take ${inWords(members)}`;
  row.querySelector(".mine").onclick = () => attempt(() => copy.resolve(conflict, { ...stored, ...members }));
  row.querySelector(".stored").textContent = `Keep ${inWords(stored, members)}`;
  row.querySelector(".stored").onclick = () => attempt(() => copy.resolve(conflict));
}

function showRefused(row, { refused }) {
  const { mutation, mine, code, detail } = refused;
  row.querySelector(".what").textContent = `Not taken: ${mutation.op} ${inWords(mine)} (${code}: ${detail})`;
  row.querySelector(".forget").onclick = () => attempt(() => copy.dismiss(refused));
}

/** The members of a record for people; of `stored` only those that `members` has. */
function inWords(stored, members = stored) {
  if (!stored) return "nothing";
  return Object.keys(members ?? stored).map((name) => `${name} “${stored[name]}”`).join(", ");
}

/** Makes the rows of a list those of `things`, by their id. While somebody writes in one of them nothing moves. */
function keyed(list, things, template, fill) {
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const isBusy = list.contains(document.activeElement) && document.activeElement.matches(".text");
  things.forEach((thing, idx) => {
    const row = rows.get(thing.id) ?? at(template).content.firstElementChild.cloneNode(true);
    row.dataset.id = thing.id;
    fill(row, thing, idx, things);
    const isNew = !rows.delete(thing.id);
    if (isNew || (!isBusy && list.children[idx] !== row)) list.insertBefore(row, list.children[idx] ?? null);
  });
  for (const row of rows.values()) if (!row.contains(document.activeElement) || !isBusy) row.remove();
}

// --- Beginning

at("enter").elements.server.value = given.get("server") ?? "";
if (isSecureContext) {
  account = Account.last();
  if (account && given.has("invite")) attempt(chooseSpace);
  else if (account && localStorage.getItem("space")) attempt(() => open(localStorage.getItem("space")));
  else if (account) attempt(chooseSpace);
  else turnTo("enter");
} else {
  attempt(() => Promise.reject(new Error("This page needs https, or an address of this computer.")));
}
