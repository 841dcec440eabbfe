// Every word of the page's own, in three languages. What the appliance says is SENTENCES, from firmware_app/wording.
// `{name}` is filled in; a test holds the three tables together.

const WORDS = {
  en: {
    name: "English",
    connecting: "Connecting",
    live: "Live",
    syncing: "Catching up",
    lost: "No broker since {time}; not up to date",
    refused: "Broker refuses ({why}) since {time}; not up to date",
    empty: "No appliance has reported yet.",
    appliances: "Appliances",
    summary: "Overview",
    attention: {
      alarm: "Attention",
      held: "Interrupted",
      running: "Scanning",
      fresh: "Results",
      quiet: "Quiet",
      offline: "Offline",
    },
    state: {
      starting: "starting",
      live: "online",
      no_device: "no video device",
      no_cable: "no video cable",
      no_signal: "no video signal",
      unsupported_timing: "video format not supported",
      frozen_source: "video stands still",
      bad_colours: "wrong colours",
      ended: "video ended",
      offline: "offline",
      offline_since: "offline since {time}",
      silent: "silent since {time}",
      unwatched: "online, no heartbeat",
      trouble: "gives no results",
    },
    phase: {
      none: "No exam",
      waiting: "Waiting for a freeze",
      scanning: "Scanning",
      held: "Interrupted: same patient?",
      complete: "Complete",
      closed: "Closed",
    },
    progress: "{n}\u00a0of\u00a0{needed}",
    outcome: "Outcome",
    provisional: "Provisional, {n} acquisitions",
    result: "Result, {time}",
    past: "Last exam, {time}",
    past_brief: "Last, {time}",
    no_stage: "no stage",
    stiffness: "Stiffness",
    spread: "median {median}, IQR/median {spread}",
    reliable: "Reliable",
    no_model: "no model",
    other_version: "This appliance speaks another version: update the page.",
    silent_remedy: "The appliance says it is online and sends nothing: look after it.",
  },
  de: {
    name: "Deutsch",
    connecting: "Verbindet",
    live: "Live",
    syncing: "Holt auf",
    lost: "Kein Broker seit {time}; nicht aktuell",
    refused: "Broker lehnt ab ({why}) seit {time}; nicht aktuell",
    empty: "Noch hat sich kein Gerät gemeldet.",
    appliances: "Geräte",
    summary: "Überblick",
    attention: {
      alarm: "Störung",
      held: "Unterbrochen",
      running: "Schallen",
      fresh: "Ergebnisse",
      quiet: "Ruhig",
      offline: "Offline",
    },
    state: {
      starting: "startet",
      live: "online",
      no_device: "kein Videogerät",
      no_cable: "kein Videokabel",
      no_signal: "kein Videosignal",
      unsupported_timing: "Videoformat nicht unterstützt",
      frozen_source: "Video steht still",
      bad_colours: "falsche Farben",
      ended: "Video zu Ende",
      offline: "offline",
      offline_since: "offline seit {time}",
      silent: "stumm seit {time}",
      unwatched: "online, kein Lebenszeichen",
      trouble: "gibt keine Ergebnisse",
    },
    phase: {
      none: "Keine Untersuchung",
      waiting: "Wartet auf Einfrieren",
      scanning: "Schallen",
      held: "Unterbrochen: derselbe Patient?",
      complete: "Vollständig",
      closed: "Beendet",
    },
    progress: "{n}\u00a0von\u00a0{needed}",
    outcome: "Ergebnis",
    provisional: "Vorläufig, {n} Messungen",
    result: "Ergebnis, {time}",
    past: "Letzte Untersuchung, {time}",
    past_brief: "Zuletzt, {time}",
    no_stage: "kein Stadium",
    stiffness: "Steifigkeit",
    spread: "Median {median}, IQR/Median {spread}",
    reliable: "Verlässlich",
    no_model: "kein Modell",
    other_version: "Dieses Gerät spricht eine andere Version: Seite aktualisieren.",
    silent_remedy: "Das Gerät gilt als online und sendet nichts: bitte nachsehen.",
  },
  zh: {
    name: "中文",
    connecting: "连接中",
    live: "实时",
    syncing: "同步中",
    lost: "自 {time} 起与服务器断开；内容未更新",
    refused: "自 {time} 起服务器拒绝连接（{why}）；内容未更新",
    empty: "尚无设备上线。",
    appliances: "设备",
    summary: "概览",
    attention: {
      alarm: "需处理",
      held: "已中断",
      running: "检查中",
      fresh: "有结果",
      quiet: "空闲",
      offline: "离线",
    },
    state: {
      starting: "启动中",
      live: "在线",
      no_device: "无采集设备",
      no_cable: "未接视频线",
      no_signal: "无视频信号",
      unsupported_timing: "不支持的视频格式",
      frozen_source: "画面停滞",
      bad_colours: "颜色异常",
      ended: "视频已结束",
      offline: "离线",
      offline_since: "自 {time} 起离线",
      silent: "自 {time} 起无响应",
      unwatched: "在线，无心跳",
      trouble: "不提供结果",
    },
    phase: {
      none: "无检查",
      waiting: "等待冻结",
      scanning: "检查中",
      held: "已中断：是同一患者吗？",
      complete: "已完成",
      closed: "已结束",
    },
    progress: "{n}/{needed}",
    outcome: "结果",
    provisional: "暂定，{n} 次采集",
    result: "结果，{time}",
    past: "上次检查，{time}",
    past_brief: "上次，{time}",
    no_stage: "无分期",
    stiffness: "肝硬度",
    spread: "中位数 {median}，IQR/中位数 {spread}",
    reliable: "可靠",
    no_model: "无模型",
    other_version: "该设备的版本不同：请更新本页面。",
    silent_remedy: "设备显示在线但无数据：请检查设备。",
  },
};

/** The language that ?lang= names, else the first of the browser's that we speak, else English. */
function languageOf(search, browserLanguages) {
  const wanted = [new URLSearchParams(search).get("lang"), ...browserLanguages];
  const short = wanted.filter(Boolean).map((tag) => tag.toLowerCase().split("-")[0]);
  return short.find((tag) => Object.hasOwn(WORDS, tag)) ?? "en";
}

const LANGUAGE = languageOf(location.search, navigator.languages);
const words = WORDS[LANGUAGE];
const said = SENTENCES[LANGUAGE];

/** A sentence with its blanks filled in. */
function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Hours and minutes, where the page stands. */
function clock(time) {
  return new Date(time).toLocaleTimeString(LANGUAGE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function number(value, digits) {
  return value.toLocaleString(LANGUAGE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A share of one; never "0 %" or "100 %", which nobody knows. */
function percent(share) {
  const whole = Math.round(share * 100);
  const text = whole === 0 ? "<1" : whole === 100 ? ">99" : String(whole);
  return LANGUAGE === "zh" ? `${text}%` : `${text}\u00a0%`;
}
