// The cards on the screen: how large they are, and in which order they stand.

/** Sizes of a card in its own font size; the richest that is legible with this many appliances is taken. */
const SHAPES = [
  [{ name: "wide", width: 46, height: 20, smallestPx: 15 }, { name: "full", width: 25, height: 35, smallestPx: 15 }],
  [{ name: "medium", width: 23, height: 18, smallestPx: 14 }],
  [{ name: "compact", width: 14, height: 6.9, smallestPx: 12 }],
];
const LARGEST_PX = 40;
const PHONE_PX = 600;
const PHONE_FULL = 2;
const PHONE_MEDIUM = 6;
const READING_MS = 6_000;
const REORDER_EVERY_MS = 4_000;
const MOVE = { duration: 400, easing: "ease-in-out" };

/** The shape in which `n` cards fit into a screen of that size, and its font size: {name, columns, fontPx}. */
function fit(n, widthPx, heightPx) {
  for (const equallyRich of SHAPES) {
    const best = equallyRich.map((shape) => largest(shape, n, widthPx, heightPx)).sort((a, b) => b.fontPx - a.fontPx)[0];
    if (best.fontPx >= best.smallestPx) return best;
  }
  const [last] = SHAPES.at(-1); // too many for one screen: as they are, and one scrolls
  return { ...last, fontPx: last.smallestPx, columns: Math.max(1, Math.floor(widthPx / (last.width * last.smallestPx))) };
}

function largest(shape, n, widthPx, heightPx) {
  let best = { ...shape, fontPx: 0, columns: 1 };
  for (let columns = 1; columns <= n; columns++) {
    const rows = Math.ceil(n / columns);
    const fontPx = Math.min(widthPx / columns / shape.width, heightPx / rows / shape.height, LARGEST_PX);
    if (fontPx > best.fontPx) best = { ...shape, fontPx, columns };
  }
  return best;
}

/** Gives the cards the size that suits the screen and their number. */
function arrange(main, n) {
  const phone = innerWidth < PHONE_PX;
  const chromePx = document.querySelector(".top").offsetHeight + document.querySelector(".notice").offsetHeight;
  const { paddingLeft, paddingTop } = getComputedStyle(main);
  const widthPx = main.clientWidth - 2 * parseFloat(paddingLeft);
  const heightPx = innerHeight - chromePx - 2 * parseFloat(paddingTop);
  const name = n <= PHONE_FULL ? "full" : n <= PHONE_MEDIUM ? "medium" : "compact";
  const shape = phone ? { name, columns: 1 } : fit(Math.max(n, 1), widthPx, heightPx);
  main.dataset.shape = shape.name;
  main.style.setProperty("--columns", shape.columns);
  document.documentElement.style.fontSize = phone ? "" : `${shape.fontPx.toFixed(2)}px`;
}

const collator = new Intl.Collator(LANGUAGE, { numeric: true });

/** What needs attention first; within that by the rooms' names, which never change places. */
function before(one, other) {
  const urgency = RANKS.indexOf(one.rank) - RANKS.indexOf(other.rank);
  return urgency || collator.compare(one.name, other.name) || collator.compare(one.key, other.key);
}

let touchedMs = -Infinity;
let orderedMs = -Infinity;
for (const kind of ["pointermove", "pointerdown", "wheel", "scroll", "touchmove", "keydown"]) {
  addEventListener(kind, () => (touchedMs = performance.now()), { passive: true });
}

/**
 * Puts the cards into their order. Cards that stand already keep their places while somebody reads (moves,
 * scrolls, types) and for some seconds after the last change; new ones find their place at once.
 */
function order(main, cards, settling) {
  const nowMs = performance.now();
  const held = !settling && (nowMs - touchedMs < READING_MS || nowMs - orderedMs < REORDER_EVERY_MS);
  const wanted = held ? withNew(main, cards) : [...cards].sort(before);
  const roots = wanted.map((card) => card.root);
  if (roots.every((root, i) => root === main.children[i])) return;
  orderedMs = nowMs;
  const still = settling || matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden;
  if (still) place(main, roots);
  else moving(roots, () => place(main, roots));
}

/** The order on the screen, with the new cards where they will belong. */
function withNew(main, cards) {
  const byRoot = new Map([...cards].map((card) => [card.root, card]));
  const standing = [...main.children].map((root) => byRoot.get(root));
  for (const card of [...cards].filter(({ root }) => !root.isConnected)) {
    const at = standing.findIndex((other) => before(card, other) < 0);
    standing.splice(at < 0 ? standing.length : at, 0, card);
  }
  return standing;
}

/** Moves as few as it can: whatever moves loses its focus. */
function place(main, roots) {
  let at = main.firstElementChild;
  for (const root of roots) {
    if (root === at) at = at.nextElementSibling;
    else main.insertBefore(root, at);
  }
}

/** Lets the eye follow: every card glides from where it was. */
function moving(roots, change) {
  const from = new Map(roots.filter((root) => root.isConnected).map((root) => [root, root.getBoundingClientRect()]));
  change();
  for (const [root, was] of from) {
    const is = root.getBoundingClientRect();
    const [x, y] = [was.left - is.left, was.top - is.top];
    if (x || y) root.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], MOVE);
  }
}
