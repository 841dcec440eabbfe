// The technician's view: heard only while it is looked at.

import { byId, element, facts, post, say } from "/dom.js";

let source = null;

export function openTechnician() {
  if (source) return;
  source = new EventSource("/technician/events");
  source.onmessage = (event) => show(JSON.parse(event.data));
}

export function closeTechnician() {
  source?.close();
  source = null;
}

function show(state) {
  byId("capture").textContent = state.capture.text;
  byId("capture").dataset.severity = state.capture.severity;
  facts(byId("facts"), state.facts);
  byId("selftest-run").disabled = state.selftest_runs;
  say(byId("selftest-text"), { ok: !state.selftest_failed, text: state.selftest_text });
  byId("checks").replaceChildren(...state.selftest.map(check));
  const log = byId("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  log.textContent = state.log.join("\n");
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function check([name, ok, detail]) {
  const line = element("li");
  line.dataset.ok = String(ok);
  line.append(element("strong", name), element("span", detail));
  return line;
}

byId("selftest-run").addEventListener("click", async () => {
  say(byId("selftest-text"), await post("/technician/selftest", {}));
});

byId("look").addEventListener("click", () => {
  const picture = byId("registration");
  byId("look").disabled = true;
  picture.onload = () => shown(true);
  picture.onerror = () => shown(false);
  picture.src = `/technician/registration.jpg?${Date.now()}`;
});

function shown(there) {
  byId("look").disabled = false;
  byId("registration").hidden = !there;
  byId("look-none").hidden = there;
}
