// The story: each step has a button that does it, and is done as well if the newcomer does it by hand. What a step has
// come to is read off the page's own picture, never assumed.

import { $, h, recall, remember } from "./dom.js";
import * as api from "./api.js";
import { fill, send } from "./composer.js";
import { both, lang, t } from "./lang.js";
import { become, buttonOn, cards, channelOf, look, place, press, redraw, refresh, store } from "./store.js";

const rita = "U0REQ", lena = "U0LEAD";
let now = recall("story", { step: 0, hidden: false });

const save = () => remember("story", now);
const approvals = () => store.picture.seed.channel;
// A request is known by its reason, whichever language it was asked in.
const cardOf = (reason, also = "") => cards().findLast((c) => both(reason).some((said) => c.text.includes(said)) && c.text.includes(also));
const trained = () => cardOf("say.train"), batch = () => cardOf("say.batch"), left = () => cardOf("say.left");
const called = () => cardOf("say.call", "r00002"); // developer: not the card that removes her
const stateOf = (card) => / \*(\w+)[^*]*\*/.exec(card?.message.blocks[0]?.text?.text?.split("\n")[0].split("·")[1] ?? "")?.[1];
const decided = (card) => card && !buttonOn(card.message, "approve");
const planned = (card) => card?.text.includes("→");
const voided = (card) => card?.text.includes("~:white_check_mark:"); // an approval struck through
const selector = (card) => card && `[data-ts="${card.message.ts}"]`;
const reply = "#replies .message:last-of-type", callMade = ".call.change:last-of-type";

const ask = async (text, reason) => {
  await become(rita);
  look("C0GENERAL");
  fill(text + " because " + t(reason));
  await new Promise((done) => { setTimeout(done, 350); }); // long enough to see what is typed
  await send();
  await refresh();
};

const pressAs = async (who, find, action) => {
  await become(who);
  look(approvals());
  await refresh();
  const card = find(), at = card && buttonOn(card.message, action);
  if (at) await press(approvals(), card.message, at.e, at.b, at.e.value);
  await refresh();
};

const approve = (who, find) => pressAs(who, find, "approve");

/** waitFor waits, for at most some seconds, until the picture shows something. */
async function waitFor(cond) {
  for (let i = 0; i < 90 && !cond(); i++) {
    await new Promise((done) => { setTimeout(done, 100); });
    await refresh();
  }
}

const ended = (find) => waitFor(() => ["done", "failed", "unknown"].includes(stateOf(find())));
const openThread = async (find) => { await become(lena); look(approvals(), find()?.message.ts); };

const analytics = () => store.picture.dataarts.find((w) => w.id === store.picture.seed.workspace);
const there = (name) => analytics()?.members.find((m) => m.name === name);
const warehouse = () => "warehouse/" + store.picture.seed.workspace;
const team = () => "gpu-lab/" + store.picture.seed.team;

// Their words are in the catalogue: NAME.title, NAME.before, NAME.does and NAME.after.
const steps = [
  {
    name: "ask",
    act: () => ask(`invite 50002 to ${team()} as 张三`, "say.train"),
    done: () => Boolean(trained()),
    look: () => [".message.private:last-of-type"],
  },
  {
    name: "card",
    act: async () => { look(approvals()); await waitFor(() => planned(trained())); },
    done: () => Boolean(trained()) && place() === approvals(),
    look: () => [selector(trained())],
  },
  {
    name: "own",
    act: () => approve(rita, trained),
    done: () => Boolean(decided(trained())) || (channelOf(approvals())?.messages ?? []).some((m) => m.ephemeral && store.as === rita) || now.refused,
    look: () => [".message.private:last-of-type"],
  },
  {
    name: "sign",
    act: async () => { await approve(lena, trained); await ended(trained); await openThread(trained); },
    done: () => Boolean(decided(trained())),
    look: () => [reply, callMade, '[data-row="1001/50002"]'],
  },
  {
    name: "drift",
    act: async () => {
      await ask(`role user:carol on ${warehouse()} as operator`, "say.batch");
      await waitFor(() => planned(batch()));
      look(approvals());
      await api.change({ workspace: analytics().id, member: there("carol").id, roles: ["r00001"] });
      await approve(lena, batch);
      await waitFor(() => voided(batch()));
      await openThread(batch);
    },
    done: () => Boolean(voided(batch())),
    look: () => ["#log " + selector(batch()), reply, '[data-row="analytics/carol"]'],
  },
  {
    name: "again",
    act: async () => { await approve(lena, batch); await ended(batch); },
    done: () => Boolean(batch()) && stateOf(batch()) === "done",
    look: () => [selector(batch()), callMade, '[data-row="analytics/carol"]'],
  },
  {
    name: "no",
    act: async () => {
      await api.mishap("refuse");
      await ask(`cancel 50004 on ${team()}`, "say.left");
      await waitFor(() => planned(left()));
      await approve(lena, left);
      await ended(left);
      await openThread(left);
    },
    done: () => ["failed", "done"].includes(stateOf(left())),
    look: () => [reply, callMade],
  },
  {
    name: "retry",
    act: async () => { await pressAs(lena, left, "retry"); await waitFor(() => stateOf(left()) === "done"); await openThread(left); },
    done: () => stateOf(left()) === "done",
    look: () => [reply, callMade, '[data-row="1001/50004"]'],
  },
  {
    name: "lost",
    act: async () => {
      await api.mishap("lose-answer");
      await ask(`add @alice to ${warehouse()} as developer for 7d`, "say.call");
      await waitFor(() => planned(called()));
      await approve(lena, called);
      await waitFor(() => stateOf(called()) === "done");
    },
    done: () => stateOf(called()) === "done",
    look: () => [selector(called()), callMade, '[data-row="analytics/alice"]'],
  },
  {
    name: "time",
    act: async () => { await api.pushClock(7 * 86400 + 60); await waitFor(() => !there("alice")); },
    done: () => Boolean(called()) && decided(called()) && !there("alice") && store.picture.ahead > 6 * 86400,
    look: () => [selector(cards().at(-1)), callMade],
  },
];

/** drawStory draws the band at the top and marks where to look. */
export function drawStory() {
  const node = $("story");
  node.classList.toggle("folded", now.hidden);
  const step = steps[now.step], done = isDone();
  if (now.step === 2 && done && !now.refused) { now.refused = true; save(); }
  const sign = JSON.stringify([now, done, busy, lang()]);
  if (node.sign !== sign) {
    node.sign = sign;
    const had = node.contains(document.activeElement);
    node.replaceChildren(...(now.hidden ? [folded()] : open(step, done)));
    if (had) (node.querySelector(".primary:not(:disabled)") ?? node.querySelector("button"))?.focus();
  }
  mark(now.hidden || !done ? [] : step.look());
}

let busy = false;

const isDone = () => Boolean(steps[now.step].done());

function open(step, done) {
  const last = now.step === steps.length - 1;
  return [
    h("div", { class: "steps", role: "group", "aria-label": t("story.steps") }, steps.map((s, i) => h("button", {
      type: "button", class: "step" + (i < now.step ? " past" : ""), "aria-current": i === now.step ? "step" : null,
      title: t(s.name + ".title"), "aria-label": t("story.step", i + 1, t(s.name + ".title")), onclick: () => go(i),
    }, String(i + 1)))),
    h("div", { class: "tale", "aria-live": "polite" }, h("h2", {}, t(step.name + ".title")), h("p", {}, t(step.name + (done ? ".after" : ".before")))),
    h("div", { class: "moves" },
      done && last ? h("button", { type: "button", onclick: hide }, t("story.close"))
        : h("button", { type: "button", class: "primary", id: "story-go", "data-done": String(done), disabled: busy, onclick: done ? () => go(now.step + 1) : () => run(step) },
          busy ? "…" : done ? t("story.next") : t(step.name + ".does")),
      h("button", { type: "button", class: "quiet", "aria-label": t("story.hide"), title: t("story.hide"), onclick: hide }, "✕")),
  ];
}

const folded = () => h("button", { type: "button", class: "quiet", onclick: hide }, t("story.show"));

function hide() {
  now.hidden = !now.hidden;
  save();
  redraw();
}

function go(i) {
  now.step = i;
  save();
  redraw();
}

async function run(step) {
  busy = true;
  redraw();
  try { await step.act(); } finally {
    busy = false;
    redraw();
  }
}

/** mark outlines where to look, and brings it into view once. */
function mark(selectors) {
  const found = selectors.filter(Boolean).flatMap((s) => [...document.querySelectorAll(s)].slice(-1));
  for (const old of document.querySelectorAll(".look")) if (!found.includes(old)) old.classList.remove("look");
  for (const node of found) {
    if (node.classList.contains("look")) continue;
    node.classList.add("look");
    // Of what is too high to be seen whole, the beginning.
    const room = node.closest(".log, #held, #calls")?.clientHeight ?? 0;
    node.scrollIntoView({ block: node.offsetHeight > room ? "start" : "nearest" });
  }
}

/** restartStory begins the story anew. */
export function restartStory() {
  now = { step: 0, hidden: false };
  save();
}
