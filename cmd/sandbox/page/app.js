// The page: it draws what the server says is so, and asks again whenever something has changed.

import { $ } from "./dom.js";
import * as api from "./api.js";
import { drawClouds } from "./clouds.js";
import { drawExamples, setUpComposer } from "./composer.js";
import { drawControls, drawPushes, openHelp, setUpControls } from "./controls.js";
import { lang, speak, t, translate } from "./lang.js";
import { drawModal, setUpModal } from "./modal.js";
import { actors, drawSide } from "./people.js";
import { become, look, onChange, redraw, refresh, store, viewer } from "./store.js";
import { drawStory, restartStory } from "./story.js";
import { drawTalk } from "./talk.js";

let began = false;

onChange(() => {
  if (!began) {
    began = true;
    setUpComposer();
    drawExamples();
  }
  document.body.dataset.as = store.as;
  document.title = viewer().real + " · " + t("title");
  drawTalk();
  drawSide();
  drawClouds();
  drawControls();
  drawModal();
  drawStory();
});

translate();
$("language").addEventListener("click", () => {
  speak(lang() === "zh" ? "en" : "zh");
  drawPushes();
  if (!store.picture) return;
  drawExamples();
  redraw();
});
setUpControls(restartStory);
setUpModal();
$("thread-close").addEventListener("click", closeThread);
api.listen(refresh, (up) => {
  if (up === store.up) return;
  store.up = up;
  redraw();
});
refresh();

function closeThread() {
  store.thread = null;
  redraw();
  $("log").focus();
}

const places = { a: "C0APPROVALS", g: "C0GENERAL", d: "direct", h: "home" };
let going = 0; // when g was pressed, to go somewhere

document.addEventListener("keydown", (ev) => {
  const writes = ev.target.closest?.("input, textarea, select, dialog");
  if (writes || ev.ctrlKey || ev.metaKey || ev.altKey || !store.picture) return;
  const wasGoing = Date.now() - going < 1500;
  going = 0;
  if (wasGoing && places[ev.key]) {
    look(places[ev.key]);
  } else if (ev.key === "g") going = Date.now();
  else if (ev.key === "/") $("command").focus();
  else if (ev.key === "?") openHelp();
  else if (ev.key === "Escape" && store.thread) closeThread();
  else if (/^[1-9]$/.test(ev.key) && actors()[ev.key - 1]) become(actors()[ev.key - 1].id);
  else return;
  ev.preventDefault();
});
