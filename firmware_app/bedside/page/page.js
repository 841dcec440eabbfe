// The bedside page: hears the appliance, shows what it says, and carries the operator's commands to it.

import { byId, post, say } from "/dom.js";
import { showExam } from "/exam.js";
import { closeTechnician, openTechnician } from "/technician.js";

const SILENT_MS = 9000; // the appliance says something every three seconds
const RETRY_MS = 2000;
const SERUM = ["ast_u_l", "ast_uln_u_l", "platelets_g_l", "alt_u_l", "age_years"];
let state = null;
let source = null;
let heard = 0;

// What the appliance says

function listen() {
  source?.close();
  source = new EventSource("/events");
  heard = Date.now();
  source.onmessage = (event) => {
    const before = state;
    state = JSON.parse(event.data);
    if (before?.exam_id && before.exam_id !== state.exam_id) forgetPatient();
    link("live");
    showExam(state);
    showVeil();
  };
  source.addEventListener("alive", () => link("live"));
}

function link(now) {
  if (now === "live") heard = Date.now();
  const before = document.body.dataset.link;
  if (before === now) return;
  document.body.dataset.link = now;
  byId("link").textContent = byId("link").dataset[now];
  if (now === "live") watchVideo();
  showVeil();
}

async function lookAround() {
  if (Date.now() - heard < SILENT_MS && source?.readyState !== EventSource.CLOSED) return;
  link("lost");
  try {
    const answer = await fetch("/page.js");
    if (answer.status === 401) location.assign("/pin");
    else if (answer.ok) listen();
  } catch {
    // still away: tried again
  }
}

/** The next patient's page shows nothing of the last one: not even what was typed. */
function forgetPatient() {
  byId("serum").reset();
  for (const id of ["answer", "serum-answer"]) say(byId(id), { ok: true, text: "" });
  if (byId("ask").open) byId("ask").close("back");
}

// The live picture

let watching = 0;

function watchVideo() {
  const wanted = document.visibilityState === "visible" && !byId("exam").hidden;
  if (wanted) byId("video").src = `/live?${++watching}`;
  else byId("video").removeAttribute("src");
}

function showVeil() {
  const veil = byId("veil");
  const lost = document.body.dataset.link === "lost";
  const text = lost ? byId("link").dataset.lost : (state?.capture_message?.text ?? "");
  const missing = byId("video").dataset.full === "true" ? veil.dataset.full : "";
  veil.textContent = text || missing;
  veil.hidden = !veil.textContent;
}

byId("video").addEventListener("error", () => {
  if (!byId("video").hasAttribute("src")) return;
  byId("video").dataset.full = "true";
  showVeil();
  setTimeout(watchVideo, RETRY_MS);
});
byId("video").addEventListener("load", () => {
  byId("video").dataset.full = "false";
  showVeil();
});
byId("enlarge").addEventListener("click", () => {
  const large = byId("exam").dataset.large !== "true";
  byId("exam").dataset.large = String(large);
  byId("enlarge").setAttribute("aria-pressed", String(large));
});
document.addEventListener("visibilitychange", watchVideo);

// Commands

/** Asks before what cannot be undone; resolves to whether it is meant. */
function meant(question) {
  if (!question) return Promise.resolve(true);
  const dialog = byId("ask");
  byId("question").textContent = question;
  dialog.returnValue = "back";
  dialog.showModal();
  byId("ask-back").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function command(name, extra, question) {
  const exam_id = state.exam_id; // the exam that the operator looked at when deciding
  if (!(await meant(question))) return;
  say(byId("answer"), await post(`/command/${name}`, { exam_id, ...extra }));
  byId("phase").focus({ preventScroll: true });
}

byId("ask-yes").addEventListener("click", () => byId("ask").close("yes"));
byId("ask-back").addEventListener("click", () => byId("ask").close("back"));
byId("actions").addEventListener("click", ({ target }) => {
  const name = target.closest("[data-command]")?.dataset.command;
  if (name && state) command(name, {}, state.questions[name]);
});
byId("cards").addEventListener("click", ({ target }) => {
  const button = target.closest("[data-acquisition]");
  if (button) command("discard", { acquisition_id: button.dataset.acquisition }, button.dataset.question);
});
byId("serum").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!state) return;
  const values = Object.fromEntries(SERUM.map((key) => [key, numberOf(byId(key).value)]));
  say(byId("serum-answer"), await post("/command/serum", { exam_id: state.exam_id, ...values }));
});

/** A number with a point or a comma; what is none is sent as it is, so that the appliance can say so. */
function numberOf(text) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const value = Number(trimmed.replace(",", "."));
  return Number.isFinite(value) ? value : trimmed;
}

byId("leave").hidden = document.body.dataset.locked !== "true";
byId("leave").addEventListener("click", async () => {
  await post("/leave", {});
  location.assign("/pin");
});

// Tabs

const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    byId(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (tab.id === "tab-technician") openTechnician();
  else closeTechnician();
  watchVideo();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", ({ key }) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const next = tabs[(tabs.indexOf(tab) + 1) % tabs.length];
    next.focus();
    choose(next);
  });
}

listen();
setInterval(lookAround, RETRY_MS);
