// What can be typed and chosen in a modal, and in messages. A value is kept as Slack keeps it in view.state.values: an
// object with the element's type, so that it can be sent as it is.

import { h } from "./dom.js";
import { t } from "./lang.js";
import { several, suggested, words } from "./search.js";

const one = {
  static_select: "selected_option", external_select: "selected_option", radio_buttons: "selected_option",
  users_select: "selected_user", channels_select: "selected_channel", conversations_select: "selected_conversation",
  datepicker: "selected_date", timepicker: "selected_time",
};
const many = {
  checkboxes: "selected_options", multi_static_select: "selected_options", multi_external_select: "selected_options",
  multi_users_select: "selected_users", multi_channels_select: "selected_channels", multi_conversations_select: "selected_conversations",
};
const typed = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "number" };

/** isInput says that an element takes a value. */
export const isInput = (e) => Boolean(one[e?.type] || many[e?.type] || typed[e?.type]);

const optionsOf = (e) => [...(e.options ?? []), ...(e.option_groups ?? []).flatMap((g) => g.options)];

/** input makes the control of an element; place.draft(block, action) is what stood in it before. */
export function input(e, b, place, label, id, hints, wrong) {
  const ready = { id, "aria-describedby": hints, "aria-invalid": wrong ? "true" : null, "data-focus": b.block_id + "/" + e.action_id };
  if (!id) ready["aria-label"] = label;
  const held = place.draft?.(b.block_id, e.action_id) ?? {};
  // In a view an element tells the app at once only if it asks for that; on a message, and outside input blocks, always.
  const tells = b.type !== "input" || b.dispatch_action;
  const put = (value, sent) => {
    place.keep?.(b.block_id, e.action_id, { type: e.type, ...value });
    if (tells && sent !== undefined) place.act(e, b, sent);
  };
  if (typed[e.type]) return textInput(e, held, ready, put);
  if (e.type === "radio_buttons" || e.type === "checkboxes") return boxes(e, b, held, put, label);
  if (e.type === "external_select") return suggested(e, b, held, ready, put, place);
  if (e.type === "multi_external_select") return several(e, b, held, ready, put, place);
  if (e.type === "datepicker" || e.type === "timepicker") {
    const key = one[e.type];
    return h("input", { ...ready, type: e.type.slice(0, 4), value: held[key] ?? "", onchange: (ev) => put({ [key]: ev.target.value || null }, ev.target.value) });
  }
  return select(e, held, ready, put, place);
}

function textInput(e, held, ready, put) {
  const attrs = {
    ...ready, value: held.value ?? "", placeholder: e.placeholder?.text, maxlength: e.max_length, minlength: e.min_length,
    oninput: (ev) => put({ value: ev.target.value || null }),
    onchange: (ev) => put({ value: ev.target.value || null }, ev.target.value),
  };
  return e.multiline ? h("textarea", { ...attrs, rows: 3 }) : h("input", { ...attrs, type: typed[e.type] });
}

/** choices are the options of a menu; those of people and channels are known to the page. */
function choices(e, place) {
  if (e.type.includes("users_select")) {
    return place.names.people.filter((p) => !p.bot).map((p) => ({ value: p.id, text: p.real, as: "id" }));
  }
  if (e.type.includes("channels_select") || e.type.includes("conversations_select")) {
    return place.names.channels.filter((c) => !c.direct).map((c) => ({ value: c.id, text: "#" + c.name, as: "id" }));
  }
  return optionsOf(e);
}

function select(e, held, ready, put, place) {
  const list = choices(e, place);
  const lots = Boolean(many[e.type]);
  const key = one[e.type] ?? many[e.type];
  const now = [held[key] ?? []].flat().map((v) => v?.value ?? v);
  const node = h("select", {
    ...ready, multiple: lots, size: lots ? Math.min(5, list.length) : null,
    onchange: () => {
      const chosen = [...node.selectedOptions].filter((o) => o.value).map((o) => {
        const found = list.find((x) => x.value === o.value);
        return found.as === "id" ? found.value : found;
      });
      put({ [key]: lots ? chosen : chosen[0] ?? null }, lots ? chosen.map((v) => v.value ?? v) : node.value);
    },
  });
  if (!lots) node.append(h("option", { value: "" }, e.placeholder?.text ?? t("choose")));
  const option = (o) => h("option", { value: o.value, selected: now.includes(o.value) }, words(o));
  if (e.option_groups) node.append(...e.option_groups.map((g) => h("optgroup", { label: words({ text: g.label }) }, g.options.map(option))));
  else node.append(...list.map(option));
  return node;
}

function boxes(e, b, held, put, label) {
  const radio = e.type === "radio_buttons";
  const now = radio ? [held.selected_option?.value] : (held.selected_options ?? []).map((o) => o.value);
  const group = h("div", { class: "b-boxes", role: radio ? "radiogroup" : "group", "aria-label": label });
  for (const o of e.options) {
    group.append(h("label", {}, h("input", {
      type: radio ? "radio" : "checkbox", name: b.block_id + e.action_id, value: o.value, checked: now.includes(o.value),
      onchange: () => {
        const set = [...group.querySelectorAll("input:checked")].map((n) => e.options.find((x) => x.value === n.value));
        put(radio ? { selected_option: set[0] } : { selected_options: set }, radio ? o.value : set.map((x) => x.value));
      },
    }), h("span", {}, words(o), o.description && h("small", {}, words({ text: o.description })))));
  }
  return group;
}
