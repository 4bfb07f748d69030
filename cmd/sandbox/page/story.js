// The story: six steps and an end, each with a button that does it, and each done as well if the newcomer does it by
// hand. What a step has come to is read off the page's own picture, never assumed.

import { $, h, recall, remember } from "./dom.js";
import * as api from "./api.js";
import { fill, send } from "./composer.js";
import { become, buttonOn, cards, channelOf, look, place, press, redraw, refresh, store } from "./store.js";

const rita = "U0REQ", lena = "U0LEAD";
let now = recall("story", { step: 0, hidden: false, base: 0 });

const save = () => remember("story", now);
const approvals = () => store.picture.seed.channel;
const cardOf = (what) => cards().findLast((c) => c.number > now.base && c.text.includes(what));
const first = () => cardOf("50002");
const second = () => cardOf("r00002"); // developer: not the card that removes her
const stateOf = (card) => / \*(\w+)[^*]*\*/.exec(card?.message.blocks[0]?.text?.text?.split("\n")[0].split("·")[1] ?? "")?.[1];
const decided = (card) => card && !buttonOn(card.message, "approve");
const selector = (card) => card && `[data-ts="${card.message.ts}"]`;

const ask = async (text) => {
  await become(rita);
  look("C0GENERAL");
  fill(text);
  await new Promise((done) => { setTimeout(done, 350); }); // long enough to see what is typed
  await send();
  await refresh();
};

const approve = async (who, find) => {
  await become(who);
  look(approvals());
  await refresh();
  const card = find(), at = card && buttonOn(card.message, "approve");
  if (at) await press(approvals(), card.message, at.e, at.b, at.e.value);
  await refresh();
};

/** waitFor waits, for at most some seconds, until the picture shows something. */
async function waitFor(cond) {
  for (let i = 0; i < 60 && !cond(); i++) {
    await new Promise((done) => { setTimeout(done, 100); });
    await refresh();
  }
}

const analytics = () => store.picture.dataarts.find((w) => w.id === store.picture.seed.workspace);
const inAnalytics = () => analytics()?.members.some((m) => m.name === "alice");

const steps = [
  {
    title: "Rita asks",
    before: "Rita wants a colleague's company, 50002, in the GPU team. Anybody may ask; nobody gets anything by asking. She types a command:",
    does: "Ask as Rita",
    act: () => ask(`invite 50002 to gpu-lab/${store.picture.seed.team} as 张三 because training run`),
    done: () => Boolean(first()),
    after: "Only Rita sees the answer. It names a number, and a number is only named once the request is safely on disk.",
    look: () => [".message.private:last-of-type"],
  },
  {
    title: "The card",
    before: "Whoever decides is asked in #approvals, on one card per request.",
    does: "Open #approvals",
    act: () => look(approvals()),
    done: () => Boolean(first()) && place() === approvals(),
    after: "Who asks, for what, why, and who may say yes. This message is edited as things go on, never posted again.",
    look: () => [selector(first())],
  },
  {
    title: "Not one's own",
    before: "Rita can see the buttons. What if she presses Approve herself?",
    does: "Press Approve as Rita",
    act: () => approve(rita, first),
    done: () => Boolean(decided(first())) || (channelOf(approvals())?.messages ?? []).some((m) => m.ephemeral && store.as === rita) || now.refused,
    after: "Refused, with the reason, and only Rita sees it. Who clicks is taken from Slack's own payload, not from anything on the card.",
    look: () => [".message.private:last-of-type"],
  },
  {
    title: "Somebody else signs",
    before: "Now Lena, who is named in the rule. You will see the page change to what she sees.",
    does: "Approve as Lena",
    act: async () => { await approve(lena, first); await waitFor(() => ["done", "failed"].includes(stateOf(first()))); },
    done: () => Boolean(decided(first())),
    after: "The buttons are gone, the card says who signed, and on the right the cloud got exactly one call that changes something.",
    look: () => [selector(first()), ".call.change:last-of-type"],
  },
  {
    title: "What came of it",
    before: "The result stands in the card's thread, where the team reads it.",
    does: "Open the thread",
    act: async () => { await become(lena); look(approvals(), first()?.message.ts); },
    done: () => Boolean(first()) && store.thread === first().message.ts,
    after: "With the provider's own request ID, to show its support. In the cloud 50002 is now invited. Rita was told in a direct message.",
    look: () => ["#replies .message:last-of-type", '[data-row="1001/50002"]'],
  },
  {
    title: "When the answer is lost",
    before: "Worse: the cloud carries out a change, and the connection breaks before it says so. Did it work? Repeating could do it twice.",
    does: "Break it, ask and approve",
    act: async () => {
      await api.mishap("lose-answer");
      await ask(`add @alice to warehouse/${store.picture.seed.workspace} as developer for 7d because on call`);
      await waitFor(second);
      await approve(lena, second);
      await waitFor(() => stateOf(second()) === "done");
    },
    done: () => stateOf(second()) === "done",
    after: "The bot read the workspace back, found Alice in it and said so. One call, no answer, no second call. She was added for 7 days only …",
    look: () => [selector(second()), ".call.change:last-of-type", '[data-row="analytics/alice"]'],
  },
  {
    title: "Time runs out",
    before: "Alice was added for seven days. Nobody has to remember to take her out.",
    does: "Push time 7 days",
    act: async () => { await api.pushClock(7 * 86400 + 60); await waitFor(() => !inAnalytics()); },
    done: () => Boolean(second()) && decided(second()) && !inAnalytics() && store.picture.ahead > 6 * 86400,
    after: "A request of its own has removed her, on its own card. That is the story. Now try: deny as Bob (in Chinese), restart the bot while something is pending, ask as Gus.",
    look: () => [selector(cards().at(-1)), ".call.change:last-of-type"],
  },
];

/** drawStory draws the band at the top and marks where to look. */
export function drawStory() {
  const node = $("story");
  node.classList.toggle("folded", now.hidden);
  const step = steps[now.step], done = isDone();
  if (now.step === 2 && done && !now.refused) { now.refused = true; save(); }
  const sign = JSON.stringify([now, done, busy]);
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
    h("div", { class: "steps", role: "group", "aria-label": "Steps" }, steps.map((s, i) => h("button", {
      type: "button", class: "step" + (i < now.step ? " past" : ""), "aria-current": i === now.step ? "step" : null,
      title: s.title, "aria-label": `Step ${i + 1}: ${s.title}`, onclick: () => go(i),
    }, String(i + 1)))),
    h("div", { class: "tale", "aria-live": "polite" }, h("h2", {}, step.title), h("p", {}, done ? step.after : step.before)),
    h("div", { class: "moves" },
      done && last ? h("button", { type: "button", onclick: hide }, "Close the story")
        : h("button", { type: "button", class: "primary", id: "story-go", "data-done": String(done), disabled: busy, onclick: done ? () => go(now.step + 1) : () => run(step) },
          busy ? "…" : done ? "Next" : step.does),
      h("button", { type: "button", class: "quiet", "aria-label": "Hide the story", title: "Hide the story", onclick: hide }, "✕")),
  ];
}

const folded = () => h("button", { type: "button", class: "quiet", onclick: hide }, "Show the story");

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
    node.scrollIntoView({ block: "nearest" });
  }
}

/** restartStory begins the story anew. */
export function restartStory() {
  now = { step: 0, hidden: false, base: 0 };
  save();
}
