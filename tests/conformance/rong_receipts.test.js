'use strict';
// Who has read and what is unread, between moontide and RongCloud's SDK: receipts of every version that navigation announces,
// both ways; counts kept by the client and by the server, read on one device and on another; edits; and the same with messages
// that are pushed instead of pulled.
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const BOT = 'agent';
const PEER = 'bob';
const PLACES = {
  'a private chat': ['single:bob', rong.one('bob'), rong.one(BOT)],
  'a group': ['group:lobby', rong.group('lobby'), rong.group('lobby')],
};

const told = (bot, event, of = () => true) => bot.seen.take(one => one.event === event && of(one), `moontide hears ${event}`);
const hears = (user, id) => rong.hear(user, message => message.messageUId === id);

/** A sandbox with these settings, the script, another device of its user, and two members of a group. */
async function world(text, check) {
  const sandbox = await moontide.sandbox(...(text ? ['--rongcloud', text] : []));
  const { ready } = sandbox;
  const [bob, carol, me] = [await rong.login(ready, 'bob'), await rong.login(ready, 'carol'), await rong.login(ready, BOT)];
  for (const user of [bob, carol, me]) await rong.say(user, rong.group('lobby'), `${user.user} is here`);
  const bot = await rong.bot(ready, BOT);
  await check({ ready, bot, bob, carol, me });
  tap.equal([await bot.stop(), bot.errors.join('')], [0, ''], `${text || 'as it is'}: the script ends well`);
  for (const user of [bob, carol, me]) await user.close();
  await sandbox.stop();
}

/** The SDK's ways to say that it has read, and to hear that somebody has: by version. */
const SAYS = {
  v1: { group: (user, sent) => user.ok('sendReadReceiptResponseV2', 'lobby', { [BOT]: [sent.messageUId] }),
    one: (user, sent) => user.ok('sendReadReceiptMessage', BOT, sent.messageUId, sent.sentTime) },
  v2: { group: (user, sent) => user.ok('sendReadReceiptResponseV2', 'lobby', { [BOT]: [sent.messageUId] }),
    one: (user, sent) => user.ok('sendReadReceiptMessage', BOT, sent.messageUId, sent.sentTime) },
  v4: { group: (user, sent) => user.ok('sendReadReceiptMessageV4', rong.group('lobby'), sent.messageUId),
    one: (user, sent) => user.ok('sendReadReceiptMessageV4', rong.one(BOT), sent.messageUId) },
  v5: { group: (user, sent) => user.ok('sendReadReceiptResponseV5', rong.group('lobby'), [sent.messageUId]),
    one: (user, sent) => user.ok('sendReadReceiptResponseV5', rong.one(BOT), [sent.messageUId]) },
};
const HEARS = {
  v1: { group: async (user, sent) => (await user.hears('MESSAGE_RECEIPT_RESPONSE', one => one.messageUIdList.includes(sent.messageUId))).receivedUserId,
    one: async (user, sent) => (await user.hears('READ_RECEIPT_RECEIVED', one => one.messageUId === sent.messageUId)).sendUserId },
  v2: { group: async (user, sent) => (await user.ok('getMessageReader', 'lobby', sent.messageUId)).list.map(one => one.userId).join(),
    one: async (user, sent) => (await user.hears('READ_RECEIPT_RECEIVED', one => one.messageUId === sent.messageUId)).sendUserId },
  v4: { group: async (user, sent) => { await user.hears('MESSAGE_READ_RECEIPT_V4', one => one.groupReadReceipt && one.groupReadReceipt.messageUId === sent.messageUId);
    return (await user.ok('getMessageReadReceiptV4', rong.group('lobby'), sent.messageUId)).list.map(one => one.userId).join(); },
  one: async user => { const { privateReadReceipt } = await user.hears('MESSAGE_READ_RECEIPT_V4', one => one.privateReadReceipt); return privateReadReceipt.targetId; } },
  v5: { group: async (user, sent) => (await user.hears('MESSAGE_RECEIPT_RESPONSE_V5', list => list[0].messageUId === sent.messageUId))[0].users[0].userId,
    one: async (user, sent) => (await user.hears('MESSAGE_RECEIPT_RESPONSE_V5', list => list[0].messageUId === sent.messageUId))[0].users[0].userId },
};

/** v2 tells nobody in a group; v4 tells up to when in a private chat, and how many in a group. */
async function heardByScript(bot, version, kind, id, to, name) {
  if (version === 'v2' && kind === 'group') return;
  const event = version !== 'v4' ? 'read' : kind === 'one' ? 'unread' : 'statistic';
  const { rest, message } = await told(bot, event, one => (one.rest.target || one.rest.data.id || id) === id);
  const want = event === 'statistic' ? 1 : PEER;
  tap.equal([rest.conversation, event === 'statistic' ? rest.data.read : message.from], [to, want],
    `${version}: the SDK has read, the script hears: ${name}`);
}

const receipts = (version, text) => world(text, async ({ bot, bob, carol, me }) => {
  for (const [name, [to, , theirs]] of Object.entries(PLACES)) {
    const kind = name === 'a group' ? 'group' : 'one';
    const { id } = await bot.ask('send', to, { send: { text: 'read me', receipts: true } });
    const heard = await hears(bob, id);
    if (kind === 'group') await hears(carol, id);
    await SAYS[version][kind](bob, heard);
    await heardByScript(bot, version, kind, id, to, name);
    if (kind === 'group' && version !== 'v1') tap.equal(await bot.ask('readers', to, { id }), [PEER], `${version}: who has read: ${name}`);

    const said = await rong.say(bob, theirs, 'read me too', version === 'v5' ? { needReceipt: true } : {});
    await told(bot, 'message', one => one.message.id === said.messageUId);
    await hears(me, said.messageUId);
    await bot.ask('mark_read', to, { id: said.messageUId });
    tap.equal(await HEARS[version][kind](bob, said), BOT, `${version}: the script has read, the SDK hears: ${name}`);
  }
});
/** What is unread, for both devices of one user: {conversation: count}. */
async function counts(bot, me) {
  const list = await bot.ask('list');
  const result = [];
  for (const [, [to, mine]] of Object.entries(PLACES)) {
    const entry = list.find(one => one.id === to);
    result.push([entry ? entry.unread : 0, await me.ok('getUnreadCount', mine)]);
  }
  return result;
}

const unread = text => world(text, async ({ ready, bot, bob, me }) => {
  const kept = text.includes('serverSaveUnread');
  const fill = async () => {
    for (const [, [, , theirs]] of Object.entries(PLACES)) {
      const sent = await rong.say(bob, theirs, 'unread');
      await told(bot, 'message', one => one.message.id === sent.messageUId);
      await hears(me, sent.messageUId);
    }
  };
  /** Until the SDK's device has heard what the script did. */
  const settle = async wanted => {
    for (let list = await counts(bot, me); ; list = await counts(bot, me)) {
      if (JSON.stringify(list) === JSON.stringify(wanted)) return list;
      if (!me.seen.items.some(item => ['CONVERSATION', 'SYNC_READ_STATUS', 'MESSAGES'].includes(item.name))) return list;
      me.seen.clear();
    }
  };
  const read = async () => {
    for (const [to, mine] of Object.values(PLACES)) {
      await bot.ask('conversation_read', to);
      await heardRead(me, text, mine);
    }
  };
  await read(); // and not cleared by the SDK as well: it counts nothing up to its own clock then
  await fill();
  tap.equal(await counts(bot, me), [[1, 1], [1, 1]], `${text}: unread for both devices`);
  await read();
  tap.equal(await settle([[0, 0], [0, 0]]), [[0, 0], [0, 0]], `${text}: the script: read on one, read on both`);
  await fill();
  for (const [to, mine] of Object.values(PLACES)) {
    if (kept) await me.ok('markRemoteConversationAsRead', mine);
    else { await me.ok('clearMessagesUnreadStatus', mine); await me.ok('sendSyncReadStatusMessage', mine, Date.now()); }
    await told(bot, 'unread', one => one.rest.conversation === to);
  }
  tap.equal(await settle([[0, 0], [0, 0]]), [[0, 0], [0, 0]], `${text}: the SDK: read on one, read on both`);
  await fill();
  if (kept) {
    const later = await rong.login(ready, BOT);
    const config = moontide.rongConfig(ready, BOT);
    const run = await moontide.run(['conversations', '-c', config, '-a', 'it', '--json'], { password: rong.token(BOT) });
    const lines = run.out.split('\n').filter(Boolean).map(JSON.parse);
    const of = id => (lines.find(line => line.id === id) || {}).unread;
    tap.equal([of('single:bob'), of('group:lobby')], [await later.ok('getUnreadCount', rong.one('bob')),
      await later.ok('getUnreadCount', rong.group('lobby'))], `${text}: who comes later has the server's counts`);
    await later.close();
  }
});

/** The other device of the SDK hears that a conversation was read here. */
async function heardRead(me, text, { targetId }) {
  if (text.includes('sesDriven')) await me.hears('SYNC_READ_STATUS', one => one.targetId === targetId);
  else await rong.hear(me, message => message.messageType === 'RC:SRSMsg' && message.targetId === targetId);
}

const edits = text => world(text, async ({ bot, bob, me }) => {
  for (const [name, [to, , theirs]] of Object.entries(PLACES)) {
    const { id } = await bot.ask('send', to, { send: { text: 'helo' } });
    for (const user of [bob, me]) await hears(user, id);
    await bot.ask('edit', to, { id, edit: 'hello' });
    for (const user of [bob, me]) {
      const [heard] = await user.hears('MESSAGE_MODIFIED', list => list.some(message => message.messageUId === id));
      tap.equal(heard.content.content, 'hello', `${text || 'as it is'}: the script edits, the SDK hears: ${user.user}, ${name}`);
    }
    const said = await rong.say(bob, theirs, 'helo');
    await told(bot, 'message', one => one.message.id === said.messageUId);
    await bob.ok('modifyMessageWithParams', { messageUId: said.messageUId, messageContent: { content: 'hello too' }, conversation: theirs });
    const edited = await told(bot, 'edited', one => one.rest.target === said.messageUId);
    tap.equal([edited.message.text, edited.rest.conversation], ['hello too', to], `${text || 'as it is'}: the SDK edits, the script hears: ${name}`);
  }
});

tap.run(async () => {
  for (const [version, text] of [['v1', ''], ['v2', 'grpRRVer=1'], ['v4', 'grpRRVer=3'], ['v5', 'grpRRVer=4']]) {
    await receipts(version, text).catch(error => tap.ok(false, `${version}: ends without an exception`, error.stack));
  }
  for (const text of ['openHistoryMsg=0', 'sesDriven=1', 'serverSaveUnread=1', 'gzip=2']) {
    await unread(text).catch(error => tap.ok(false, `${text}: ends without an exception`, error.stack));
  }
  for (const text of ['', 'openHistoryMsg=0']) await edits(text);
});
