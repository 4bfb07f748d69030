// A Bolt app in Socket Mode against bot/slackfake: hello, acknowledgements, reconnects.
import assert from 'node:assert/strict';
import bolt from '@slack/bolt';
import { base, conversation, emu, env, eventually, finish, listeners, slash } from './harness.mjs';

const seen = [];
const app = new bolt.App({
  token: env('SLACK_BOT_TOKEN'), appToken: env('SLACK_APP_TOKEN'), socketMode: true, logLevel: bolt.LogLevel.ERROR,
  clientOptions: { slackApiUrl: `${base}/api/` },
});
listeners(app, seen);
await app.start();
await eventually('a socket', async () => (await emu('state')).sockets === 1);
await conversation(seen);

for (const reason of ['refresh_requested', '']) {
  const opened = (await emu('calls?method=apps.connections.open')).length;
  await emu('disconnect', { reason });
  await eventually(`a new socket after ${reason || 'a cut'}`, async () => (
    (await emu('calls?method=apps.connections.open')).length > opened && (await emu('state')).sockets === 1));
  assert.equal((await slash('hello')).text, 'got hello');
}
await emu('chaos', { redeliver_next: true });
const again = await slash('twice');
assert.equal(again.attempt, 1);
assert.equal(seen.filter((x) => x?.text === 'twice').length, 2);
await finish(() => app.stop());
