// Keeps a copy of a space in sync with its server, over one WebSocket to /v1/live.
//
//   const sync = new Sync(copy, { server: "https://sync.example", space: "family", token: () => account.token() });
//   sync.addEventListener("change", show);
//   sync.here({ name: "Ada", editing: "some id" });
//
// What it does, in this order: it signs in, follows the space from the copy's cursor, and once it has everything it sends
// what was edited, one batch after the other. Whatever breaks, it begins again, and nothing is lost or done twice:
// changes are in the copy together with their cursor, and a batch is repeated until it is answered.

// The server is heard every 20 s. Two of these lost, and it is not there any more.
const SILENCE_MS_MAX = 45_000;
// The first try comes soon; the time doubles up to a minute, so that a server that was away is not overrun.
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;
// A server that restarts asks its clients to spread over this time.
const RESTART_MS = 5_000;

// Refusals that say that something in the batch can never be taken. After any other the same batch may pass later.
const REFUSED_FOR_GOOD = ["body_too_large", "invalid_encoding", "invalid_id", "malformed_json", "validation_failed"];
// Refusals of the batch's numbers.
const REFUSED_NUMBERS = ["client_forked", "forbidden_client", "mutation_gap"];

/** The connection of one copy, as long as the page is open or until `close`. */
export class Sync extends EventTarget {
  /** "connecting", "loading", "live", "waiting" for the next try, "signed out", or "closed". */
  state = "connecting";
  /** Why it is not live: the code of the last refusal, if there was one. */
  why = undefined;
  /** The connections that are in the space, this one too: {user, state} by their names. */
  people = new Map();
  /** The name of this connection. */
  connection = undefined;

  #copy;
  #server;
  #space;
  #token;
  #socket;
  #presence = null;
  #isAsking = false;
  #sent;
  #failures = 0;
  #isTokenBad = false;
  #timers = {};

  /** `token` is called for each connection and promises an access token; with `true` for a newer one than the last. */
  constructor(copy, { server, space, token }) {
    super();
    this.#copy = copy;
    this.#server = server;
    this.#space = space;
    this.#token = token;
    copy.addEventListener("change", this.#push);
    addEventListener("online", this.#connect);
    this.#connect();
  }

  /** Shows others that somebody is here, with a state of up to 2 KiB; null for nobody. */
  here(state) {
    this.#presence = state;
    if (this.state === "live") this.#send({ type: "presence", ref: "here", space: this.#space, state });
  }

  /** Ends the connection for good. What was not sent stays in the copy. */
  close() {
    this.#copy.removeEventListener("change", this.#push);
    removeEventListener("online", this.#connect);
    this.#drop();
    this.#is("closed");
  }

  #connect = async () => {
    if (this.#socket) return;
    clearTimeout(this.#timers.retry);
    this.#is("connecting", this.why);
    // Whoever calls meanwhile finds that it is being done.
    const socket = (this.#socket = { close() {} });
    const token = await this.#token(this.#isTokenBad).catch((error) => error);
    if (this.#socket !== socket) return;
    if (token instanceof Error) return this.#lost({ error: token });
    this.#isTokenBad = false;
    this.#open(token);
  };

  #open(token) {
    // A browser sets no headers on a WebSocket: the token is its first message.
    const socket = new WebSocket(`${this.#server.replace(/^http/, "ws")}/v1/live?auth=message`);
    this.#socket = socket;
    socket.onopen = () => this.#send({ type: "auth", token });
    socket.onclose = ({ code }) => this.#lost({ code });
    socket.onmessage = ({ data }) => {
      this.#heard();
      try {
        this.#take(JSON.parse(data));
      } catch (error) {
        // The browser has no room for it, say. Nothing of it was taken in, so it can be asked for again.
        this.#lost({ why: error.message });
      }
    };
    this.#heard();
  }

  #take(message) {
    switch (message.type) {
      case "ready":
        this.connection = message.connection;
        return this.#subscribe();
      case "frame":
        return this.#frame(message);
      case "resync":
        this.#copy.startOver(message.reason);
        return this.#subscribe();
      case "pushed":
        this.#sent = undefined;
        // This changes the copy, which sends the next.
        return this.#copy.answered(message.reply);
      case "presence":
        return this.#present(message);
      case "beat":
        // A connection that has held for so long was no failure.
        this.#failures = 0;
        return this.#send({ type: "ping", ref: "here", at: this.#at() });
      case "error":
        return this.#refused(message);
    }
  }

  #subscribe() {
    this.#isAsking = true;
    const { cursor, receipt } = this.#copy;
    const after = cursor ?? undefined;
    this.#send({ type: "subscribe", ref: "subscribe", space: this.#space, after, receipt, presence: true });
    this.#is("loading");
  }

  #frame(frame) {
    // Frames that were on their way when it subscribed again lead elsewhere. The one that answers follows on the cursor.
    if (frame.from !== this.#copy.cursor) return this.#isAsking || this.#subscribe();
    this.#isAsking = false;
    this.#copy.take(frame);
    if (frame.has_more || this.state === "live") return;
    this.#is("live");
    if (this.#presence) this.here(this.#presence);
    this.#push();
  }

  /** Sends the next batch, if everything that others did is here and no batch is on its way. */
  #push = () => {
    if (this.state !== "live" || this.#sent) return;
    const push = this.#copy.batch();
    if (!push) return;
    this.#sent = `${push.client_id}:${push.first}`;
    // Without a receipt: it was shown when this connection subscribed, and a server does not go back while one is open.
    this.#send({ type: "push", ref: this.#sent, space: this.#space, push });
  };

  #present({ all, here, gone }) {
    if (all) this.people.clear();
    for (const { connection, ...person } of here) this.people.set(connection, person);
    for (const connection of gone) this.people.delete(connection);
    this.dispatchEvent(new Event("change"));
  }

  #refused({ ref, code, detail, retry_after: seconds = 0 }) {
    // Who is here and how far this copy is will be told again.
    if (ref === "here") return;
    if (ref !== undefined && ref === this.#sent) return this.#notTaken(code, detail, seconds);
    // The cursor, or the receipt, and then nobody knows whether the server still has what it answered.
    if (code === "invalid_cursor") this.#copy.startOver("history_diverged");
    // There is no subscription, or something was not even read: whatever it was, it is said again on another connection.
    this.#lost({ why: code, seconds });
  }

  /** The batch was refused. */
  #notTaken(code, detail, seconds) {
    const again = () => {
      this.#sent = undefined;
      this.#push();
    };
    if (REFUSED_FOR_GOOD.includes(code)) {
      this.#copy.refuse(code, detail);
    } else if (REFUSED_NUMBERS.includes(code)) {
      this.#copy.rename();
    } else {
      // The server is busy, or its user may only read now. It may be taken later; until then news still comes in.
      this.#timers.push = setTimeout(again, seconds * 1000 || RETRY_MS_MAX);
      return this.#is(this.state, code);
    }
    again();
  }

  /** The connection has ended, or is of no use. */
  #lost({ code, error, why = error?.code, seconds = 0 }) {
    this.#drop();
    if (error?.isSignedOut) return this.#is("signed out");
    if (code === 4400) this.#copy.startOver("history_diverged");
    if (code === 4401) this.#isTokenBad = true;
    if (code === 4403) why = "space_not_found";
    const most = code === 1012 ? RESTART_MS : Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    // At random, so that those who were cut off together do not come back together.
    this.#timers.retry = setTimeout(this.#connect, seconds * 1000 + Math.random() * most);
    this.#is("waiting", why ?? this.why);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = this.#sent = this.connection = undefined;
    this.people.clear();
    Object.values(this.#timers).forEach(clearTimeout);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** How far this copy is, once that is known. */
  #at() {
    return this.state === "live" ? { [this.#space]: this.#copy.cursor } : {};
  }

  #heard() {
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => this.#lost({}), SILENCE_MS_MAX);
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #is(state, why) {
    this.state = state;
    this.why = why;
    this.dispatchEvent(new Event("change"));
  }
}
