'use strict';
// What RongCloud refuses: for each of its numbers the SDK's code is moontide's provider_code, with a stable code beside it; at
// the door, in the middle of a session, and for each thing that is asked.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const ME = 'agent';
const configure = (ready, text) => rong.control(ready, 'rongcloud', text);

let scripts = 0;

/** The fault with which that Lua ends: {code, provider_code, kind}. */
async function fault(config, lua) {
  const file = path.join(moontide.scratch, `refused-${scripts++}.lua`);
  fs.writeFileSync(file, `local moontide = require "moontide"
    local account = moontide.account "it"
    local bob, lobby = account:conversation "single:bob", account:conversation "group:lobby"
    local ok, fault = moontide.try(function() ${lua} end)
    print(moontide.json.encode(ok and {} or { code = fault.code, provider_code = fault.provider_code, kind = fault.kind }))`);
  const run = await moontide.run(['run', '-c', config, file, '--grant', 'read,send,mark_read,organise,delete', '--apply'],
    { password: rong.token(ME) });
  try { return JSON.parse(run.out); } catch { return { code: run.err.trim() }; }
}

const LOOK = 'bob:history_page { limit = 1 }';

// status of CONNACK, the SDK's code, moontide's
const DOOR = [[1, 31001, 'live.refused'], [2, 31002, 'auth.refused'], [4, 31004, 'auth.token_rejected'], [5, 31005, 'auth.refused'],
  [7, 31007, 'auth.forbidden'], [8, 31008, 'auth.forbidden'], [9, 31009, 'auth.user_banned'], [10, 31020, 'auth.token_expired'],
  [11, 31021, 'auth.device'], [12, 31022, 'auth.forbidden'], [13, 31023, 'auth.too_many_devices'], [14, 31024, 'auth.limit'],
  [15, 31025, 'auth.wrong_cluster'], [16, 31026, 'auth.refused'], [17, 31027, 'auth.token_used'], [18, 31028, 'auth.forbidden'],
  [19, 31029, 'user.unknown'], [20, 31030, 'auth.licence']];

async function door(ready, config) {
  const page = await rong.page(ready, ME);
  for (const [status, code, name] of DOOR) {
    await configure(ready, `connack=${status}`);
    tap.equal((await page.login()).code, code, `the SDK says ${code}: CONNACK ${status}`);
    const ours = await fault(config, LOOK);
    tap.equal([ours.provider_code, ours.code], [code, name], `moontide says the same: CONNACK ${status}`);
  }
  await page.close();
  for (const [text, code, name] of [['navi_status=401', 31004, 'auth.token_rejected'], ['navi_status=403', 31004, 'auth.token_rejected'],
    ['navi_status=416', 31030, 'auth.licence'], ['navi_code=401', 31004, 'auth.token_rejected']]) {
    await configure(ready, text);
    const fresh = await rong.page(ready, ME);
    tap.equal((await fresh.login()).code, code, `the SDK says ${code}: ${text}`);
    const ours = await fault(config, LOOK);
    tap.equal([ours.provider_code, ours.code], [code, name], `moontide says the same: ${text}`);
    await fresh.close();
  }
  await configure(ready, '');
}

const sorry = async promise => (await promise).code;

// topic, status, moontide's code; what the SDK does and what moontide does
const SAY = [user => user.call('sendMessage', rong.one('bob'), rong.text('x'), {}), 'bob:send "x"'];
const TELL = [user => user.call('sendMessage', rong.group('lobby'), rong.text('x'), {}), 'lobby:send "x"'];
const HISTORY = [user => user.call('getHistoryMessages', rong.one('bob'), { count: 1 }), LOOK];
const LIST = [user => user.call('getConversationList'), 'for _ in account:conversations() do end'];
const CLEAR = [user => user.call('clearHistoryMessages', rong.one('bob'), 1700000003000), 'bob:delete_messages { before = 1700000003001 }'];
const ASKED = [
  ['ppMsgP', 405, 'send.blocked', SAY], ['ppMsgP', 407, 'send.not_contact', SAY], ['ppMsgP', 20604, 'send.rate', SAY],
  ['ppMsgP', 21501, 'send.sensitive', SAY], ['ppMsgP', 21502, 'send.sensitive', SAY],
  ['pgMsgP', 22406, 'send.not_member', TELL], ['pgMsgP', 22408, 'send.muted_here', TELL],
  ['qryPMsg', 33007, 'history.not_opened', HISTORY], ['qryPMsg', 20606, 'unsupported', HISTORY],
  ['qryRelationR', 20604, 'conversations.rate', LIST], ['cleanPMsg', 33007, 'history.not_opened', CLEAR],
];

async function asked(ready, config) {
  const user = await rong.login(ready, ME);
  for (const [topic, status, name, [theirs, ours]] of ASKED) {
    await configure(ready, `refuse=${topic}:${status}`);
    tap.equal(await sorry(theirs(user)), status, `the SDK says ${status}: ${topic}`);
    const got = await fault(config, ours);
    tap.equal([got.provider_code, got.code], [status, name], `moontide says the same: ${topic} ${status}`);
  }
  await configure(ready, 'recall_limit=1ms');
  const late = `bob:send "x" moontide.sleep "20ms" for message in bob:history { limit = 1 } do message:recall() end`;
  const ours = await fault(config, late);
  tap.equal([ours.provider_code, ours.code], [25101, 'recall.too_late'], 'moontide says so: recalled too late');
  await configure(ready, 'no_roaming=1');
  const closed = await fault(config, LOOK);
  tap.equal([await sorry(HISTORY[0](user)), closed.provider_code, closed.code], [33007, 33007, 'history.not_opened'], 'history is not opened');
  await configure(ready, '');
  const large = await user.call('sendMessage', rong.one('bob'), rong.text('x'.repeat(131073)), {});
  const own = await fault(config, 'bob:send(("x"):rep(131073))');
  tap.equal([large.code, own.provider_code, own.code], [30016, 30016, 'send.too_large'], 'too large, said before it is sent');
  await user.close();
}

/** In the middle of a session. */
async function thrownOut(ready) {
  for (const [status, code, event, name] of [[1, 31010, 'kicked', 'kicked.other_device'], [2, 31011, 'kicked', 'kicked.by_cloud'],
    [7, 31020, 'error', 'auth.token_expired'], [9, 31029, 'error', 'user.unknown']]) {
    const bot = await rong.bot(ready, ME);
    await rong.control(ready, 'rongcloud-kick', `${ME} ${status}`);
    const { rest } = await bot.seen.take(one => one.event === event, event);
    tap.equal([rest.fault.provider_code, rest.fault.code], [code, name], `a session hears ${event}: DISCONNECT ${status}`);
    await bot.ended;
    await bot.director.close();
  }
  const bot = await rong.bot(ready, ME);
  for (const status of [6, 6]) {
    await rong.control(ready, 'rongcloud-kick', `${ME} ${status}`);
    await bot.seen.take(one => one.event === 'disconnected', 'disconnected');
    await bot.seen.take(one => one.event === 'connected', 'connected');
  }
  tap.equal(await bot.stop(), 0, 'sent elsewhere: goes on there by itself');
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  const config = moontide.rongConfig(ready, ME);
  await door(ready, config);
  await asked(ready, config);
  await thrownOut(ready);
  await sandbox.stop();
});
