// Three copies of one space in one page, edited at random, connected and not, and at last compared. Evaluates to a function
// from a seed to what is wrong.
async (seed) => {
  const [{ Account }, { Copy }, { Sync }] = await Promise.all(
    ["account", "copy", "sync"].map((name) => import(`/${name}.js`)),
  );
  const account = Account.last();
  const { space } = await account.call("POST", "/v1/spaces", { name: `random ${seed}` });
  const STEPS = 150;

  // Mulberry32.
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const pick = (things) => things[Math.floor(random() * things.length)];
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  const connect = (device) => {
    device.sync = new Sync(device.copy, { server: account.server, space, token: (isOther) => account.token(isOther) });
  };
  const open = async (name) => {
    const device = { name, copy: await Copy.open(name) };
    connect(device);
    return device;
  };
  const devices = await Promise.all([1, 2, 3].map((number) => open(`random ${seed} ${number}`)));

  // What anybody wrote, and what anybody saw before they wrote something else or deleted it.
  const [written, seen] = [new Set(), new Set()];
  let last;
  const actions = {
    put: ({ copy }, text) => {
      // Few enough that everyone is always at the same ones.
      if (copy.list("items").length >= 3) return;
      copy.put("items", crypto.randomUUID(), { text, done: false });
      written.add(text);
    },
    write: ({ copy }, text) => {
      // Now and then somebody takes their time over it, without writing there by other means.
      const isWritten = (item) => copy.list("items").some(({ id, unsent }) => id === item.id && unsent);
      const isLate = random() < 0.2 && last?.copy === copy && !isWritten(last.item);
      const item = isLate ? last.item : pick(copy.list("items"));
      if (!item) return;
      if (random() < 0.5) last = { copy, item };
      copy.patch(item, { text });
      written.add(text);
      seen.add(item.data.text);
    },
    tick: ({ copy }) => {
      const item = pick(copy.list("items"));
      if (item) copy.patch(item, { done: !item.data.done });
    },
    delete: ({ copy }) => {
      const item = pick(copy.list("items"));
      if (!item) return;
      copy.delete(item);
      seen.add(item.data.text);
    },
    settle: ({ copy }) => {
      const conflict = pick(copy.list("$conflicts").filter(({ data }) => data.state === "open"));
      if (!conflict) return;
      // Somebody looked at both sides.
      const stored = copy.list("items").find(({ id }) => id === conflict.data.id)?.data;
      for (const side of [stored, conflict.data.mine, conflict.data.theirs]) if (side) seen.add(side.text);
      copy.resolve(conflict, random() < 0.5 ? conflict.data.mine : undefined);
    },
    cut: (device) => {
      if (device.sync) device.sync.close();
      if (device.sync) device.sync = undefined;
      else connect(device);
    },
    reload: async (device) => {
      device.sync?.close();
      device.copy.close();
      device.copy = await Copy.open(device.name);
      if (device.sync) connect(device);
    },
  };
  const often = { put: 2, write: 4, tick: 2, delete: 1, settle: 1, cut: 2, reload: 1 };
  const likely = Object.entries(often).flatMap(([name, times]) => Array(times).fill(name));
  for (let step = 0; step < STEPS; step++) {
    await actions[pick(likely)](pick(devices), `${seed}.${step}`);
    if (random() < 0.3) await pause(random() * 40);
  }

  for (const device of devices) if (!device.sync) connect(device);
  const server = (path) => account.call("GET", `/v1/spaces/${space}/${path}`);
  const line = ({ id, version, data }) => [id, version, data?.text, data?.done];
  const shown = (records) => JSON.stringify(records.map(line).sort());
  const isQuiet = async () => {
    if (devices.some(({ copy, sync }) => sync.state !== "live" || copy.unsent > 0)) return false;
    const [{ records }, { conflicts }] = await Promise.all(["records/items", "conflicts?settled=true"].map(server));
    const all = shown(records) + shown(conflicts);
    const bare = ({ id, version }) => ({ id, version });
    const here = ({ copy }) => shown(copy.list("items")) + shown(copy.list("$conflicts").map(bare));
    return devices.every((device) => here(device) === all);
  };
  for (let tries = 0; !(await isQuiet()); tries++) {
    const look = ({ copy, sync }) => [sync.state, sync.why, copy.unsent, shown(copy.list("items"))];
    if (tries === 400) return { never: devices.map(look) };
    await pause(50);
  }

  // Whatever was written is there, or somebody who saw it wanted something else, or it is kept where it is seen.
  const texts = new Set(devices[0].copy.list("items").map(({ data }) => data.text));
  const conflicts = devices[0].copy.list("$conflicts").flatMap(({ data }) => [data.mine, data.theirs]);
  for (const side of conflicts) texts.add(side?.text);
  for (const { copy } of devices) for (const { mine } of copy.refused) texts.add(mine?.text);
  const lost = [...written].filter((text) => !texts.has(text) && !seen.has(text));
  // Two may settle the same conflict. Nothing else is ever refused.
  const refused = devices.flatMap(({ copy }) => copy.refused).filter(({ mutation }) => !mutation.resolves);
  for (const { copy, sync } of devices) [sync, copy].forEach((part) => part.close());
  return { lost, refused };
}
