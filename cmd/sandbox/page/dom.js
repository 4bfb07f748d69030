// Building the document. Everything that people or clouds wrote goes in as text, never as markup.

/** h makes an element. Attributes beginning "on" are listeners; false and null leave an attribute out. */
export function h(tag, attrs, ...kids) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...kids.flat(Infinity).filter((k) => k !== null && k !== undefined && k !== false));
  return node;
}

/** $ finds an element of the page by its id. */
export const $ = (id) => document.getElementById(id);

/**
 * keyed makes the children of parent show items: an element whose item is as it was stays, so that focus, scrolling and
 * screen readers are not disturbed by changes elsewhere.
 */
export function keyed(parent, items, keyOf, build, also = "") {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const sign = JSON.stringify(item) + also + document.documentElement.lang;
    let node = old.get(key);
    old.delete(key);
    if (!node || node.sign !== sign) {
      const fresh = build(item);
      fresh.dataset.key = key;
      fresh.sign = sign;
      if (node) {
        if (at === node) at = fresh;
        swap(node, fresh);
      } else {
        fresh.classList.add("fresh");
      }
      node = fresh;
    }
    if (node === at) at = node.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const gone of old.values()) gone.remove();
}

/** swap replaces a node and keeps the focus where it was, or as near as can be. */
function swap(node, fresh) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  node.replaceWith(fresh);
  if (!focused) return;
  const mark = focused.dataset.focus;
  const same = mark && [...fresh.querySelectorAll("[data-focus]")].find((n) => n.dataset.focus === mark);
  if (same) same.focus();
  else {
    fresh.tabIndex = -1;
    fresh.focus({ preventScroll: true });
  }
}

const han = /\p{Script=Han}/u;

/** langOf is the language attribute of a text: Chinese glyphs need it, or they may be drawn as Japanese ones. */
export const langOf = (text) => (han.test(text ?? "") ? "zh-CN" : null);

/** toast tells something that belongs to no place on the page. */
export function toast(text, kind = "") {
  const node = h("p", { class: "toast " + kind }, text);
  $("toasts").append(node);
  setTimeout(() => node.remove(), kind === "bad" ? 9000 : 4500);
}

/** remember and recall keep small things for this page, where the browser lets it. */
export function remember(key, value) {
  try { localStorage.setItem("countersign." + key, JSON.stringify(value)); } catch { /* private windows may refuse */ }
}

export function recall(key, otherwise) {
  try { return JSON.parse(localStorage.getItem("countersign." + key)) ?? otherwise; } catch { return otherwise; }
}
