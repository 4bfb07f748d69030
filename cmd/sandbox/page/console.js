// The vendors' own consoles: somebody changes a membership in the cloud, and the bot is not told.

import { h, toast } from "./dom.js";
import * as api from "./api.js";
import { t } from "./lang.js";
import { redraw, refresh, store } from "./store.js";

let at = { group: null, row: null };

/** editing is the row of a group that is being changed, or "new"; nothing where none is. */
export const editing = (group) => (at.group === group && at.row !== null ? at.row : undefined);

/** edit begins to change a row of a group, or with null ends it. */
export function edit(group, row) {
  at = { group, row: row === null ? null : String(row) };
  redraw();
  const form = document.querySelector(".console");
  form?.querySelector("select, input")?.focus();
  form?.scrollIntoView({ block: "nearest" });
}

const end = (g) => {
  const row = at.row;
  edit(g.id, null);
  document.querySelector(`[data-edit="${g.name}/${row}"]`)?.focus();
};

/** consoleForm changes a row of a group, or with null adds one. */
export function consoleForm(g, row) {
  const fields = g.kind === "team" ? relationFields(g, row) : memberFields(g, row);
  return h("form", {
    class: "console", onkeydown: (ev) => { if (ev.key === "Escape") { ev.stopPropagation(); end(g); } },
    onsubmit: async (ev) => {
      ev.preventDefault();
      if (!(await api.change(fields.value())).ok) return;
      toast(t("console.done"));
      end(g);
      await refresh();
    },
  }, h("p", {}, t("console")), fields.nodes,
  h("div", { class: "row" }, h("button", { type: "button", onclick: () => end(g) }, t("console.cancel")), h("button", { type: "submit", class: "primary" }, t("console.save"))));
}

const field = (label, control) => h("label", {}, h("span", {}, label), control);

function relationFields(g, row) {
  const old = g.relations.find((r) => String(r.company) === row) ?? { status: "Pending", remark: "" };
  const there = g.relations.map((r) => String(r.company));
  const who = !row && h("select", {}, Object.entries(store.picture.names).filter(([id]) => id !== String(g.owner) && !there.includes(id))
    .map(([id, name]) => h("option", { value: id }, name + " " + id)));
  const status = h("select", { name: "status" }, ["Pending", "Joined", "Rejected", "Canceled", ""].filter((s) => row || s)
    .map((s) => h("option", { value: s, selected: s === old.status }, t(s ? "state." + s : "console.out"))));
  const remark = h("input", { type: "text", name: "remark", value: old.remark });
  return {
    nodes: [who && field(t("console.who"), who), field(t("console.state"), status), field(t("console.remark"), remark)],
    value: () => ({ team: g.id, company: Number(row ?? who.value), status: status.value, remark: remark.value }),
  };
}

function memberFields(g, row) {
  const old = g.members.find((m) => m.id === row);
  const { subjects, roles } = store.picture.iam;
  const absent = subjects.filter((s) => !g.members.some((m) => m.id === s.id && Boolean(m.group) === Boolean(s.group)));
  const who = !row && h("select", {}, absent.map((s) => h("option", { value: s.id }, s.name + (s.group ? " · " + t("held.group") : ""))));
  const boxes = roles.map((r) => h("input", { type: "checkbox", value: r.id, checked: (old?.role_ids ?? []).includes(r.id) }));
  return {
    nodes: [
      who && field(t("console.who"), who),
      h("div", { class: "boxes", role: "group", "aria-label": t("console.roles") }, roles.map((r, i) => h("label", {}, boxes[i], h("span", {}, r.name)))),
      row && h("p", {}, t("console.none")),
    ],
    value: () => ({
      workspace: g.id, member: row ?? who.value, roles: boxes.filter((b) => b.checked).map((b) => b.value),
      group: Boolean(row ? old?.group : subjects.find((s) => s.id === who.value)?.group),
    }),
  };
}
