// What the page knows: the picture that the server drew for the viewer, and where the viewer looks.

import { recall, remember } from "./dom.js";
import * as api from "./api.js";

export const store = {
  picture: null,
  as: recall("as", "U0REQ"),
  // Where one looks: a channel's ID, "direct" or "home". It stays when another person's place is taken.
  at: recall("at", "C0GENERAL"),
  thread: null, // ts of the message whose thread is open
  hidden: new Set(), // private messages that were put away, as Slack lets one
  read: recall("read", {}), // person -> channel -> ts of the last message seen
  up: true,
};

let draw = () => {};
let fetching = false, again = false;

/** onChange sets what draws the page. */
export const onChange = (f) => { draw = f; };

/** redraw shows what is known without asking. */
export const redraw = () => { if (store.picture) draw(); };

/** refresh asks for the picture and draws it; calls that come meanwhile are one more. */
export async function refresh() {
  if (fetching) { again = true; return; }
  fetching = true;
  do {
    again = false;
    const as = store.as;
    try {
      const picture = await api.state(as);
      if (as !== store.as) { again = true; continue; }
      store.picture = picture;
      draw();
    } catch (err) {
      if (!store.picture && store.as !== "U0REQ") { store.as = "U0REQ"; again = true; }
      else console.warn(err);
    }
  } while (again);
  fetching = false;
}

/** become takes another person's place. */
export async function become(id) {
  if (store.as === id) return;
  store.as = id;
  store.thread = null;
  remember("as", id);
  if (store.at === "home") api.openHome(id);
  await refresh();
}

/** look opens a channel, the direct messages, the Home view, or with ts a thread in a channel. */
export function look(channel, ts = null) {
  store.at = channelOf(channel)?.direct ? "direct" : channel;
  store.thread = ts;
  remember("at", store.at);
  if (channel === "home") api.openHome(store.as);
  redraw();
}

export const viewer = () => store.picture.people.find((p) => p.id === store.as);
export const names = () => ({
  viewer: viewer(),
  people: store.picture.people,
  channels: store.picture.channels,
  person: (id) => store.picture.people.find((p) => p.id === id),
  group: (id) => store.picture.groups.find((g) => g.id === id)?.handle,
  channel: (id) => store.picture.channels.find((c) => c.id === id)?.name,
});

/** place is where the viewer looks: an ID of a channel that is shown, or "home". */
export function place() {
  const { at } = store;
  if (at === "home") return at;
  const all = store.picture.channels;
  return (all.find((c) => c.id === at || (c.direct && at === "direct")) ?? all.find((c) => c.name === "general") ?? all.find((c) => !c.direct) ?? all[0])?.id;
}

export const channelOf = (id) => store.picture.channels.find((c) => c.id === id);

/** seen notes that everything in a channel was before the viewer's eyes. */
export function seen(channel) {
  const last = channel.messages.at(-1)?.ts ?? "";
  const mine = (store.read[store.as] ??= {});
  if (mine[channel.id] === last) return;
  mine[channel.id] = last;
  remember("read", store.read);
}

/** unread says that something new is in a channel. */
export const unread = (channel) => (channel.messages.findLast((m) => !m.ephemeral)?.ts ?? "") > (store.read[store.as]?.[channel.id] ?? "");

/** cards are the requests' cards that the viewer can see, the newest last. */
export function cards() {
  const c = channelOf(store.picture.seed.channel);
  return (c?.messages ?? []).flatMap((m) => {
    const n = /^request:(\d+)/.exec(m.blocks?.[0]?.block_id ?? "")?.[1];
    return n && !m.ephemeral ? [{ number: Number(n), message: m, text: JSON.stringify(m.blocks) }] : [];
  });
}

/** buttonOn finds a button of a message. */
export const buttonOn = (m, action) =>
  m.blocks?.flatMap((b) => (b.elements ?? []).map((e) => ({ e, b }))).find((x) => x.e.action_id === action);

/** press presses a button of a message as the viewer. */
export const press = (channel, m, e, b, value) =>
  api.click({ as: store.as, channel, ts: m.ts, action_id: e.action_id, block_id: b.block_id, value });
