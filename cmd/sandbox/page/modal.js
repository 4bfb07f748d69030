// Modals that the app opens for the viewer.

import { $, h, langOf } from "./dom.js";
import { blocks } from "./blocks.js";
import * as api from "./api.js";
import { lang, t } from "./lang.js";
import { names, refresh, store } from "./store.js";

// What was typed and chosen, by view, block and action: a view that the app updates keeps it where block_id and
// action_id stay, as Slack does.
const drafts = new Map();
// What was typed into a search without being chosen yet: it is no value, but must not vanish when the app updates the view.
const searched = new Map();
let shown = "";

const key = (view, block, action) => [view, block, action].join("\u0000");

/** drawModal shows the modal on top, or none. */
export function drawModal() {
  const dialog = $("modal");
  const view = store.picture.modals?.at(-1);
  if (!view) {
    shown = "";
    drafts.clear();
    searched.clear();
    if (dialog.open) dialog.close();
    return;
  }
  const sign = JSON.stringify([view.id, view.hash, view.errors, store.as, lang()]);
  if (sign === shown) return;
  shown = sign;
  const focused = dialog.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  dialog.replaceChildren(form(view));
  if (!dialog.open) dialog.showModal();
  const same = [...dialog.querySelectorAll("[data-focus]")].find((n) => n.dataset.focus === focused);
  const wrong = dialog.querySelector("[aria-invalid=true]");
  (wrong ?? same ?? dialog.querySelector("input, textarea, select, .primary"))?.focus();
}

/** valuesOf is what stands in a view's fields, block by block. */
function valuesOf(view) {
  const values = {};
  for (const [block, actions] of Object.entries(view.state ?? {})) {
    for (const [action, held] of Object.entries(actions)) {
      (values[block] ??= {})[action] = drafts.get(key(view.id, block, action)) ?? held;
    }
  }
  return values;
}

// empty says that nothing stands in a field.
const empty = (held) => Object.entries(held ?? {}).every(([k, v]) => k === "type" || v === null || v === undefined || v === "" || v.length === 0);

/** missing are the fields that Slack would not let one leave empty, with what it says there. */
function missing(view) {
  const values = valuesOf(view);
  const required = view.blocks.filter((b) => b.type === "input" && !b.optional && empty(values[b.block_id]?.[b.element.action_id]));
  return Object.fromEntries(required.map((b) => [b.block_id, t("required")]));
}

function form(view, lacking = {}) {
  const raw = view.raw ?? {};
  const place = {
    names: names(),
    errors: { ...view.errors, ...lacking },
    searched,
    again: () => { shown = ""; drawModal(); },
    draft: (block, action) => drafts.get(key(view.id, block, action)) ?? view.state?.[block]?.[action],
    keep: (block, action, value) => drafts.set(key(view.id, block, action), value),
    act: (e, b, value) => api.click({ as: store.as, view_id: view.id, action_id: e.action_id, block_id: b.block_id, value, values: valuesOf(view) }),
    suggest: (e, b, value) => api.suggest({ as: store.as, view_id: view.id, action_id: e.action_id, block_id: b.block_id, value }),
  };
  const close = (all) => api.closeModal({ as: store.as, view_id: view.id, all }).then(refresh);
  const title = view.title ?? raw.title?.text ?? "";
  const submit = h("button", { type: "submit", class: "primary" }, raw.submit?.text ?? t("submit"));
  const node = h("form", {
    novalidate: true,
    onsubmit: async (ev) => {
      ev.preventDefault();
      const lacks = missing(view);
      if (Object.keys(lacks).length) {
        $("modal").replaceChildren(form(view, lacks));
        $("modal").querySelector("[aria-invalid=true], .wrong input")?.focus();
        return;
      }
      submit.disabled = true;
      await api.submit({ as: store.as, view_id: view.id, values: valuesOf(view) });
      submit.disabled = false;
      shown = ""; // the same errors again are drawn again, so that they are seen to be new
      await refresh();
    },
  },
  h("header", { lang: langOf(title) }, h("h2", { id: "modal-title" }, title), h("button", { type: "button", class: "quiet", "aria-label": t("close"), onclick: () => close(true) }, "✕")),
  h("div", { class: "modal-body" }, blocks(view.blocks, place)),
  h("footer", {}, h("button", { type: "button", onclick: () => close(false) }, raw.close?.text ?? t("cancel")), raw.submit && submit));
  return node;
}

/** setUpModal lets Escape close a modal at the app too. */
export function setUpModal() {
  $("modal").addEventListener("cancel", (ev) => {
    ev.preventDefault();
    const view = store.picture.modals?.at(-1);
    if (view) api.closeModal({ as: store.as, view_id: view.id, all: false }).then(refresh);
  });
}
