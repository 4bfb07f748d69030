// The box for slash commands, with the grammar and examples.

import { $, h, recall, remember } from "./dom.js";
import * as api from "./api.js";
import { t } from "./lang.js";
import { place, store } from "./store.js";

const grammar = [
  ["ACTION", "grammar.action"], ["[WHO,…]", "grammar.who"], ["[to|from|on|in] SYSTEM/GROUP", "grammar.where"],
  ["[as ROLE-OR-REMARK]", "grammar.as"], ["[for 7d]", "grammar.for"], ["[because …]", "grammar.because"],
];

const examples = () => {
  const { team, workspace } = store.picture.seed;
  return [
    [t("example.form"), "", "the form"],
    ["invite", `invite 50002 to gpu-lab/${team} as 张三 because training run`],
    [t("example.two"), `invite 50002,50006 to gpu-lab/${team}`],
    ["rename", `rename 50003 on gpu-lab/${team} as 李四`],
    ["cancel", `cancel 50004 on gpu-lab/${team} because joined the other team`],
    ["accept", "accept gpu-lab/2001"],
    ["add", `add @alice to warehouse/${workspace} as developer for 7d because on call`],
    [t("example.admin"), `add @bob to warehouse/${workspace} as admin for 2h because incident 7`],
    ["role", `role @alice on warehouse/${workspace} as operator`],
    ["add-role", `add-role user:carol on warehouse/${workspace} as viewer for 8h`],
    ["remove", `remove @alice from warehouse/${workspace}`],
    ["members", `members warehouse/${workspace}`], ["mine", "mine"], ["pending", "pending"], ["help", "help"], [t("example.mistake"), "invite 50002 gpu-lab"],
  ];
};

let history = recall("history", []);
let back = -1; // how far back in the history the box is

/** setUpComposer prepares the box; it is called once, when the first picture is there. */
export function setUpComposer() {
  const box = $("command");
  $("composer").addEventListener("submit", (ev) => { ev.preventDefault(); send(); });
  box.addEventListener("keydown", keys);
  // An input method may send a line break by itself, without the key.
  box.addEventListener("beforeinput", (ev) => { if (ev.inputType === "insertLineBreak") ev.preventDefault(); });
}

/** drawExamples draws the examples and the grammar, in the page's language. */
export function drawExamples() {
  const box = $("command");
  $("grammar").replaceChildren(h("code", {}, "/access "), ...grammar.map(([part, what]) => h("code", { title: t(what) }, part + " ")));
  $("examples").replaceChildren(...examples().map(([name, text, key]) => h("button", {
    type: "button", class: "example", title: "/access " + text, "data-example": key ?? name,
    onclick: () => {
      fill(text);
      if (text) box.focus();
      else send(); // nothing but the command opens the form; there is nothing to look over first
    },
  }, name)));
}

/** fill puts a text into the box. */
export function fill(text) {
  const box = $("command");
  box.value = text;
  box.setSelectionRange(text.length, text.length);
}

function keys(ev) {
  const box = ev.target;
  if (ev.key === "Enter" && !ev.shiftKey && !ev.isComposing) {
    ev.preventDefault();
    send();
  } else if (ev.key === "ArrowUp" && !box.value.slice(0, box.selectionStart).includes("\n") && back < history.length - 1) {
    ev.preventDefault();
    fill(history[++back]);
  } else if (ev.key === "ArrowDown" && back >= 0) {
    ev.preventDefault();
    back--;
    fill(back < 0 ? "" : history[back]);
  } else if (ev.key === "Escape") {
    box.blur();
  }
}

/** send sends what is in the box as the viewer, in the channel that is open. */
export async function send() {
  const box = $("command");
  const text = box.value.trim().replace(/^\/(access\b)?\s*/, "");
  if (text) {
    history = [text, ...history.filter((t) => t !== text)].slice(0, 50);
    remember("history", history);
  }
  back = -1;
  box.value = "";
  const answer = await api.slash(store.as, place(), text);
  if (!answer.ok && !box.value) fill(text);
  return answer;
}
