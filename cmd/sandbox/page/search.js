// Menus whose options the app tells while one types, as Slack asks for them: of one, and of several.

import { h } from "./dom.js";
import { t } from "./lang.js";

/** words is what is read of an option. */
export const words = (o) => (typeof o?.text === "string" ? o.text : o?.text?.text ?? "");

let lists = 0;

/**
 * search is a field that asks the app for options and lists them. take(option, field) is called with the one that is
 * chosen: by mouse, by Enter, or by leaving the field when it was typed out; and with null while one types.
 */
function search(e, b, ready, place, begin, take) {
  const id = "list" + ++lists;
  const draft = b.block_id + "/" + e.action_id;
  const least = e.min_query_length ?? 3;
  let found = [], at = -1, timer = 0, left = false;
  const list = h("ul", { id, class: "options", role: "listbox", hidden: true, onmousedown: (ev) => ev.preventDefault() });
  const show = (open) => {
    list.hidden = !open || found.length === 0;
    node.setAttribute("aria-expanded", String(!list.hidden));
    [...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
    if (at >= 0 && !list.hidden) node.setAttribute("aria-activedescendant", id + "-" + at);
    else node.removeAttribute("aria-activedescendant");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const choose = (o) => {
    clearTimeout(timer);
    show(false);
    node.value = words(o);
    place.searched?.delete(draft);
    take(o, node);
    if (!node.isConnected) place.again?.(); // the view was drawn anew while the app was asked
  };
  const typedOut = () => found.find((o) => words(o) === node.value) ?? found.find((o) => o.value === node.value);
  const ask = async (value) => {
    const answer = await place.suggest(e, b, value);
    if (value && value !== node.value) return; // one has typed on
    found = answer.payload?.options ?? (answer.payload?.option_groups ?? []).flatMap((g) => g.options);
    at = -1;
    list.replaceChildren(...found.map((o, i) => h("li", { id: id + "-" + i, role: "option", "data-value": o.value, onclick: () => choose(o) }, words(o))));
    if (left && value && typedOut()) choose(typedOut());
    else show(document.activeElement === node && !left);
  };
  const node = h("input", {
    ...ready, type: "text", role: "combobox", autocomplete: "off", "aria-controls": id, "aria-expanded": "false", "aria-autocomplete": "list",
    placeholder: e.placeholder?.text ?? t("search"), value: begin || place.searched?.get(draft) || "",
    onfocus: () => {
      left = false;
      const value = begin && node.value === begin ? "" : node.value;
      if (value.length >= least) ask(value);
    },
    onblur: () => show(false),
    oninput: () => {
      left = false;
      place.searched?.set(draft, node.value);
      take(null, node);
      clearTimeout(timer);
      if (node.value.length >= least) timer = setTimeout(() => ask(node.value), 150);
    },
    // That the view was drawn anew is no leaving; the browser tells the two apart only afterwards.
    onchange: () => setTimeout(() => {
      left = node.isConnected;
      if (left && node.value && typedOut()) choose(typedOut());
    }),
    // Enter chooses; it never sends the form.
    onkeypress: (ev) => { if (ev.key === "Enter") ev.preventDefault(); },
    onkeydown: (ev) => {
      const open = !list.hidden;
      if (open && (ev.key === "ArrowDown" || ev.key === "ArrowUp")) {
        at = (at + (ev.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
        show(true);
      } else if (open && ev.key === "Enter") choose(found[Math.max(at, 0)]);
      else if (open && ev.key === "Escape") show(false);
      else return;
      ev.preventDefault();
      ev.stopPropagation();
    },
  });
  return [node, list];
}

/** suggested is a menu of one. */
export function suggested(e, b, held, ready, put, place) {
  const take = (o) => put({ selected_option: o }, o?.value);
  return h("div", { class: "b-suggest" }, search(e, b, ready, place, words(held.selected_option), take));
}

/** several is a menu of several: what is chosen stands before the field. */
export function several(e, b, held, ready, put, place) {
  let chosen = held.selected_options ?? [];
  const set = (options) => {
    chosen = options;
    chips.replaceChildren(...chosen.map(chip));
    put({ selected_options: chosen }, chosen.map((o) => o.value));
  };
  const chip = (o) => h("button", {
    type: "button", class: "chip", "aria-label": t("chosen.remove", words(o)), onclick: () => { set(chosen.filter((x) => x !== o)); field.focus(); },
  }, words(o), " ✕");
  const chips = h("span", { class: "chips" }, chosen.map(chip));
  const [field, list] = search(e, b, ready, place, "", (o, node) => {
    if (!o) return;
    node.value = "";
    if (!chosen.some((x) => x.value === o.value) && chosen.length < (e.max_selected_items ?? Infinity)) set([...chosen, o]);
  });
  field.addEventListener("keydown", (ev) => { if (ev.key === "Backspace" && !field.value && chosen.length) set(chosen.slice(0, -1)); });
  return h("div", { class: "b-suggest" }, chips, field, list);
}
