// Slack's mrkdwn, as Slack shows it: *bold*, _italic_, ~struck~, `code`, fences, > quotes, <@U…> and its relatives.
// Whatever it is given, it makes elements and texts, and links that lead nowhere.

import { h, langOf } from "./dom.js";
import { t } from "./lang.js";
import { moment } from "./times.js";

const entities = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
const unescape = (s) => s.replace(/&(lt|gt|amp);/g, (e) => entities[e]);

const emoji = {
  white_check_mark: "tick", heavy_check_mark: "tick", no_entry: "stop", x: "stop", no_entry_sign: "stop",
  hourglass: "⏳", hourglass_flowing_sand: "⏳", warning: "⚠️", bell: "🔔", lock: "🔒", eyes: "👀", tada: "🎉", question: "❓",
  arrows_counterclockwise: "🔄", clock1: "🕐", leftwards_arrow_with_hook: "↩️", wave: "👋", bulb: "💡", rotating_light: "🚨", information_source: "ℹ️", alarm_clock: "⏰", calendar: "📅", memo: "📝",
  bust_in_silhouette: "👤", speech_balloon: "💬", link: "🔗", white_circle: "⚪", large_green_circle: "🟢", red_circle: "🔴",
};

/** emojiNode draws an emoji by its name; unknown ones stay as they were typed. */
function emojiNode(name) {
  const e = emoji[name];
  if (!e) return ":" + name + ":";
  if (e === "tick" || e === "stop") {
    return h("span", { class: "emoji " + e, role: "img", "aria-label": name.replaceAll("_", " ") }, e === "tick" ? "✓" : "–");
  }
  return h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") }, e);
}

/** mrkdwn makes nodes of a text. names knows people, groups, channels and the viewer. */
export function mrkdwn(text, names) {
  const out = document.createDocumentFragment();
  String(text ?? "").split(/```\n?/).forEach((part, i, all) => {
    if (i % 2 === 1 && i < all.length - 1) out.append(h("pre", {}, unescape(part.replace(/\n$/, ""))));
    else if (part) lines(i % 2 === 1 ? "```" + part : part, names, out);
  });
  return out;
}

function lines(text, names, out) {
  let quote = null;
  text.split("\n").forEach((line, i, all) => {
    const quoted = /^(?:&gt;|>) ?(.*)$/s.exec(line);
    if (quoted) {
      quote ??= out.appendChild(h("blockquote", {}));
      if (quote.childNodes.length) quote.append(h("br"));
      inline(quoted[1], names, quote);
      return;
    }
    const after = quote !== null;
    quote = null;
    if (i > 0 && !after) out.append(h("br"));
    if (line || i < all.length - 1) inline(line, names, out);
  });
}

// Finished nodes stand in the text as one character of a private area and their number, until all formatting is done.
const mark = /\uE000(\d+)\uE001/;

function inline(text, names, out) {
  const done = [];
  const keep = (node) => `\uE000${done.push(node) - 1}\uE001`;
  let s = text.replace(/[\uE000\uE001]/g, "");
  s = s.replace(/`([^`\n]+)`/g, (_, code) => keep(h("code", {}, plain(code, names))));
  s = s.replace(/<([^<>\n]+)>/g, (_, ref) => keep(reference(ref, names)));
  s = s.replace(/:([a-z0-9_+-]+):/g, (whole, name) => (emoji[name] ? keep(emojiNode(name)) : whole));
  format(s, done, out);
}

const styles = { "*": "strong", _: "em", "~": "s" };
const styled = /(?<![\p{L}\p{N}])([*_~])(?![\s*_~])((?:(?!\1).)*?[^\s])\1(?![\p{L}\p{N}])/u;

function format(s, done, out) {
  for (let m = styled.exec(s); m; m = styled.exec(s)) {
    place(s.slice(0, m.index), done, out);
    const node = h(styles[m[1]], {});
    format(m[2], done, node);
    out.append(node);
    s = s.slice(m.index + m[0].length);
  }
  place(s, done, out);
}

function place(s, done, out) {
  for (let m = mark.exec(s); m; m = mark.exec(s)) {
    if (m.index) out.append(unescape(s.slice(0, m.index)));
    out.append(done[Number(m[1])] ?? "");
    s = s.slice(m.index + m[0].length);
  }
  if (s) out.append(unescape(s));
}

/** plain is a text without markup, with its references as words: inside code Slack shows them so. */
function plain(text, names) {
  return unescape(text.replace(/<([^<>\n]+)>/g, (_, ref) => reference(ref, names).textContent));
}

function reference(ref, names) {
  const [body, label] = split(ref, "|");
  if (body.startsWith("@")) {
    const id = body.slice(1);
    const who = names.person(id);
    return h("span", { class: "at" + (id === names.viewer.id ? " me" : ""), lang: langOf(who?.real) }, "@" + (who?.real ?? label ?? id));
  }
  if (body.startsWith("#")) return h("span", { class: "at" }, "#" + (names.channel(body.slice(1)) ?? label ?? t("private")));
  if (body.startsWith("!subteam^")) return h("span", { class: "at" }, "@" + (names.group(body.slice(9)) ?? label?.replace(/^@/, "") ?? "group"));
  if (body.startsWith("!date^")) {
    const [, stamp, form] = body.split("^");
    return h("time", { title: label ?? "" }, moment(Number(stamp), form, names.viewer) ?? label ?? "");
  }
  if (body.startsWith("!")) return h("span", { class: "at loud" }, "@" + body.slice(1));
  // A link that leads somewhere would be a request that leaves the machine.
  return h("span", { class: "link", title: t("link", unescape(body)) }, unescape(label ?? body));
}

function split(s, by) {
  const i = s.indexOf(by);
  return i < 0 ? [s, undefined] : [s.slice(0, i), s.slice(i + by.length)];
}
