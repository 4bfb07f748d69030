// What the clouds hold, and the calls that they got.

import { $, h, keyed, langOf } from "./dom.js";
import * as api from "./api.js";
import { consoleForm, editing, edit } from "./console.js";
import { t } from "./lang.js";
import { store, viewer } from "./store.js";
import { clock } from "./times.js";

const counted = (key, n) => (n === 1 ? t(key) : t(key + "s", n));

/** drawClouds draws the column on the right. */
export function drawClouds() {
  const p = store.picture;
  const held = [
    { vendor: "CompShare" }, ...p.compshare.map((g) => ({ ...g, kind: "team" })),
    { vendor: "DataArts Studio" }, ...p.dataarts.map((g) => ({ ...g, kind: "workspace" })),
  ].map((g) => ({ ...g, open: editing(g.id) }));
  keyed($("held"), held, (g) => g.vendor ?? g.kind + g.id, (g) => (g.vendor ? h("h3", { class: "cloud" }, g.vendor) : group(g)));
  const runs = folded(p.calls);
  const made = p.calls.filter((c) => c.mutating).length;
  $("calls-count").textContent = p.calls.length ? counted("calls.change", made) + " · " + counted("calls.read", p.calls.length - made) : "";
  const node = $("calls");
  const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 60;
  keyed(node, runs, (r) => r.key, run, p.as);
  node.classList.toggle("none", runs.length === 0);
  if (atEnd) node.scrollTop = node.scrollHeight;
}

function group(g) {
  const rows = g.kind === "team" ? g.relations.map((r) => relation(g, r)) : g.members.map((m) => member(g, m));
  return h("section", { class: "held" },
    h("h4", {}, h("strong", {}, g.name), h("span", { class: "kind" }, t("held." + g.kind)), h("code", { title: String(g.id) }, short(g.id)),
      rows.length === 0 && h("span", { class: "kind" }, "· " + t("held.nobody")),
      pencil(g, "new", "＋", t("console.add", g.name))),
    g.open === "new" && consoleForm(g, null),
    rows.length > 0 && h("ul", {}, rows));
}

const short = (id) => (String(id).length > 12 ? String(id).slice(0, 6) + "…" + String(id).slice(-4) : String(id));

// A team of another company is not this account's to change.
const foreign = (g) => g.kind === "team" && g.owner !== 50001;

function pencil(g, row, sign, label) {
  if (foreign(g)) return null;
  const open = g.open === String(row);
  return h("button", {
    type: "button", class: "quiet edit", title: t("console"), "aria-label": label, "aria-expanded": String(open),
    "data-focus": "edit" + row, "data-edit": g.name + "/" + row, onclick: () => edit(g.id, open ? null : row),
  }, sign);
}

/** line is a membership, with the form below it while somebody is at the console. */
const line = (g, row, id, parts) => [h("li", { "data-row": row }, parts), g.open === id && h("li", {}, consoleForm(g, id))];

function relation(g, r) {
  const name = r.remark || store.picture.names[r.company] || "";
  const theirs = (status, key) => h("button", {
    type: "button", class: "quiet", title: t("held.theirs"), "aria-label": t(key + ".label", name || r.company), onclick: () => api.relate(g.id, r.company, status),
  }, t(key));
  return line(g, g.id + "/" + r.company, String(r.company), [
    h("span", { class: "name", lang: langOf(name) }, h("span", { class: "text" }, name || t("held.company")), h("code", {}, String(r.company))),
    r.status === "Pending" && !foreign(g) && h("span", { class: "does" }, theirs("Joined", "held.joins"), theirs("Rejected", "held.declines")),
    h("span", { class: "state s-" + r.status }, t("state." + r.status)),
    pencil(g, r.company, "✎", t("console.edit", name || r.company)),
  ]);
}

function member(g, m) {
  return line(g, g.name + "/" + m.name, m.id, [
    h("span", { class: "name", lang: langOf(m.name) }, h("span", { class: "text" }, m.name || "—"), h("code", { title: m.id }, short(m.id)), m.group && h("span", { class: "kind" }, t("held.group"))),
    m.roles.map((r) => h("span", { class: "state" }, r)),
    pencil(g, m.id, "✎", t("console.edit", m.name || m.id)),
  ]);
}

/** folded puts reads that follow one another into one line. */
function folded(calls) {
  const runs = [];
  calls.forEach((c, i) => {
    const last = runs.at(-1);
    if (!c.mutating && last && !last.mutating && last.cloud === c.cloud) last.calls.push(c);
    else runs.push({ key: i, mutating: c.mutating, cloud: c.cloud, calls: [c] });
  });
  return runs;
}

const answer = (c) => c.answer || t("calls.silent");

function run(r) {
  const first = r.calls[0];
  const time = h("time", {}, clock(first.time, viewer()));
  if (r.mutating) {
    return h("div", { class: "call change" + (first.failed ? " bad" : "") },
      h("p", {}, h("strong", {}, first.name), time),
      h("p", { class: "detail", lang: langOf(first.detail) }, h("span", { class: "vendor" }, first.cloud), " ", first.detail),
      h("p", { class: "answer" }, t(first.applied ? "calls.carried" : "calls.refused"), " · ", answer(first)));
  }
  const bad = r.calls.some((c) => c.failed);
  return h("details", { class: "call reads" + (bad ? " bad" : "") },
    h("summary", {}, counted("calls.read", r.calls.length), h("span", { class: "vendor" }, r.cloud), time),
    h("ul", {}, r.calls.map((c) => h("li", {}, c.name, " ", h("span", { class: "answer" }, answer(c))))));
}
