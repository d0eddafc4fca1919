// Who is signed in at which server, and what that is good for: tokens, and the spaces in which they hold.
//
//   const account = await Account.enter("https://sync.example", "login", { username: "ada", password });
//   const { spaces } = await account.call("GET", "/v1/spaces");
//
// The tokens are in localStorage, which every script of this origin can read: serve nothing else from it.

const KEPT_AS = "account";
// For a slow line; a lost answer is asked for again.
const ANSWER_MS_MAX = 30_000;

/** A refusal by the server: its `code`, and what it says for people. */
export class Refusal extends Error {
  constructor({ code, detail, title }) {
    super(detail || title);
    this.code = code;
  }

  /** Whether only signing in again will help. */
  get isSignedOut() {
    return ["invalid_token", "token_revoked", "missing_credentials"].includes(this.code);
  }
}

/** Somebody who signed in in this browser, and stays so until they sign out. */
export class Account {
  #kept;

  /** Whoever signed in here last. */
  static last() {
    const kept = JSON.parse(localStorage.getItem(KEPT_AS));
    return kept && new Account(kept);
  }

  /** Signs in: `how` is "login" or "register", and `as` what these take: username, password, perhaps an invite. */
  static async enter(server, how, as) {
    const granted = await request(server, "POST", `/v1/auth/${how}`, { ...as, device_name: "a browser" });
    return new Account({ server, ...granted }).#keep();
  }

  constructor(kept) {
    this.#kept = kept;
  }

  get server() {
    return this.#kept.server;
  }
  get user() {
    return this.#kept.user;
  }
  /** The space that is theirs alone. */
  get home() {
    return this.#kept.space;
  }

  /** An access token; with `true` another than the one before, which was not taken. */
  async token(isOther = false) {
    // One tab at a time, so that two do not spend the same refresh token on different words.
    return navigator.locks.request(KEPT_AS, async () => {
      const before = this.#kept.access_token;
      const last = Account.last()?.#kept;
      if (last?.device === this.#kept.device) this.#kept = last;
      if (isOther && this.#kept.access_token === before) await this.#refresh();
      return this.#kept.access_token;
    });
  }

  /** Calls the server, and returns what it answers. */
  async call(method, path, body) {
    try {
      return await request(this.server, method, path, body, await this.token());
    } catch (error) {
      if (error.code !== "token_expired") throw error;
      return request(this.server, method, path, body, await this.token(true));
    }
  }

  /** Signs out, at the server too if it can be reached. */
  async leave() {
    localStorage.removeItem(KEPT_AS);
    await request(this.server, "POST", "/v1/auth/logout", undefined, this.#kept.access_token).catch(() => {});
  }

  async #refresh() {
    // The word is kept before it is sent: with it a lost answer may be asked for again, without it that looks like theft.
    this.#kept.exchange ??= crypto.randomUUID();
    this.#keep();
    const { refresh_token, exchange } = this.#kept;
    const granted = await request(this.server, "POST", "/v1/auth/refresh", { refresh_token, exchange });
    this.#kept = { ...this.#kept, ...granted, exchange: undefined };
    this.#keep();
  }

  #keep() {
    localStorage.setItem(KEPT_AS, JSON.stringify(this.#kept));
    return this;
  }
}

async function request(server, method, path, body, token) {
  const headers = {};
  if (body) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch(server + path, { method, headers, body: body && JSON.stringify(body), signal });
  const text = await answer.text();
  // What is no JSON comes from something in between.
  const isJson = /json/.test(answer.headers.get("content-type"));
  const said = isJson ? JSON.parse(text) : {};
  if (!answer.ok) throw new Refusal({ title: `the server answered ${answer.status}`, ...said });
  return said;
}
