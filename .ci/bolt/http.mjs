// A Bolt app behind Bolt's HTTPReceiver against bot/slackfake: signatures and forms.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import bolt from '@slack/bolt';
import { base, conversation, emu, env, finish, listeners } from './harness.mjs';

const secret = env('SLACK_SIGNING_SECRET');
const seen = [];
const app = new bolt.App({
  token: env('SLACK_BOT_TOKEN'), logLevel: bolt.LogLevel.ERROR, clientOptions: { slackApiUrl: `${base}/api/` },
  receiver: new bolt.HTTPReceiver({ signingSecret: secret, endpoints: ['/slack'], logLevel: bolt.LogLevel.ERROR, port: 0 }),
});
listeners(app, seen);
const server = await app.start({ port: 0, host: '127.0.0.1' });
const url = `http://127.0.0.1:${server.address().port}/slack`;
await emu('http', { commands: url, interactions: url });
await emu('handshake', {});
await conversation(seen);

// post sends what a forger might; the emulator's own deliveries above are the honest ones.
async function post(ts, key, query = '') {
  const body = 'command=%2Faccess&text=forged&user_id=U0REQ&team_id=T0HOME&channel_id=C0DATA&api_app_id=A0APP';
  const sig = `v0=${createHmac('sha256', key).update(`v0:${ts}:${body}`).digest('hex')}`;
  const resp = await fetch(url + query, {
    method: 'POST', body, headers: {
      'content-type': 'application/x-www-form-urlencoded', 'x-slack-request-timestamp': `${ts}`, 'x-slack-signature': sig,
    },
  });
  return resp.status;
}
const now = Math.floor(Date.now() / 1000);
assert.equal(await post(now, secret), 200);
assert.equal(await post(now, 'another secret'), 401);
assert.equal(await post(now - 400, secret), 401);
await finish(() => app.stop());
