// Block Kit: what stands on a message, a modal or a Home view. See inputs.js for what can be typed and chosen.

import { h, langOf } from "./dom.js";
import { confirmed } from "./confirm.js";
import { t } from "./lang.js";
import { mrkdwn } from "./mrkdwn.js";
import { input, isInput } from "./inputs.js";

/**
 * blocks makes nodes of blocks. place says where they stand: names for mentions, act(element, block, value) for what is
 * pressed, and for views drafts and errors.
 */
export function blocks(list, place) {
  const out = h("div", { class: "blocks", lang: langOf(JSON.stringify(list)) });
  for (const b of list ?? []) out.append(block(b, place));
  return out;
}

function block(b, place) {
  switch (b.type) {
    case "header": return h("h4", { class: "b-header" }, plainOf(b.text));
    case "divider": return h("hr");
    case "section": return section(b, place);
    case "context":
      return h("div", { class: "b-context" }, (b.elements ?? []).map((e) => h("span", {}, e.type === "image" ? e.alt_text : text(e, place))));
    case "actions": return h("div", { class: "b-actions" }, (b.elements ?? []).map((e) => element(e, b, place)));
    case "input": return inputBlock(b, place);
    case "rich_text": return h("div", { class: "b-section" }, (b.elements ?? []).map((e) => rich(e, place)));
    case "image": return h("p", { class: "b-context" }, b.alt_text ?? t("image"));
    case "markdown": return h("div", { class: "b-section" }, b.text);
    default: return h("p", { class: "b-context" }, "[" + b.type + "]");
  }
}

const plainOf = (obj) => (typeof obj === "string" ? obj : obj?.text ?? "");

/** text is a text object of either kind. */
export function text(obj, place) {
  if (!obj) return "";
  return obj.type === "mrkdwn" ? mrkdwn(obj.text, place.names) : plainOf(obj);
}

function section(b, place) {
  const node = h("div", { class: "b-section" + (b.accessory ? " with" : "") });
  if (b.text) node.append(h("div", { class: "b-text" }, text(b.text, place)));
  if (b.fields) node.append(h("div", { class: "b-fields" }, b.fields.map((f) => h("div", {}, text(f, place)))));
  if (b.accessory) node.append(h("div", { class: "b-accessory" }, element(b.accessory, b, place)));
  return node;
}

function element(e, b, place) {
  if (e.type === "button") return button(e, b, place);
  if (isInput(e)) return input(e, b, place, plainOf(e.placeholder) || e.action_id);
  if (e.type === "overflow") {
    return h("select", {
      "aria-label": t("more"), "data-focus": e.action_id,
      onchange: (ev) => { place.act(e, b, ev.target.value); ev.target.value = ""; },
    }, h("option", { value: "" }, "…"), e.options.map((o) => h("option", { value: o.value }, plainOf(o.text))));
  }
  return h("span", { class: "b-context" }, e.alt_text ?? "[" + e.type + "]");
}

function button(e, b, place) {
  const node = h("button", {
    type: "button", class: e.style ?? "", "data-focus": b.block_id + "/" + e.action_id, "data-action": e.action_id,
    "aria-label": e.accessibility_label, title: e.url && t("link", e.url),
    onclick: async () => {
      if (e.confirm && !(await confirmed(e.confirm, text(e.confirm.text, place)))) return;
      node.disabled = true;
      node.classList.add("busy");
      try { await place.act(e, b, e.value); } finally {
        node.disabled = false;
        node.classList.remove("busy");
      }
    },
  }, plainOf(e.text));
  return node;
}

function inputBlock(b, place) {
  const error = place.errors?.[b.block_id];
  const id = "in-" + b.block_id;
  const label = plainOf(b.label);
  const many = ["checkboxes", "radio_buttons"].includes(b.element?.type);
  const hints = [b.hint && id + "-hint", error && id + "-error"].filter(Boolean).join(" ") || null;
  const control = input(b.element, b, place, label, many ? null : id, hints, Boolean(error));
  const title = [label, b.optional && h("span", { class: "optional" }, " " + t("optional"))];
  return h("div", { class: "b-input" + (error ? " wrong" : ""), "data-block": b.block_id },
    many ? h("p", { class: "label" }, title) : h("label", { for: id }, title),
    control,
    b.hint && h("p", { class: "hint", id: id + "-hint" }, plainOf(b.hint)),
    error && h("p", { class: "error", id: id + "-error", role: "alert" }, error));
}

function rich(e, place) {
  const kids = (e.elements ?? []).map((x) => {
    if (x.elements) return rich(x, place);
    const raw = { user: "<@" + x.user_id + ">", channel: "<#" + x.channel_id + ">", usergroup: "<!subteam^" + x.usergroup_id + ">" }[x.type];
    if (raw) return mrkdwn(raw, place.names);
    const tag = x.style?.code ? "code" : x.style?.bold ? "strong" : x.style?.italic ? "em" : x.style?.strike ? "s" : "span";
    return h(tag, {}, x.text ?? x.url ?? (x.name ? ":" + x.name + ":" : ""));
  });
  if (e.type === "rich_text_list") return h(e.style === "ordered" ? "ol" : "ul", {}, kids.map((k) => h("li", {}, k)));
  return h({ rich_text_quote: "blockquote", rich_text_preformatted: "pre" }[e.type] ?? "span", {}, kids);
}
