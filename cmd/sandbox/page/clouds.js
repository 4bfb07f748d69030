// What the clouds hold, and the calls that they got.

import { $, h, keyed, langOf } from "./dom.js";
import * as api from "./api.js";
import { store, viewer } from "./store.js";
import { clock } from "./times.js";

/** drawClouds draws the column on the right. */
export function drawClouds() {
  const p = store.picture;
  const held = [
    { vendor: "CompShare" }, ...p.compshare.map((t) => ({ ...t, kind: "team" })),
    { vendor: "DataArts Studio" }, ...p.dataarts.map((w) => ({ ...w, kind: "workspace" })),
  ];
  keyed($("held"), held, (g) => g.vendor ?? g.kind + g.id, (g) => (g.vendor ? h("h3", { class: "cloud" }, g.vendor) : group(g)));
  const runs = folded(p.calls);
  const made = p.calls.filter((c) => c.mutating).length;
  $("calls-count").textContent = p.calls.length ? `${made} ${made === 1 ? "change" : "changes"}, ${p.calls.length - made} reads` : "";
  const node = $("calls");
  const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 60;
  keyed(node, runs, (r) => r.key, run, p.as);
  node.classList.toggle("none", runs.length === 0);
  if (atEnd) node.scrollTop = node.scrollHeight;
}

function group(g) {
  const rows = g.kind === "team" ? g.relations.map((r) => relation(g, r)) : g.members.map((m) => member(g, m));
  return h("section", { class: "held" },
    h("h4", {}, h("strong", {}, g.name), h("span", { class: "kind" }, g.kind), h("code", { title: String(g.id) }, short(g.id)),
      rows.length === 0 && h("span", { class: "kind" }, "· nobody")),
    rows.length > 0 && h("ul", {}, rows));
}

const short = (id) => (String(id).length > 12 ? String(id).slice(0, 6) + "…" + String(id).slice(-4) : String(id));

function relation(t, r) {
  const name = r.remark || store.picture.names[r.company] || "";
  const open = r.status === "Pending" && t.owner === 50001;
  return h("li", { "data-row": t.id + "/" + r.company },
    h("span", { class: "name", lang: langOf(name) }, name || "company", h("code", {}, String(r.company))),
    open && h("span", { class: "does" },
      h("button", { type: "button", class: "quiet", title: "What the company would do in the vendor's console", "aria-label": name + " joins", onclick: () => api.relate(t.id, r.company, "Joined") }, "joins"),
      h("button", { type: "button", class: "quiet", title: "What the company would do in the vendor's console", "aria-label": name + " declines", onclick: () => api.relate(t.id, r.company, "Rejected") }, "declines")),
    h("span", { class: "state s-" + r.status }, r.status));
}

function member(w, m) {
  return h("li", { "data-row": w.name + "/" + m.name },
    h("span", { class: "name", lang: langOf(m.name) }, m.name || "—", h("code", { title: m.id }, short(m.id)), m.group && h("span", { class: "kind" }, "group")),
    m.roles.map((r) => h("span", { class: "state" }, r)));
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

function run(r) {
  const first = r.calls[0];
  const time = h("time", {}, clock(first.time, viewer()));
  if (r.mutating) {
    return h("div", { class: "call change" + (first.failed ? " bad" : "") },
      h("p", {}, h("strong", {}, first.name), time),
      h("p", { class: "detail", lang: langOf(first.detail) }, h("span", { class: "vendor" }, first.cloud), " ", first.detail),
      h("p", { class: "answer" }, first.applied ? "carried out · " : "not carried out · ", first.answer));
  }
  const bad = r.calls.some((c) => c.failed);
  return h("details", { class: "call reads" + (bad ? " bad" : "") },
    h("summary", {}, r.calls.length === 1 ? "1 read" : r.calls.length + " reads", h("span", { class: "vendor" }, r.cloud), time),
    h("ul", {}, r.calls.map((c) => h("li", {}, c.name, " ", h("span", { class: "answer" }, c.answer)))));
}
