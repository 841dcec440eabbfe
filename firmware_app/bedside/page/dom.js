// Small helpers. Everything that comes from the appliance goes through textContent, never through HTML.

export const byId = (id) => document.getElementById(id);

export function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A copy of a template's content, and its named parts. */
export function copyOf(id) {
  const root = byId(id).content.firstElementChild.cloneNode(true);
  const parts = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((p) => [p.dataset.part, p]));
  return { root, parts };
}

/** Shows these nodes, in this order, and touches the list only when that is not what it shows already. */
export function arrange(list, nodes) {
  const same = nodes.length === list.children.length && nodes.every((node, i) => node === list.children[i]);
  if (!same) list.replaceChildren(...nodes);
}

/** Name and text of each row. */
export function facts(list, rows) {
  list.replaceChildren(
    ...rows.map(({ name, text }) => {
      const row = element("div");
      row.append(element("dt", name), element("dd", text));
      return row;
    }),
  );
}

/** Posts JSON; what comes back is `{ ok, text }`, whatever happens on the way. */
export async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.status === 401) location.assign("/pin");
    return await answer.json();
  } catch {
    return { ok: false, text: byId("link")?.dataset.lost ?? "" };
  }
}

export function say(node, { ok, text }) {
  node.dataset.ok = String(ok);
  node.textContent = text;
}
