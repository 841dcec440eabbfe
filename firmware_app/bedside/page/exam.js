// Shows the state of the exam as the appliance words it.

import { arrange, byId, copyOf, element, facts } from "/dom.js";

const cards = new Map();
const refusals = new Map();

export function showExam(state) {
  byId("room").textContent = state.room;
  byId("versions").textContent = state.foot;
  showProgress(state);
  showActions(state);
  showCards(state);
  showRefusals(state.refusals);
  showOutcome(state.outcome);
  byId("scores").hidden = state.serum.length === 0;
  facts(byId("scores"), state.serum);
}

function showProgress(state) {
  byId("phase").textContent = state.phase_text;
  byId("phase").dataset.phase = state.phase;
  byId("count").textContent = state.progress;
  const dots = Array.from({ length: state.needed }, (_, i) => element("li", "", i < state.n ? "counted" : ""));
  byId("dots").replaceChildren(...dots);
  const message = state.capture_message ?? state.message;
  byId("message").textContent = message?.text ?? "";
  byId("message").dataset.severity = message?.severity ?? "quiet";
}

function showActions(state) {
  for (const button of byId("actions").querySelectorAll("[data-command]")) {
    const allowed = state.may.includes(button.dataset.command);
    button.disabled = !allowed;
    if (button.dataset.command === "resume") button.hidden = !allowed;
  }
  const printable = state.may.includes("summary");
  byId("summary").hidden = !printable;
  if (printable) byId("summary").href = `/summary.pdf?exam=${state.exam_id}`;
  byId("calculate").disabled = !state.may.includes("serum");
}

function showCards(state) {
  const nodes = state.acquisitions.map((shown) => {
    if (!cards.has(shown.id)) cards.set(shown.id, copyOf("card"));
    const { root, parts } = cards.get(shown.id);
    parts.title.textContent = shown.title;
    parts.time.textContent = shown.time;
    parts.value.textContent = shown.value;
    parts.lines.replaceChildren(...shown.lines.map((line) => element("li", line)));
    parts.discard.hidden = !state.may.includes("discard");
    Object.assign(parts.discard.dataset, { acquisition: shown.id, question: shown.question });
    parts.discard.setAttribute("aria-label", shown.question);
    showPictures(root, shown);
    return root;
  });
  forget(cards, state.acquisitions);
  const waiting = Math.max(0, state.needed - nodes.length);
  arrange(byId("cards"), [...nodes, ...places(waiting)]);
}

const empty = [];

function places(n) {
  while (empty.length < n) empty.push(copyOf("empty").root);
  return empty.slice(0, n);
}

function showRefusals(shown) {
  const nodes = shown.map((refusal) => {
    if (!refusals.has(refusal.id)) refusals.set(refusal.id, copyOf("refusal"));
    const { root, parts } = refusals.get(refusal.id);
    root.dataset.severity = refusal.severity;
    parts.text.textContent = refusal.text;
    parts.time.textContent = refusal.time;
    parts.remedy.textContent = refusal.remedy;
    showPictures(root, refusal);
    return root;
  });
  forget(refusals, shown);
  byId("refusals-none").hidden = nodes.length > 0;
  arrange(byId("refused"), nodes);
}

function showPictures(root, { id, pictures }) {
  root.dataset.pictures = String(pictures);
  for (const image of root.querySelectorAll("[data-pane]")) {
    image.hidden = !pictures;
    if (!pictures) image.removeAttribute("src");
    else if (!image.hasAttribute("src")) image.src = `/picture/${id}/${image.dataset.pane}`;
  }
}

function forget(known, shown) {
  const ids = new Set(shown.map(({ id }) => id));
  for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
}

function showOutcome(outcome) {
  byId("outcome").hidden = !outcome;
  byId("outcome-none").hidden = Boolean(outcome);
  if (!outcome) return;
  byId("outcome").dataset.provisional = String(outcome.provisional);
  byId("kind").textContent = outcome.title;
  byId("stage").textContent = outcome.stage;
  byId("remark").textContent = outcome.remark;
  for (const step of byId("scale").children) {
    const stage = Number(step.dataset.stage);
    step.classList.toggle("open", outcome.staged && stage >= outcome.low && stage <= outcome.high);
  }
  byId("bars").replaceChildren(...outcome.bars.flatMap(bar));
  byId("stiffness").textContent = outcome.stiffness;
  byId("spread").textContent = outcome.spread;
  byId("reliability").textContent = outcome.reliability;
  byId("reliability").dataset.ok = String(outcome.reliable);
  facts(byId("methods"), outcome.methods);
}

function bar({ name, value, text }) {
  const meter = element("dd");
  const fill = element("i");
  fill.style.width = `${value * 100}%`;
  meter.append(fill, element("b", text));
  return [element("dt", name), meter];
}
