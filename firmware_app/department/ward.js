// What the page knows: a pure reducer over the messages of the MQTT contract (docs/mqtt.md).
// Plain scripts that share one scope: mosquitto serves files without a type, and browsers refuse modules then.

"use strict";

const TOPIC = /^fibrostage\/v1\/([^/]+)\/([^/]+)\/(status|exam|result)$/;

const empty = Object.freeze({});

/** The state after a message; the same state if it is none of ours. `expiryS` is what the broker says is left. */
function reduce(appliances, topic, text, expiryS, nowMs) {
  const match = TOPIC.exec(topic);
  if (!match) return appliances;
  const [, site, device, name] = match;
  const key = `${site}/${device}`;
  const before = appliances[key] ?? { site, device };
  const message = text === "" ? null : parse(text, name);
  if (message === undefined) return appliances;
  const expires = message && expiryS !== undefined ? nowMs + expiryS * 1000 : Infinity;
  return { ...appliances, [key]: { ...before, [name]: message && { ...message, expires } } };
}

function parse(text, type) {
  try {
    const message = JSON.parse(text);
    return message?.type === type ? message : undefined;
  } catch {
    return undefined;
  }
}

/** The state without what the broker would have forgotten by now. */
function expire(appliances, nowMs) {
  const stale = (message) => Boolean(message) && message.expires <= nowMs;
  const entries = Object.entries(appliances);
  if (!entries.some(([, a]) => stale(a.exam) || stale(a.result))) return appliances;
  return Object.fromEntries(
    entries.map(([key, a]) => [
      key,
      { ...a, exam: stale(a.exam) ? null : a.exam, result: stale(a.result) ? null : a.result },
    ]),
  );
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
