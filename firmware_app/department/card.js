// One appliance as a card. Everything that comes over the wire goes through textContent, never through HTML.

"use strict";

const SCALE_KPA = 40;
const TICKS_KPA = [0, 10, 20, 30, 40];
const PHASES = {
  waiting: "Waiting for a freeze",
  scanning: "Scanning",
  complete: "Complete",
  closed: "Closed",
};
const CAPTURE = {
  starting: "starting",
  live: "online",
  no_device: "no video device",
  no_cable: "no video cable",
  no_signal: "no video signal",
  unsupported_timing: "video format not supported",
  frozen_source: "video stands still",
  bad_colours: "wrong colours",
  ended: "video ended",
};
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

/** Hours and minutes, where the page stands. */
function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function percent(probability) {
  const whole = Math.round(probability * 100);
  if (whole === 0) return "<1 %";
  return whole === 100 ? ">99 %" : `${whole} %`;
}

/** Makes an empty card; `update` fills it. */
function createCard() {
  const root = document.getElementById("card").content.firstElementChild.cloneNode(true);
  const part = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((p) => [p.dataset.part, p]));
  const bars = THRESHOLDS.map(([key, label]) => {
    const fill = element("i");
    const value = element("b");
    const meter = element("dd");
    meter.append(fill, value);
    part.bars.append(element("dt", label), meter);
    return { key, fill, value };
  });
  return { root, part, bars };
}

/** Shows an appliance on its card. */
function updateCard({ root, part, bars }, appliance) {
  const { status, exam } = appliance;
  const online = status?.state === "online";
  root.dataset.online = String(online);
  part.room.textContent = status?.room || appliance.device;
  part.place.textContent = `${appliance.site} / ${appliance.device}`;
  part.state.textContent = online ? (CAPTURE[status.capture] ?? status.capture) : "offline";
  part.state.dataset.capture = online ? status.capture : "offline";
  part.foot.textContent = [status?.runtime ?? "no model", status?.bundle_id, status?.profile_id, status?.software]
    .filter(Boolean)
    .join("  \u00b7  ");
  updateExam(part, exam);
  updateOutcome(part, bars, outcome(appliance));
}

/** Shows that an appliance says what this page does not understand; nothing half shown is left. */
function blankCard({ root, part }) {
  root.dataset.unreadable = "true";
  part.outcome.hidden = true;
  part.dots.replaceChildren();
  part.phase.textContent = "";
  part.sentence.textContent = "This appliance speaks another version: update the page.";
  part.sentence.dataset.severity = "alarm";
}

function updateExam(part, exam) {
  const n = exam?.phase === "waiting" ? 0 : (exam?.n ?? 0);
  const needed = exam?.needed ?? 5;
  part.phase.textContent = exam ? (PHASES[exam.phase] ?? exam.phase) : "No exam";
  part.phase.dataset.phase = exam?.phase ?? "none";
  const dots = Array.from({ length: needed }, (_, i) => element("li", "", i < n ? "counted" : ""));
  const label = element("li", `${n} of ${needed}`, "count");
  part.dots.replaceChildren(...dots, label);
  const refusal = exam?.last_refusal;
  part.sentence.textContent = exam?.text ? exam.text + (refusal?.detail ? ` (${refusal.detail})` : "") : "";
  part.sentence.dataset.severity = exam?.phase === "closed" ? "quiet" : (refusal?.severity ?? "quiet");
}

function updateOutcome(part, bars, shown) {
  part.outcome.hidden = !shown;
  if (!shown) return;
  const { kind, estimate } = shown;
  part.outcome.dataset.kind = kind;
  part.kind.textContent = {
    provisional: `Provisional, ${estimate.n_acquisitions} acquisitions`,
    result: `Result, ${clock(estimate.time)}`,
    past: `Last exam, ${clock(estimate.time)}`,
  }[kind];
  const [low, high] = estimate.stage_interval;
  part.stage.textContent = estimate.probabilities ? estimate.stage_text : "no stage";
  part.stage.dataset.indeterminate = String(estimate.indeterminate);
  for (const step of part.scale.children) {
    const stage = Number(step.dataset.stage);
    step.classList.toggle("open", Boolean(estimate.probabilities) && stage >= low && stage <= high);
  }
  for (const { key, fill, value } of bars) {
    const probability = estimate.probabilities?.[key];
    fill.style.width = `${(probability ?? 0) * 100}%`;
    value.textContent = probability === undefined ? "\u2013" : percent(probability);
  }
  updateStiffness(part, estimate);
  part.reliability.dataset.ok = String(estimate.reliability.ok);
  part.reliability.textContent = estimate.reliability.ok ? "Reliable" : estimate.reliability.texts.join(". ");
  updateMethods(part.methods, estimate.methods);
}

function updateStiffness(part, estimate) {
  const { mean_kpa: mean, median_kpa: median, iqr_over_median: spread } = estimate.lsm;
  part.lsm.textContent = `${mean.toFixed(1)} kPa`;
  part.spread.textContent = `median ${median.toFixed(1)}, IQR/median ${Math.round(spread * 100)} %`;
  const values = (estimate.evidence?.acquisitions ?? []).map((a) => a.stiffness.mean_kpa);
  const ticks = TICKS_KPA.map((kpa) => mark(kpa, "tick", String(kpa)));
  part.strip.replaceChildren(...ticks, ...values.map((kpa) => mark(kpa, "value")), mark(mean, "mean"));
}

function mark(kpa, className, text = "") {
  const made = element("span", text, className);
  made.style.left = `${(Math.min(kpa, SCALE_KPA) / SCALE_KPA) * 100}%`;
  return made;
}

function updateMethods(list, methods) {
  const rows = [];
  for (const [name, said] of Object.entries(methods ?? {})) {
    if (!said || name === "GM+EM") continue;
    const text =
      name === "LSM"
        ? `S${said.stage === 0 ? "0-S1" : said.stage}`
        : "value" in said
          ? said.value.toFixed(2)
          : THRESHOLDS.map(([key]) => percent(said[key])).join(" / ");
    const row = element("div");
    row.append(element("dt", name), element("dd", text));
    rows.push(row);
  }
  list.replaceChildren(...rows);
}
