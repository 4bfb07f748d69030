// Times in the viewer's own zone and language, as Slack shows them.

const format = (viewer, options) => new Intl.DateTimeFormat(viewer.locale || "en-GB", { timeZone: viewer.tz || undefined, ...options });

/** clock is the hour and minute of a message. */
export const clock = (when, viewer) => format(viewer, { hour: "2-digit", minute: "2-digit", hour12: false }).format(new Date(when));

/** day is a date to stand between messages. */
export const day = (when, viewer) => format(viewer, { weekday: "long", day: "numeric", month: "long" }).format(new Date(when));

/** full is a moment in words, for the clock. */
export const full = (when, viewer) =>
  format(viewer, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false }).format(new Date(when));

const parts = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "2-digit", minute: "2-digit", hour12: false },
  time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false },
};

/** moment fills the form of a <!date^…>; null where it cannot be read. */
export function moment(stamp, form, viewer) {
  if (!Number.isFinite(stamp) || !form) return null;
  const when = new Date(stamp * 1000);
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    const bare = name.replace(/_pretty$/, "");
    if (name === "ago") return "";
    return parts[bare] ? format(viewer, parts[bare]).format(when) : whole;
  });
}

/** span is a length of time in its largest units. */
export function span(seconds) {
  const d = Math.floor(seconds / 86400), hours = Math.floor((seconds % 86400) / 3600), m = Math.floor((seconds % 3600) / 60);
  return [d && d + "d", hours && hours + "h", m && m + "m"].filter(Boolean).join(" ");
}
