// What both scripts share: the emulator's control API, and checks that end the process.
import assert from 'node:assert/strict';

export const env = (name) => {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
};
export const base = env('SLACKFAKE_URL');

// emu posts to the control API, or gets where there is no body.
export async function emu(path, body) {
  const resp = await fetch(`${base}/_emu/${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
  const out = await resp.json();
  assert.equal(resp.status, 200, `${path}: ${JSON.stringify(out)}`);
  return out;
}

export const slash = (text) => emu('slash', { user: 'U0REQ', channel: 'C0DATA', command: '/access', text });

export async function eventually(what, cond) {
  for (let i = 0; i < 150; i += 1) {
    const got = await cond();
    if (got) return got;
    await new Promise((done) => { setTimeout(done, 100); });
  }
  assert.fail(`never: ${what}`);
}

// listeners is the app under test: a bot such as any Bolt tutorial has.
export function listeners(app, seen) {
  app.command('/access', async ({ command, ack, respond, say, client }) => {
    seen.push(command);
    await ack(`got ${command.text}`);
    if (command.text.includes('respond')) await respond({ text: 'responded', response_type: 'ephemeral' });
    if (command.text.includes('say')) {
      await say({
        text: 'a card', blocks: [
          { type: 'section', text: { type: 'mrkdwn', text: '*card*' } },
          { type: 'actions', block_id: 'request:42', elements: [
            { type: 'button', action_id: 'deny', value: '42', text: { type: 'plain_text', text: 'Deny' }, style: 'danger' }] }],
      });
    }
    if (command.text.includes('update')) {
      const posted = await client.chat.postMessage({ channel: command.channel_id, text: 'before' });
      await client.chat.update({ channel: command.channel_id, ts: posted.ts, text: 'after', blocks: [] });
    }
    if (command.text.includes('bad blocks')) {
      const err = await client.chat.postMessage({ channel: command.channel_id, text: 'x', blocks: [{ type: 'header' }] }).catch((e) => e);
      seen.push(err.data);
    }
  });
  app.action('deny', async ({ ack, body, action, client, respond }) => {
    await ack();
    seen.push(action);
    await respond({ text: 'you clicked', replace_original: false });
    await client.views.open({
      trigger_id: body.trigger_id,
      view: {
        type: 'modal', callback_id: 'deny', title: { type: 'plain_text', text: 'Deny' }, submit: { type: 'plain_text', text: 'Send' },
        blocks: [{ type: 'input', block_id: 'because', label: { type: 'plain_text', text: 'Why' },
          element: { type: 'plain_text_input', action_id: 'because' } }],
      },
    });
  });
  app.view('deny', async ({ ack, view }) => {
    const why = view.state.values.because.because.value;
    seen.push(view);
    if (why === 'no') await ack({ response_action: 'errors', errors: { because: 'say more' } });
    else await ack();
  });
  app.event('app_home_opened', async ({ event, client }) => {
    await client.views.publish({
      user_id: event.user, view: { type: 'home', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'home' } }] },
    });
  });
  app.error(async (err) => { seen.push({ failed: err.message }); });
}

// conversation is what a person does, and what they must see; the same in both modes.
export async function conversation(seen) {
  const ack = await slash('respond say @alice <x>');
  assert.equal(ack.err, undefined, JSON.stringify(ack));
  assert.equal(ack.text, 'got respond say <@U0ALICE> &lt;x&gt;');
  const [card] = await eventually('the card', async () => {
    const list = await emu('messages?channel=C0DATA');
    return list.length && list;
  });
  await eventually('respond()', async () => (await emu('messages?ephemeral_to=U0REQ')).some((m) => m.text === 'responded'));

  const click = await emu('click', { user: 'U0LEAD', channel: 'C0DATA', ts: card.ts, action_id: 'deny' });
  assert.equal(click.err, undefined, JSON.stringify(click));
  await eventually('the answer to the click', async () => (await emu('messages?ephemeral_to=U0LEAD')).some((m) => m.text === 'you clicked'));
  const view = await eventually('the modal', async () => (await emu('state')).views.U0LEAD?.[0]);
  assert.equal(view.callback_id, 'deny');
  await emu('submit', { user: 'U0LEAD', values: { because: { because: 'no' } } });
  assert.deepEqual((await emu('state')).views.U0LEAD[0].errors, { because: 'say more' });
  await emu('submit', { user: 'U0LEAD', values: { because: { because: 'not today' } } });
  assert.equal((await emu('state')).views.U0LEAD, undefined);

  await slash('update');
  await eventually('the update', async () => (await emu('messages?channel=C0DATA')).some((m) => m.text === 'after' && m.edits?.length === 1));
  await slash('bad blocks');
  const refusal = await eventually('the refusal', () => seen.find((x) => x?.error === 'invalid_blocks'));
  assert.ok(refusal.response_metadata.messages[0].includes('missing required field: text'), JSON.stringify(refusal));

  await emu('fault', { method: 'chat.postMessage', kind: 'rate_limited', retry_after: '1' });
  await slash('say again');
  await eventually('a post after Retry-After', async () => (await emu('messages?channel=C0DATA')).filter((m) => m.text === 'a card').length === 2);

  await emu('home', { user: 'U0LEAD' });
  await eventually('the Home tab', async () => (await emu('state')).homes.U0LEAD);
  assert.deepEqual(seen.filter((x) => x?.failed), []);
}

export function finish(stop) {
  return stop().then(() => { console.log('ok'); process.exit(0); });
}
process.on('unhandledRejection', (err) => { console.error(err); process.exit(1); });
