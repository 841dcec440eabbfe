// The department page: connects to the broker that served it (or to ?broker=ws://host:port), and shows every appliance.

const FILTER = "fibrostage/v1/+/+/+";
const SETTLED_MS = 1_000; // so long after the last retained message, nothing more that is retained will come
const GATHER_MS = 100; // while the broker tells what it retains
const appliances = new Map();
const cards = new Map();
const dirty = new Set();
const page = Object.fromEntries(
  ["appliances", "empty", "link", "summary", "clock", "notice"].map((id) => [id, document.getElementById(id)]),
);
let session = 0;
let sinceMs = 0; // this connection
let lostMs = null; // while there is none
let settling = 0; // timer of the first moments of a connection
let frame = 0;

function brokerUrl() {
  const wanted = new URLSearchParams(location.search).get("broker");
  if (wanted) return wanted;
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host || "localhost:9001"}/mqtt`;
}

/** Remembers what an appliance has become, and shows it soon. */
function become(key, appliance) {
  if (appliances.get(key) === appliance) return;
  appliances.set(key, appliance);
  touch(key);
}

/** With the next frame of the screen; at the beginning less often, so that the broker is not kept waiting. */
function touch(key) {
  dirty.add(key);
  frame ||= settling ? setTimeout(render, GATHER_MS) : requestAnimationFrame(render);
}

function render() {
  frame = 0;
  const shown = cards.size;
  for (const key of dirty) show(key, appliances.get(key));
  dirty.clear();
  if (cards.size !== shown) arrange(page.appliances, cards.size);
  order(page.appliances, [...cards.values()], Boolean(settling));
  page.empty.hidden = cards.size > 0 || session === 0;
  summarise();
}

function show(key, appliance) {
  if (!appliance.status && !appliance.exam && !appliance.result) {
    cards.get(key)?.root.remove();
    cards.delete(key);
    return;
  }
  if (!cards.has(key)) cards.set(key, { ...createCard(), key });
  const card = cards.get(key);
  const state = stateNow(appliance);
  card.state = state;
  card.name = appliance.status?.room || appliance.device;
  card.standing = rankOf(appliance, state, Date.now());
  card.rank = updateCard(card, appliance, state, card.standing);
}

/** While there is no broker, nothing that is not heard tells anything about the appliances. */
function stateNow(appliance) {
  return stateOf(appliance, sinceMs, lostMs ?? Date.now());
}

function summarise() {
  const ranks = [...cards.values()].map((card) => card.rank);
  for (const [rank, node] of Object.entries(counts)) {
    const n = ranks.filter((other) => other === rank).length;
    node.hidden = n === 0;
    write(node, `${words.attention[rank]} ${n}`);
  }
}

function link(state, text) {
  page.link.dataset.state = state;
  write(page.link, text);
  document.body.dataset.link = state;
}

function lost(sentence, why = "") {
  clearTimeout(settling);
  settling = 0;
  if (lostMs && page.link.dataset.state === "lost") return;
  lostMs ??= Date.now();
  link("lost", fill(sentence, { why, time: clock(lostMs) }));
}

/** The broker has told what it retains: what it did not tell again is no longer true. */
function settle() {
  settling = 0;
  for (const [key, appliance] of appliances) become(key, settled(appliance, session, Date.now()));
  link("live", words.live);
}

function listen() {
  session += 1;
  sinceMs = Date.now();
  lostMs = null;
  link(session === 1 ? "live" : "syncing", session === 1 ? words.live : words.syncing);
  settling = setTimeout(settle, SETTLED_MS);
  client.subscribe(FILTER, { qos: 1 });
  frame ||= requestAnimationFrame(render);
}

function hear(topic, payload, packet) {
  const address = addressOf(topic);
  if (!address) return;
  if (packet.retain && settling) {
    clearTimeout(settling);
    settling = setTimeout(settle, SETTLED_MS);
  }
  const known = appliances.get(address.key) ?? { key: address.key, site: address.site, device: address.device };
  const expiryS = packet.properties?.messageExpiryInterval;
  const message = { name: address.name, text: payload.toString(), expiryS, retained: packet.retain };
  become(address.key, told(known, message, session, Date.now()));
}

function tick() {
  for (const [key, appliance] of appliances) {
    become(key, expired(appliance, Date.now()));
    const card = cards.get(key);
    const state = stateNow(appliance);
    if (card && (card.state !== state || card.standing !== rankOf(appliance, state, Date.now()))) touch(key);
  }
  order(page.appliances, [...cards.values()], Boolean(settling));
  write(page.clock, clock(Date.now()));
}

document.documentElement.lang = LANGUAGE;
page.appliances.setAttribute("aria-label", words.appliances);
page.summary.setAttribute("aria-label", words.summary);
write(page.empty, words.empty);
write(page.notice, said.notice);
page.empty.hidden = true;
link("connecting", words.connecting);
const counts = Object.fromEntries(RANKS.map((rank) => [rank, page.summary.appendChild(element("span", "", rank))]));
counts.alarm.setAttribute("role", "status");
arrange(page.appliances, 0);
tick();
setInterval(tick, 1000);
addEventListener("resize", () => arrange(page.appliances, cards.size));

const client = mqtt.connect(brokerUrl(), {
  protocolVersion: 5,
  clean: true,
  keepalive: 10,
  reconnectPeriod: 1000,
  connectTimeout: 5000,
  resubscribe: false,
});
client.on("connect", listen);
client.on("message", hear);
client.on("close", () => lost(words.lost));
client.on("error", (error) => lost(words.refused, error.message));
