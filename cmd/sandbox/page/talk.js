// Messages: a channel, a direct message, a thread, and the app's Home view.

import { $, h, keyed, langOf } from "./dom.js";
import { t } from "./lang.js";
import { mrkdwn } from "./mrkdwn.js";
import { blocks } from "./blocks.js";
import { avatar } from "./people.js";
import * as api from "./api.js";
import { channelOf, look, names, place, press, seen, store, viewer } from "./store.js";
import { clock, day } from "./times.js";

/** drawTalk draws the middle of the page. */
export function drawTalk() {
  const at = place();
  if (at === "home") return drawHome();
  const c = channelOf(at);
  const v = viewer();
  $("composer").hidden = false;
  $("talk-name").replaceChildren(c.direct ? "Countersign" : (c.private ? "🔒 " : "# ") + c.name);
  $("talk-about").textContent = about(c, v);
  const tops = c.messages.filter((m) => (!m.thread_ts || m.thread_ts === m.ts) && !store.hidden.has(m.ts));
  list($("log"), withDays(tops.map((m) => ({ ...m, replies: repliesTo(c, m).length }))), c, false);
  seen(c);
  drawThread(c);
}

function about(c, v) {
  if (c.direct) return t("about.direct", v.real);
  if (c.shared) return t("about.shared");
  return c.name === "approvals" ? t("about.approvals") : "";
}

const repliesTo = (c, m) => c.messages.filter((r) => r.thread_ts === m.ts && r.ts !== m.ts);

function drawThread(c) {
  const root = store.thread && c.messages.find((m) => m.ts === store.thread);
  $("thread").hidden = !root;
  document.body.classList.toggle("threaded", Boolean(root));
  if (root) list($("replies"), [root, ...repliesTo(c, root)].filter((m) => !store.hidden.has(m.ts)).map((m) => ({ ...m, replies: 0 })), c, true);
}

/** withDays puts a line before the first message of each day. */
function withDays(messages) {
  const out = [];
  let last = "";
  for (const m of messages) {
    const d = day(m.time, viewer());
    if (d !== last) out.push({ ts: "day " + d, day: d });
    last = d;
    out.push(m);
  }
  return out;
}

/** What shows its end shows it still in a window of another size, where the same words take more lines. */
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.atEnd) target.scrollTop = target.scrollHeight;
});

const showsEnd = (node) => node.scrollHeight - node.scrollTop - node.clientHeight < 60;

function list(node, items, c, inThread) {
  const where = c.id + store.as + (inThread ? store.thread : "");
  const moved = node.where !== where;
  const atEnd = moved || showsEnd(node);
  if (node.atEnd === undefined) {
    node.addEventListener("scroll", () => (node.atEnd = showsEnd(node)));
    resized.observe(node);
  }
  node.atEnd = atEnd;
  if (moved) node.replaceChildren();
  node.where = where;
  keyed(node, items, (m) => m.ts, (m) => (m.day ? h("div", { class: "day" }, h("span", {}, m.day)) : message(m, c, inThread)));
  node.classList.toggle("empty", items.length === 0);
  if (moved) for (const n of node.children) n.classList.remove("fresh");
  if (atEnd) node.scrollTop = node.scrollHeight;
}

/** where is what blocks need to know of the message that they stand on. */
const standsOn = (m, c) => ({
  names: names(),
  act: (e, b, value) => press(c.id, m, e, b, value),
  suggest: (e, b, value) => api.suggest({ as: store.as, channel: c.id, ts: m.ts, action_id: e.action_id, block_id: b.block_id, value }),
});

function message(m, c, inThread) {
  const who = names().person(m.user) ?? { id: m.user, real: m.user };
  const time = h("time", { datetime: m.time }, clock(m.time, viewer()));
  const head = h("p", { class: "who" },
    h("strong", { lang: langOf(who.real) }, who.real), who.bot && h("span", { class: "app" }, "App"), time);
  const body = m.blocks?.length ? blocks(m.blocks, standsOn(m, c)) : h("div", { class: "blocks", lang: langOf(m.text) }, h("div", { class: "b-section" }, mrkdwn(m.text, names())));
  return h("article", { class: "message" + (m.ephemeral ? " private" : ""), "data-ts": m.ts, "aria-label": t("message.of", who.real) },
    avatar(who),
    h("div", { class: "body" },
      m.ephemeral && h("p", { class: "only" }, eye(), t("message.only"),
        h("button", { type: "button", class: "quiet", onclick: () => { store.hidden.add(m.ts); drawTalk(); } }, t("message.dismiss"))),
      head, body,
      m.edited && h("span", { class: "edited" }, t("message.edited")),
      !inThread && m.replies > 0 && h("button", {
        type: "button", class: "replies", "data-focus": "replies", onclick: () => look(c.id, m.ts),
      }, m.replies === 1 ? t("message.reply") : t("message.replies", m.replies), h("span", { "aria-hidden": "true" }, " ›"))));
}

function eye() {
  return h("span", { class: "eye", "aria-hidden": "true" });
}

function drawHome() {
  const home = store.picture.home;
  $("composer").hidden = true;
  $("thread").hidden = true;
  document.body.classList.remove("threaded");
  $("talk-name").textContent = "Countersign";
  $("talk-about").textContent = t("about.home", viewer().real);
  const node = $("log");
  node.where = "home";
  const stands = home && {
    names: names(),
    act: (e, b, value) => api.click({ as: store.as, view_id: home.id, action_id: e.action_id, block_id: b.block_id, value }),
    suggest: (e, b, value) => api.suggest({ as: store.as, view_id: home.id, action_id: e.action_id, block_id: b.block_id, value }),
  };
  const items = [home ? { id: home.id, hash: home.hash, as: store.as } : { id: "none" }];
  keyed(node, items, (x) => x.id, () => (home
    ? h("div", { class: "home" }, blocks(home.blocks, stands))
    : h("p", { class: "nothing" }, t("home.none"))));
  node.classList.remove("empty");
}
