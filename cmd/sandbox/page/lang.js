// The language of the page. The bot's own messages are in the language of the person who reads them.

import { recall, remember } from "./dom.js";
import { words } from "./words.js";

let now = recall("lang", navigator.language?.startsWith("zh") ? "zh" : "en");

/** lang is the page's language, en or zh. */
export const lang = () => now;

/** locale is the language as dates and screen readers take it. */
export const locale = () => (now === "zh" ? "zh-CN" : "en-GB");

const pair = (key) => words[key] ?? [key, key];

/** t is the page's words for a key, with {0}, {1} … filled in. */
export const t = (key, ...fill) => pair(key)[now === "zh" ? 1 : 0].replace(/\{(\d)\}/g, (_, i) => fill[i]);

/** both are the words for a key in either language. */
export const both = pair;

/** translate puts the page's words where the document asks for them, by data-t and its relatives. */
export function translate() {
  document.documentElement.lang = locale();
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const [data, attribute] of [["tLabel", "aria-label"], ["tTitle", "title"], ["tPlaceholder", "placeholder"], ["tNone", "data-none"]]) {
    const asks = "[data-" + data.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase()) + "]";
    for (const node of document.querySelectorAll(asks)) node.setAttribute(attribute, t(node.dataset[data]));
  }
}

/** speak changes the page's language. */
export function speak(language) {
  now = language;
  remember("lang", now);
  translate();
}
