// What the page knows of an appliance: pure functions over the messages of the MQTT contract (docs/mqtt.md).

const TOPIC = /^fibrostage\/v1\/([^/]+)\/([^/]+)\/(status|exam|result|health|acquisition)$/;
const KEPT = new Set(["status", "exam", "result"]);
const SILENT_AFTER_MS = 30_000; // or three of its own heartbeats, if those are further apart
const UNWATCHED_AFTER_MS = 60_000;
const FRESH_MS = 30 * 60_000;
const UNTROUBLED = new Set(["live", "starting", "ended"]);
/** What needs attention first. */
const RANKS = ["alarm", "held", "running", "fresh", "quiet", "offline"];

/** Whose topic it is, and what kind of message; null: none of ours. */
function addressOf(topic) {
  const match = TOPIC.exec(topic);
  return match && { key: `${match[1]}/${match[2]}`, site: match[1], device: match[2], name: match[3] };
}

/**
 * The appliance after a message. `expiryS` is what the broker says is left; what the broker retained is old
 * and no sign of life. `session` numbers the connections: see `settled`.
 */
function told(before, { name, text, expiryS, retained }, session, nowMs) {
  const after = retained ? { ...before } : { ...before, heardMs: nowMs };
  if (name === "health") return { ...after, beatMs: nowMs, beatEveryMs: before.beatMs && nowMs - before.beatMs };
  if (!KEPT.has(name)) return after;
  if (text === "") return { ...after, [name]: null };
  const expires = expiryS === undefined ? Infinity : nowMs + expiryS * 1000;
  const message = { ...parse(text, name), expires, session };
  if (name !== "status") return { ...after, [name]: message };
  const vanished = message.state === "offline" && before.status?.state === "online";
  return { ...after, status: message, offlineMs: vanished ? nowMs : message.state === "offline" && before.offlineMs };
}

function parse(text, type) {
  try {
    const message = JSON.parse(text);
    return message?.type === type ? message : { unreadable: true };
  } catch {
    return { unreadable: true };
  }
}

/** The appliance without what fails `keep`; the same one if nothing does. */
function without(appliance, keep) {
  const gone = [...KEPT].filter((name) => appliance[name] && !keep(appliance[name], name));
  return gone.length ? { ...appliance, ...Object.fromEntries(gone.map((name) => [name, null])) } : appliance;
}

/** Without what the broker would have forgotten by now. */
function expired(appliance, nowMs) {
  return without(appliance, (message) => message.expires > nowMs);
}

/**
 * Without what an earlier connection told and this one did not: it was taken away in between. An appliance that the
 * broker does not know any more stays in sight, as offline.
 */
function settled(appliance, session, nowMs) {
  const kept = without(appliance, (message, name) => name === "status" || message.session === session);
  if (kept.status?.state !== "online" || kept.status.session === session) return kept;
  return { ...kept, status: { ...kept.status, state: "offline" }, offlineMs: nowMs };
}

/**
 * What is to be shown of the connection: "offline", "silent" (online, had a heartbeat, has it no more),
 * "unwatched" (online, never had one), "trouble" (in safe mode), or the state of its video. `sinceMs` is when this page was connected.
 */
function stateOf({ status, beatMs, beatEveryMs, heardMs }, sinceMs, nowMs) {
  if (status?.state !== "online") return "offline";
  const quietMs = nowMs - Math.max(heardMs ?? 0, sinceMs);
  if (beatMs && quietMs > Math.max(SILENT_AFTER_MS, 3 * (beatEveryMs ?? 0))) return "silent";
  if (status.trouble) return "trouble";
  if (!UNTROUBLED.has(status.capture)) return status.capture;
  return !beatMs && quietMs > UNWATCHED_AFTER_MS && status.capture === "live" ? "unwatched" : status.capture;
}

/** What it goes without, the gravest first: [text, remedy, severity]; in its own words what we have none for. */
function lacksOf({ degraded, degraded_texts: texts }) {
  return (degraded ?? []).map((rung, i) => said.rungs[rung] ?? [texts[i], "", "notice"]);
}

/** Which of `RANKS` it has. */
function rankOf(appliance, state, nowMs) {
  const { status, exam, result } = appliance;
  if ([status, exam, result].some((message) => message?.unreadable)) return "alarm";
  if (state === "offline") return "offline";
  const open = exam?.phase === "scanning" || exam?.phase === "complete";
  const refused = open && exam.last_refusal?.severity === "alarm";
  const lacking = lacksOf(status).some(([, , severity]) => severity === "alarm");
  if (refused || lacking || (state !== "unwatched" && !UNTROUBLED.has(state))) return "alarm";
  if (exam?.phase === "held") return "held";
  if (exam?.phase === "scanning") return "running";
  const present = outcome(appliance)?.kind === "result";
  return present || (result && Math.abs(nowMs - Date.parse(result.time)) < FRESH_MS) ? "fresh" : "quiet";
}

/**
 * What to show as the outcome: the provisional one, the result of this exam, or that of the last exam.
 * A result whose exam is not the one on the screen belongs to somebody who has left: it is shown as past.
 */
function outcome({ exam, result }) {
  if (exam?.provisional) return { kind: "provisional", estimate: exam.provisional };
  if (!result) return null;
  const same = exam?.exam_id === result.exam_id;
  const present = same && (exam.phase === "complete" || exam.closing === "finished");
  return { kind: present ? "result" : "past", estimate: result };
}
