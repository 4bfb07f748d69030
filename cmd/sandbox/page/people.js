// Who one is, and where one can look.

import { $, h, keyed, langOf } from "./dom.js";
import { t } from "./lang.js";
import { become, look, place, redraw, store, unread } from "./store.js";

/** avatar is a person's initials on a colour of their own; the bot has its seal. */
export function avatar(who) {
  if (who.bot && who.name === "countersign") return h("img", { class: "avatar", src: "icon.svg", alt: "" });
  const initials = (who.real ?? who.id).split(/\s+/).map((w) => w[0]).slice(0, 2).join("");
  return h("span", { class: "avatar hue" + (Math.max(0, store.picture.people.findIndex((p) => p.id === who.id)) % 6), "aria-hidden": "true" }, initials);
}

/** actors are those whose place can be taken, in the order of their keys. */
export const actors = () => store.picture.people.filter((p) => p.sign_in);

/** drawSide draws the people and the conversations. */
export function drawSide() {
  keyed($("people"), actors().map((p, i) => ({ ...p, key: i + 1, on: p.id === store.as })), (p) => p.id, person);
  const at = place();
  const all = store.picture.channels.map((c) => ({
    id: c.id, name: c.name, private: c.private, shared: c.shared, direct: c.direct, on: c.id === at, news: c.id !== at && unread(c),
  }));
  keyed($("channels"), all.filter((c) => !c.direct), (c) => c.id, (c) => entry(c, (c.private ? "🔒" : "#"), c.name));
  const app = [...all.filter((c) => c.direct), { id: "home", on: at === "home" }];
  keyed($("direct"), app, (c) => c.id, (c) => (c.id === "home" ? entry(c, "⌂", t("home")) : entry(c, "✉", t("direct"))));
}

function person(p) {
  const role = (p.role ? t("role." + p.role) : "") + (p.locale.startsWith("zh") ? " · 中文" : "");
  return h("button", {
    type: "button", role: "radio", "aria-checked": String(p.on), "data-focus": p.id, "data-person": p.id,
    tabindex: p.on ? "0" : "-1", title: t("people.press", p.real, p.key),
    onclick: () => become(p.id), onkeydown: arrows,
  }, avatar(p), h("span", { class: "name", lang: langOf(p.real) }, p.real), h("span", { class: "role", lang: langOf(role) }, role), h("kbd", { "aria-hidden": "true" }, String(p.key)));
}

/** arrows moves through a group of radio buttons, as the platform's own do. */
function arrows(ev) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[ev.key];
  if (!step) return;
  ev.preventDefault();
  const all = [...$("people").children];
  const next = all[(all.indexOf(ev.currentTarget) + step + all.length) % all.length];
  become(next.dataset.person).then(() => document.querySelector(`[data-person="${store.as}"]`)?.focus());
}

function entry(c, sign, name) {
  return h("button", {
    type: "button", "aria-current": c.on ? "page" : null, "data-channel": c.id, "data-focus": c.id, class: c.news ? "news" : "",
    onclick: () => { look(c.id); redraw(); },
  }, h("span", { class: "sign", "aria-hidden": "true" }, sign), h("span", { class: "name" }, name),
  c.shared && h("span", { class: "tag" }, t("channel.shared")), c.news && h("span", { class: "dot", role: "img", "aria-label": t("unread") }));
}
