// Talking to the sandbox's own server; there is no other.

import { toast } from "./dom.js";
import { both, t } from "./lang.js";

async function post(what, body) {
  let answer;
  try {
    const response = await fetch("/api/" + what, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    answer = await response.json();
    answer.ok = response.ok && !answer.err;
  } catch {
    answer = { ok: false, err: "silent" };
  }
  if (!answer.ok) toast(explain(answer.err), "bad");
  return answer;
}

// What Slack shows when an app does not answer well, among others.
const explain = (err) => (!err ? t("toast.failed") : both("toast." + err)[0] === "toast." + err ? err : t("toast." + err));

/** sent is what is told of a press or a choice: a value, or of a menu of several all that are chosen. */
const sent = (value) => (Array.isArray(value) ? { chosen: value } : { value: value ?? "" });

export const slash = (as, channel, text) => post("slash", { as, channel, text });
export const click = ({ value, ...body }) => post("click", { ...body, ...sent(value) });
export const submit = (body) => post("submit", body);
export const closeModal = (body) => post("close", body);
export const suggest = (body) => post("suggest", body);
export const openHome = (as) => post("home", { as });
export const pushClock = (seconds) => post("clock", { seconds });
export const mishap = (id) => post("mishap", { id });
export const change = (body) => post("console", body);
export const relate = (team, company, status) => post("relation", { team, company, status });

/** state is everything that a person sees now. */
export async function state(as) {
  const response = await fetch("/api/state?as=" + encodeURIComponent(as));
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** listen calls back each time that something has changed; up is told whether the sandbox can be reached. */
export function listen(changed, up) {
  const events = new EventSource("/api/events");
  events.onmessage = () => { up(true); changed(); };
  events.onerror = () => up(false);
}
