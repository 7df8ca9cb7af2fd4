'use strict';
// What becomes of a session, SDK 4.21.1 beside moontide: ended by the cloud for each of its reasons, lost and made again,
// a token that runs out, and what waited while both were away.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const peers = require('./peers.js');
const { Arrivals } = require('./arrivals.js');
const moontide = require('./moontide.js');

const post = (ready, where, body) => fetch(ready.easemob.rest + where, { method: 'POST', body });
const text = (to, msg, chatType = 'singleChat') => ({ type: 'txt', chatType, to, msg });

// The reason's number, the SDK's error type, moontide's code
const ENDS = [[1, 207, 'kicked.removed'], [2, 206, 'kicked.other_device'], [3, 216, 'kicked.password'], [4, 217, 'kicked.by_device']];

async function kicks(ready) {
  for (const [number, type, code] of ENDS) {
    const errors = new Arrivals();
    const user = await peers.user(ready, `kicked-${number}`);
    user.connection.addEventHandler('kicks', { onError: error => errors.push(error) });
    const bot = await peers.bot(ready, `ended-${number}`);
    await post(ready, '/sandbox/kick', `kicked-${number} ${number}`);
    await post(ready, '/sandbox/kick', `ended-${number} ${number}`);
    const error = await errors.take(one => one.type === type, `onError ${type}`);
    const { event } = await user.seen.take(one => one.name === 'onDisconnected', 'onDisconnected');
    tap.equal([error.type, event && event.type], [type, type], `the SDK says why it was ended: ${type}`);
    const { rest } = await bot.seen.take(one => one.event === 'kicked', 'kicked');
    tap.equal([rest.fault.provider_code, rest.fault.code], [type, code], `moontide says the same: ${code}`);
    await bot.ended;
    tap.ok(!bot.seen.items.some(one => one.event === 'connected'), `neither comes back: ${code}`);
    bot.director.close();
  }
}

/** Ends a script whose director's session is over. */
async function end(ready, bot) {
  const director = await sdk.login(ready, peers.DIRECTOR + bot.user);
  await sdk.send(director, { type: 'cmd', chatType: 'singleChat', to: bot.user, action: '{"act":"stop"}' });
  tap.equal(await bot.ended, 0, 'the script ends well');
  director.close();
}

async function lost(ready, third) {
  const user = await peers.user(ready, 'lost', undefined, { autoReconnectNumMax: 5 });
  const bot = await peers.bot(ready, 'lost-too');
  let again = null;
  const back = new Promise(resolve => { again = resolve; });
  user.connection.addEventHandler('lost', { onConnected: again });
  await post(ready, '/sandbox/cut', '');
  await user.seen.take(one => one.name === 'onReconnecting', 'onReconnecting');
  await bot.seen.take(one => one.event === 'disconnected', 'disconnected');
  await back;
  const { rest } = await bot.seen.take(one => one.event === 'connected', 'connected');
  tap.ok(rest.data.away_ms > 0, 'both lose the session, say so, and make it again by themselves', JSON.stringify(rest));
  const sender = await sdk.login(ready, third);
  for (const name of ['lost', 'lost-too']) await sdk.send(sender, text(name, 'still there'));
  await user.seen.take(one => one.name === 'onTextMessage' && one.event.msg === 'still there', 'the SDK');
  await bot.seen.take(one => one.event === 'message' && one.message.text === 'still there', 'moontide');
  tap.ok(true, 'and both hear what comes after');
  sender.close();
  user.connection.close();
  await end(ready, bot);
}

/** A script that prints what it hears and ends with the command «end». */
function listener(ready, user, ...names) {
  const file = path.join(moontide.scratch, `${user}.lua`);
  fs.writeFileSync(file, `local moontide = require "moontide"
    local account = moontide.account "it"
    for _, name in ipairs { "${names.join('", "')}" } do
      account:on(name, function(message, event)
        event = event or message
        if message.kind == "command" and message.body.action == "end" then return account:off() end
        print(moontide.json.encode { event = name, conversation = event.conversation and event.conversation.id,
          text = event.message and event.message.text, id = event.message and event.message.id, data = event.data })
      end)
    end`);
  return moontide.run(['run', '-c', moontide.config(ready, user), file])
    .then(({ status, out, err }) => ({ status, err, lines: out.split('\n').filter(Boolean).map(line => JSON.parse(line)) }));
}

/** The same messages wait for a user of each; both hear the same, in the same order of each conversation. */
async function away(ready) {
  const [sender, member] = [await sdk.login(ready, 'sender'), await sdk.login(ready, 'member')];
  const made = await sender.createGroup({ data: { groupname: 'away', desc: '', members: ['old', 'new', 'member'], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;
  const texts = Array.from({ length: 70 }, (_, i) => `m${i}`); // more than one batch
  for (const msg of texts) {
    for (const to of ['old', 'new']) await sdk.send(sender, text(to, msg));
    await sdk.send(member, text(group, msg, 'groupChat'));
  }
  for (const to of ['old', 'new']) await sdk.send(sender, { type: 'cmd', chatType: 'singleChat', to, action: 'end' });
  const user = await peers.user(ready, 'old');
  const heard = { single: [], group: [] };
  for (let i = 0; i < 2 * texts.length; i++) {
    const { event } = await user.seen.take(one => one.name === 'onTextMessage', 'onTextMessage');
    heard[event.chatType === 'groupChat' ? 'group' : 'single'].push(event.msg);
  }
  for (const name of ['onOfflineMessageSyncStart', 'onOfflineMessageSyncFinish']) await user.seen.take(one => one.name === name, name);
  user.connection.close();
  await sdk.send(member, { type: 'cmd', chatType: 'singleChat', to: 'new', action: 'last' });
  const result = await listener(ready, 'new', 'message', 'connected');
  const ours = kind => result.lines.filter(one => one.event === 'message' && one.conversation.startsWith(kind))
    .map(one => one.text).filter(Boolean);
  tap.equal(heard, { single: texts, group: texts }, 'what waited for the SDK comes, in order');
  tap.equal(ours('single:sender'), heard.single, 'what waited for moontide is the same: single chats');
  // The command ends the script; the group's queue may not have been dealt with by then, and is kept.
  const more = ours('group:').length < texts.length ? await rest(ready, sender) : [];
  tap.equal([...new Set([...ours('group:'), ...more])], heard.group, 'what waited for moontide is the same: groups');
  tap.equal(result.lines.filter(one => one.event === 'connected').length, 1, 'connected is told once');
  sender.close();
  member.close();
}

/** What is left of the group's queue. */
async function rest(ready, sender) {
  const again = listener(ready, 'new', 'message');
  await sdk.send(sender, { type: 'cmd', chatType: 'singleChat', to: 'new', action: 'end' });
  return (await again).lines.filter(one => one.conversation.startsWith('group:')).map(one => one.text);
}

/** Readers that came while the sender was away. */
async function statistics(ready) {
  const reader = await sdk.login(ready, 'reader');
  const made = await reader.createGroup({ data: { groupname: 'statistics', desc: '', members: ['asks', 'asks-too'], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;
  const ask = async user => {
    const connection = await sdk.login(ready, user);
    const id = await sdk.send(connection, { ...text(group, 'read me', 'groupChat'), msgConfig: { allowGroupAck: true } });
    connection.close();
    return id;
  };
  const ids = [await ask('asks'), await ask('asks-too')];
  for (const id of ids) {
    await sdk.send(reader, { type: 'read', chatType: 'groupChat', to: group, id, ackContent: '', msgConfig: { allowGroupAck: true } });
  }
  const user = await peers.user(ready, 'asks');
  const { event } = await user.seen.take(one => one.name === 'onStatisticMessage' && one.event.location, 'onStatisticMessage');
  tap.equal(JSON.parse(event.location).group_ack, [{ [ids[0]]: 1 }], 'the SDK hears who read meanwhile: onStatisticMessage');
  user.connection.close();
  const bot = await peers.bot(ready, 'asks-too');
  const ours = await bot.seen.take(one => one.event === 'statistic', 'statistic');
  tap.equal(ours.rest.data.group_ack, [{ [ids[1]]: 1 }], 'moontide hears the same: statistic');
  tap.equal(await bot.stop(), 0, 'the script ends well');
  reader.close();
}

async function tokens(ready) {
  await post(ready, '/sandbox/faults', 'token_ttl=12s');
  const user = await peers.user(ready, 'expires');
  const bot = await peers.bot(ready, 'renews');
  const { token } = user.connection;
  await Promise.all([user.seen.take(one => one.name === 'onTokenWillExpire', 'onTokenWillExpire'),
    bot.seen.take(one => one.event === 'token_expiring', 'token_expiring')]);
  tap.ok(true, 'both say that their token runs out');
  await post(ready, '/sandbox/faults', '');
  await user.seen.take(one => one.name === 'onTokenExpired', 'onTokenExpired');
  const own = `${ready.easemob.rest}/sandbox/demo/users/expires/user_channels`;
  const refused = await fetch(own, { headers: { Authorization: `Bearer ${token}` } });
  tap.equal(refused.status, 401, "the SDK's token is over, and its session with it");
  await bot.seen.take(one => one.event === 'connected', 'connected');
  tap.ok(true, "moontide's session goes on with a new one");
  user.connection.close();
  await end(ready, bot);
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  await kicks(ready);
  await lost(ready, 'third');
  await away(ready);
  await statistics(ready);
  await tokens(ready);
  await sandbox.stop();
});
