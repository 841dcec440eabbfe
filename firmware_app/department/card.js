// One appliance as a card. Everything that comes over the wire goes through textContent, never through HTML.

const SCALE_KPA = 40;
const TICKS_KPA = [0, 10, 20, 30, 40];
const NEEDED = 5;
const THRESHOLDS = [
  ["ge_s2", "\u2265S2"],
  ["ge_s3", "\u2265S3"],
  ["s4", "S4"],
];

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Writes only what differs: a browser lays out anew whatever is touched. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes an empty card; `updateCard` fills it. */
function createCard() {
  const root = document.getElementById("card").content.firstElementChild.cloneNode(true);
  const part = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((p) => [p.dataset.part, p]));
  part.outcome.setAttribute("aria-label", words.outcome);
  write(part.lsm_name, words.stiffness);
  const bars = THRESHOLDS.map(([key, label]) => {
    const fill = element("i");
    const value = element("b");
    const meter = element("dd");
    meter.append(fill, value);
    const row = element("div");
    row.append(element("dt", label), meter);
    part.bars.append(row);
    return { key, fill, value };
  });
  part.strip.append(...TICKS_KPA.map((kpa) => mark(kpa, "tick", String(kpa))));
  part.room.addEventListener("click", () => {
    const open = root.dataset.open !== "true";
    root.dataset.open = String(open);
    part.room.setAttribute("aria-expanded", String(open));
  });
  return { root, part, bars };
}

/** Shows an appliance on its card. `state` and `rank` are those of ward.js; gives the rank that it has now. */
function updateCard(card, appliance, state, rank) {
  const { root, part, bars } = card;
  const { status, exam } = appliance;
  root.dataset.rank = rank;
  root.dataset.online = String(state !== "offline");
  write(part.room, status?.room || appliance.device);
  write(part.place, `${appliance.site} / ${appliance.device}`);
  const stateText = textOfState(appliance, state);
  write(part.state, stateText);
  part.state.dataset.state = state;
  const models = [status?.runtime ?? words.no_model, status?.bundle_id, status?.profile_id, status?.software];
  write(part.foot, models.filter(Boolean).join("  \u00b7  "));
  try {
    if ([status, exam, appliance.result].some((message) => message?.unreadable)) throw new Error("not readable");
    const shown = outcome(appliance);
    updateExam(card, exam);
    updateOutcome(part, bars, shown);
    tell(part, ...sentenceOf(appliance, state));
    updateNote(part.note, appliance);
    write(part.brief, briefOf(appliance, state, shown, rank, stateText));
    root.dataset.unreadable = "false";
    return rank;
  } catch (error) {
    // One appliance whose messages cannot be shown must not take the others down.
    console.error(`messages of ${appliance.key} cannot be shown`, error);
    return blank(card);
  }
}

/** Shows that an appliance says what this page does not understand; nothing half shown is left. */
function blank({ root, part }) {
  root.dataset.unreadable = "true";
  root.dataset.rank = "alarm";
  part.outcome.hidden = true;
  part.exam.hidden = true;
  write(part.note, "");
  write(part.brief, words.other_version);
  tell(part, words.other_version, "alarm");
  return "alarm";
}

function textOfState({ offlineMs, heardMs }, state) {
  const since = state === "silent" ? heardMs : offlineMs;
  const key = state === "offline" && since ? "offline_since" : state;
  return fill(words.state[key] ?? state, { time: clock(since) });
}

function tell(part, text, severity) {
  write(part.sentence, text);
  part.sentence.dataset.severity = severity;
}

/** What there is to say, and how grave it is: first about the video, then about the exam. */
function sentenceOf({ status, exam }, state) {
  if (state === "silent") return [words.silent_remedy, "alarm"];
  if (state === "trouble") return [status.trouble, "alarm"];
  if (said.captures[state]?.[1]) return [said.captures[state][1], UNTROUBLED.has(state) ? "quiet" : "alarm"];
  if (state === "offline" || !exam) return ["", "quiet"];
  if (exam.phase === "closed") return [said.closings[exam.closing] ?? exam.text ?? "", "quiet"];
  if (exam.phase === "held") return [said.phases.held[1], "notice"];
  const refusal = exam.last_refusal;
  if (!refusal) return [exam.text ?? "", "quiet"];
  const [text, remedy] = said.refusals[refusal.reason] ?? [refusal.text, refusal.remedy];
  const detail = text === refusal.text && refusal.detail ? ` (${refusal.detail})` : ""; // in our language
  return [`${text}${said.colon}${remedy}${detail}`, refusal.severity];
}

/** What it goes without, the gravest of it, if a hand or a technician is wanted. */
function updateNote(note, { status }) {
  const [text, remedy, severity] = status?.state === "online" ? (lacksOf(status)[0] ?? ["", "", "quiet"]) : ["", "", "quiet"];
  note.dataset.severity = severity;
  write(note, severity === "quiet" ? "" : text + (remedy && said.colon + remedy));
}

/** The one line of a small card. */
function briefOf({ status, exam }, state, shown, rank, stateText) {
  if (rank === "offline") return stateText;
  if (rank === "alarm" && state !== "live") return stateText;
  if (rank === "alarm") return (lacksOf(status)[0] ?? sentenceOf({ status, exam }, state))[0];
  if (rank === "running") return `${words.phase.scanning} ${progressOf(exam)}`;
  if (shown?.kind === "past") return fill(words.past_brief, { time: clock(shown.estimate.time) });
  if (shown && rank !== "held") return kindOf(shown);
  return phaseOf(exam);
}

function phaseOf(exam) {
  return words.phase[exam?.phase ?? "none"] ?? exam.phase;
}

function progressOf(exam) {
  return fill(words.progress, { n: exam?.n ?? 0, needed: exam?.needed ?? NEEDED });
}

function updateExam({ root, part }, exam) {
  const n = exam?.n ?? 0;
  const needed = exam?.needed ?? NEEDED;
  part.exam.hidden = false;
  write(part.phase, phaseOf(exam));
  root.dataset.phase = exam?.phase ?? "none";
  write(part.count, progressOf(exam));
  while (part.dots.childElementCount - 1 > needed) part.dots.firstElementChild.remove();
  while (part.dots.childElementCount - 1 < needed) part.dots.prepend(element("i"));
  [...part.dots.children].slice(0, needed).forEach((dot, i) => dot.classList.toggle("counted", i < n));
}

function kindOf({ kind, estimate }) {
  return fill(words[kind], { n: estimate.n_acquisitions, time: clock(estimate.time) });
}

function updateOutcome(part, bars, shown) {
  part.outcome.hidden = !shown;
  if (!shown) return;
  const { kind, estimate } = shown;
  part.outcome.dataset.kind = kind;
  write(part.kind, kindOf(shown));
  const [low, high] = estimate.stage_interval;
  write(part.stage, estimate.probabilities ? estimate.stage_text : words.no_stage);
  const long = estimate.stage_text.length > 2; // S0-S1, or an interval
  part.stage.dataset.kind = !estimate.probabilities ? "none" : long ? "long" : "stage";
  for (const step of part.scale.children) {
    const stage = Number(step.dataset.stage);
    step.classList.toggle("open", Boolean(estimate.probabilities) && stage >= low && stage <= high);
  }
  for (const { key, fill: filled, value } of bars) {
    const probability = estimate.probabilities?.[key];
    filled.style.width = `${(probability ?? 0) * 100}%`;
    write(value, probability === undefined ? "\u2013" : percent(probability));
  }
  updateStiffness(part, estimate);
  part.reliability.dataset.ok = String(estimate.reliability.ok);
  write(part.reliability, estimate.reliability.ok ? words.reliable : doubtsOf(estimate.reliability));
  updateMethods(part.methods, estimate.methods);
}

function doubtsOf({ reasons, texts }) {
  return reasons.map((reason, i) => said.doubts[reason] ?? texts[i]).join(LANGUAGE === "zh" ? "；" : ". ");
}

function updateStiffness(part, estimate) {
  const { mean_kpa: mean, median_kpa: median, iqr_over_median: spread } = estimate.lsm;
  write(part.lsm, `${number(mean, 1)}\u00a0kPa`);
  write(part.spread, fill(words.spread, { median: number(median, 1), spread: percent(spread) }));
  const values = (estimate.evidence?.acquisitions ?? []).map((a) => a.stiffness.mean_kpa);
  for (const old of part.strip.querySelectorAll(":not(.tick)")) old.remove();
  part.strip.append(...values.map((kpa) => mark(kpa, "value")), mark(mean, "mean"));
}

function mark(kpa, className, text = "") {
  const made = element("span", text, className);
  made.style.left = `${(Math.min(kpa, SCALE_KPA) / SCALE_KPA) * 100}%`;
  return made;
}

function updateMethods(list, methods) {
  const rows = [];
  for (const [name, value] of Object.entries(methods ?? {})) {
    if (!value || name === "GM+EM") continue;
    const row = element("div");
    row.append(element("dt", name), element("dd", methodText(name, value)));
    rows.push(row);
  }
  list.replaceChildren(...rows);
}

function methodText(name, value) {
  if (name === "LSM") return value.stage === 0 ? "S0-S1" : `S${value.stage}`;
  if ("value" in value) return number(value.value, 2);
  return THRESHOLDS.map(([key]) => percent(value[key])).join(" / ");
}
