// The question that Slack asks before a button which has one is pressed.

import { $, h } from "./dom.js";
import { t } from "./lang.js";

const words = (obj) => (typeof obj === "string" ? obj : obj?.text ?? "");

/** confirmed asks, and says whether the answer was yes; Escape is no. */
export function confirmed(question, text) {
  const dialog = $("confirm");
  return new Promise((answer) => {
    const end = (yes) => () => { answer(yes); dialog.close(); };
    const yes = h("button", { type: "button", class: question.style === "danger" ? "danger" : "primary", onclick: end(true) }, words(question.confirm) || t("confirm"));
    dialog.oncancel = end(false);
    dialog.replaceChildren(
      h("header", {}, h("h2", { id: "confirm-title" }, words(question.title))),
      h("div", { class: "modal-body" }, text),
      h("footer", {}, h("button", { type: "button", onclick: end(false) }, words(question.deny) || t("cancel")), yes));
    dialog.showModal();
    yes.focus();
  });
}
