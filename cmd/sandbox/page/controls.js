// Time, mishaps, the bot's health, and help: what no Slack has.

import { $, h, keyed, remember, toast } from "./dom.js";
import * as api from "./api.js";
import { refresh, store, viewer } from "./store.js";
import { full, span } from "./times.js";

let took = 0; // when the picture was taken, by this page's own clock

/** drawControls draws the top of the page and the two panels that open from it. */
export function drawControls() {
  const p = store.picture;
  took = Date.now();
  drawClock();
  const bot = !store.up ? ["down", "Sandbox stopped"] : p.bot.ready ? ["up", "Bot connected"] : p.bot.running ? ["wait", "Bot connecting"] : ["down", "Bot stopped"];
  $("bot").className = "bot " + bot[0];
  $("bot").textContent = bot[1];
  $("bot").title = p.bot.error ?? "";
  $("mishaps-button").classList.toggle("armed", p.armed.length > 0);
  $("mishaps-button").textContent = p.armed.length ? "Armed: " + p.mishaps.find((m) => m.id === p.armed[0])?.label : "Break something";
  const items = p.mishaps.map((m) => ({ ...m, on: p.armed.includes(m.id) }));
  keyed($("mishap-list"), items, (m) => m.id, (m) => h("button", {
    type: "button", class: "mishap" + (m.on ? " on" : ""), "data-mishap": m.id, "data-focus": m.id,
    onclick: async () => { if ((await api.mishap(m.id)).ok) toast(m.label + (m.group === "cloud" ? ": armed" : ": done")); },
  }, h("strong", {}, m.label, m.on && h("span", { class: "tag" }, "armed")), h("span", {}, m.about)));
}

function drawClock() {
  const p = store.picture;
  if (!p) return;
  const now = new Date(p.now).getTime() + Date.now() - took;
  const words = full(now, viewer());
  $("clock-button").textContent = p.ahead ? words + " (+" + span(p.ahead) + ")" : words;
  $("clock-now").textContent = words + " · " + (viewer().tz ?? "UTC") + (p.ahead ? " · pushed forward by " + span(p.ahead) : "");
}

const pushes = [["10 minutes", 600], ["1 hour", 3600], ["4 hours", 4 * 3600], ["1 day", 86400], ["7 days", 7 * 86400], ["30 days", 30 * 86400]];

/** setUpControls prepares what does not change; forget is called when everything begins anew. */
export function setUpControls(forget) {
  $("clock-push").replaceChildren(...pushes.map(([name, seconds]) => h("button", {
    type: "button", "data-push": String(seconds), onclick: () => api.pushClock(seconds),
  }, "+ " + name)));
  setInterval(drawClock, 5000);
  $("mend").addEventListener("click", async () => { if ((await api.mishap("mend")).ok) toast("Everything works again"); });
  $("start-over").addEventListener("click", async () => {
    $("mishaps").hidePopover();
    if (!(await api.mishap("start-over")).ok) return;
    store.read = {};
    store.hidden.clear();
    store.thread = null;
    remember("read", store.read);
    forget();
    await refresh();
    toast("Everything is as it was at the start");
  });
  $("help-button").addEventListener("click", openHelp);
  $("help").addEventListener("click", (ev) => { if (ev.target === $("help")) $("help").close(); });
}

const keys = [
  ["/", "go to the command box"], ["↑ ↓", "in the box: earlier commands"], ["1 – 6", "take another person's place"],
  ["g a", "go to #approvals; g g: #general; g d: direct messages; g h: the Home view"], ["Esc", "leave the box; close the thread"], ["Tab", "walk through everything"], ["?", "this"],
];

/** openHelp shows the keys and what this page is. */
export function openHelp() {
  const dialog = $("help");
  dialog.replaceChildren(
    h("header", {}, h("h2", { id: "help-title" }, "Help"), h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
    h("div", { class: "modal-body" },
      h("p", {}, "The bot is the real one. Slack, CompShare and DataArts Studio are emulators in the same process, and nothing leaves this machine. ",
        "You see what the person on the left would see in Slack; the clouds on the right are there for everybody who learns."),
      h("h3", {}, "Keys"),
      h("dl", { class: "keys" }, keys.flatMap(([k, what]) => [h("dt", {}, k.split(" ").map((x) => (/[–·]/.test(x) ? x : h("kbd", {}, x)))), h("dd", {}, what)])),
      h("h3", {}, "Who is who"),
      h("ul", {}, [
        "Rita and Alice ask; Lena and Bob approve. Bob and Alice read Chinese, and the bot answers them in it.",
        "Gus is a guest and Olga belongs to another company: neither may ask or decide.",
        "An admin of a workspace needs both: Lena, and one of the GPU owners.",
      ].map((s) => h("li", {}, s))),
      h("p", { class: "small" }, "Start over is under “Break something”.")));
  dialog.showModal();
}
