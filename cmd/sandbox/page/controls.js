// Time, mishaps, the bot's health, and help: what no Slack has.

import { $, h, keyed, remember, toast } from "./dom.js";
import * as api from "./api.js";
import { locale, t } from "./lang.js";
import { refresh, store, viewer } from "./store.js";
import { full, span } from "./times.js";

let took = 0; // when the picture was taken, by this page's own clock

/** drawControls draws the top of the page and the two panels that open from it. */
export function drawControls() {
  const p = store.picture;
  took = Date.now();
  drawClock();
  const bot = !store.up ? ["down", "bot.gone"] : p.bot.ready ? ["up", "bot.up"] : p.bot.running ? ["wait", "bot.wait"] : ["down", "bot.down"];
  $("bot").className = "bot " + bot[0];
  $("bot").textContent = t(bot[1]);
  $("bot").title = p.bot.error ?? "";
  $("mishaps-button").classList.toggle("armed", p.armed.length > 0);
  $("mishaps-button").textContent = p.armed.length ? t("mishaps.armed", t("mishap." + p.armed[0])) : t("mishaps");
  const items = p.mishaps.map((m) => ({ ...m, on: p.armed.includes(m.id) }));
  keyed($("mishap-list"), items, (m) => m.id, (m) => h("button", {
    type: "button", class: "mishap" + (m.on ? " on" : ""), "data-mishap": m.id, "data-focus": m.id,
    onclick: async () => { if ((await api.mishap(m.id)).ok) toast(t(m.group === "cloud" ? "mishaps.armed" : "mishaps.done", t("mishap." + m.id))); },
  }, h("strong", {}, t("mishap." + m.id), m.on && h("span", { class: "tag" }, t("mishaps.tag"))), h("span", {}, t("mishap." + m.id + ".about"))));
}

function drawClock() {
  const p = store.picture;
  if (!p) return;
  const now = new Date(p.now).getTime() + Date.now() - took;
  const words = full(now, { locale: locale(), tz: viewer().tz });
  $("clock-button").textContent = p.ahead ? words + " (+" + span(p.ahead) + ")" : words;
  $("clock-now").textContent = words + " · " + (viewer().tz ?? "UTC") + (p.ahead ? " · " + t("clock.pushed", span(p.ahead)) : "");
}

const pushes = [600, 3600, 4 * 3600, 86400, 7 * 86400, 30 * 86400];

/** drawPushes draws the buttons that push the time forward, in the page's language. */
export const drawPushes = () => $("clock-push").replaceChildren(...pushes.map((seconds) => h("button", {
  type: "button", "data-push": String(seconds), onclick: () => api.pushClock(seconds),
}, "+ " + t("push." + seconds))));

/** setUpControls prepares what does not change; forget is called when everything begins anew. */
export function setUpControls(forget) {
  drawPushes();
  setInterval(drawClock, 5000);
  $("mend").addEventListener("click", async () => { if ((await api.mishap("mend")).ok) toast(t("mishaps.mended")); });
  $("start-over").addEventListener("click", async () => {
    $("mishaps").hidePopover();
    if (!(await api.mishap("start-over")).ok) return;
    store.read = {};
    store.hidden.clear();
    store.thread = null;
    remember("read", store.read);
    forget();
    await refresh();
    toast(t("mishaps.overdone"));
  });
  $("help-button").addEventListener("click", openHelp);
  $("help").addEventListener("click", (ev) => { if (ev.target === $("help")) $("help").close(); });
}

const keys = [
  ["/", "key.box"], ["↑ ↓", "key.history"], ["1 – 6", "key.person"], ["g a", "key.go"], ["Esc", "key.esc"], ["Tab", "key.tab"], ["?", "key.help"],
];

/** openHelp shows the keys and what this page is. */
export function openHelp() {
  const dialog = $("help");
  dialog.replaceChildren(
    h("header", {}, h("h2", { id: "help-title" }, t("help")), h("button", { type: "button", class: "quiet", "aria-label": t("close"), onclick: () => dialog.close() }, "✕")),
    h("div", { class: "modal-body" },
      h("p", {}, t("help.about")),
      h("h3", {}, t("help.keys")),
      h("dl", { class: "keys" }, keys.flatMap(([k, what]) => [h("dt", {}, k.split(" ").map((x) => (/[–·]/.test(x) ? x : h("kbd", {}, x)))), h("dd", {}, t(what))])),
      h("h3", {}, t("help.who")),
      h("ul", {}, ["help.who.1", "help.who.2", "help.who.3"].map((key) => h("li", {}, t(key)))),
      h("p", { class: "small" }, t("help.over"))));
  dialog.showModal();
}
