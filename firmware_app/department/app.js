// The department page: connects to the broker that served it (or to ?broker=ws://host:port), and shows every appliance.

"use strict";

const FILTER = "fibrostage/v1/+/+/+";
const cards = new Map();
const page = {
  main: document.getElementById("appliances"),
  empty: document.getElementById("empty"),
  link: document.getElementById("link"),
  clock: document.getElementById("clock"),
  notice: document.getElementById("notice"),
};
let appliances = empty;

function brokerUrl() {
  const wanted = new URLSearchParams(location.search).get("broker");
  if (wanted) return wanted;
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host || "localhost:9001"}/mqtt`;
}

function known({ status, exam, result }) {
  return Boolean(status || exam || result);
}

function show(next) {
  if (next === appliances) return;
  appliances = next;
  for (const [key, card] of cards) {
    if (!(key in appliances)) {
      card.root.remove();
      cards.delete(key);
    }
  }
  const shown = Object.keys(appliances).filter((key) => known(appliances[key]));
  const added = shown.filter((key) => !cards.has(key));
  for (const key of added) cards.set(key, createCard());
  if (added.length) page.main.append(...[...cards.keys()].sort().map((key) => cards.get(key).root));
  for (const key of shown) update(key);
  page.empty.hidden = cards.size > 0;
  const notices = new Set(shown.map((key) => appliances[key].status?.notice).filter(Boolean));
  if (notices.size) page.notice.textContent = [...notices].join(" ");
}

/** One appliance whose messages cannot be shown must not take the others down. */
function update(key) {
  const card = cards.get(key);
  try {
    updateCard(card, appliances[key]);
    card.root.dataset.unreadable = "false";
  } catch (error) {
    console.error(`messages of ${key} cannot be shown`, error);
    blankCard(card);
  }
}

function link(state, text) {
  page.link.dataset.state = state;
  page.link.textContent = text;
  document.body.dataset.link = state;
}

function lost(why) {
  if (page.link.dataset.state === "lost") return;
  link("lost", `${why} since ${clock(Date.now())}; not up to date`);
}

const client = mqtt.connect(brokerUrl(), {
  protocolVersion: 5,
  clean: true,
  keepalive: 10,
  reconnectPeriod: 1000,
  connectTimeout: 5000,
  resubscribe: false,
});
client.on("connect", () => {
  // What was cleared while we were away is not sent again: begin anew from what the broker retains.
  show(empty);
  client.subscribe(FILTER, { qos: 1 });
  link("live", "Live");
});
client.on("message", (topic, payload, packet) => {
  show(reduce(appliances, topic, payload.toString(), packet.properties?.messageExpiryInterval, Date.now()));
});
client.on("close", () => lost("No broker"));
client.on("error", (error) => lost(`Broker refuses (${error.message})`));

setInterval(() => {
  show(expire(appliances, Date.now()));
  page.clock.textContent = clock(Date.now());
}, 1000);
