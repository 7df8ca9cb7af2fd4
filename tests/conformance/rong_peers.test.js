'use strict';
// A script of moontide and RongCloud's SDK as peers, and as two devices of one user: each sends every kind, the other hears it
// equal; recall, edits, receipts, deletion, pins and what is unread agree on both sides.
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');
const { KINDS, TYPES, ordered, wrong } = require('./rong_kinds.js');

const BOT = 'agent';
const PEER = 'bob';
const FAR = 'http://127.0.0.1:9/';

const PLACES = [
  { name: 'a private chat', to: `single:${PEER}`, mine: rong.one(PEER), theirs: rong.one(BOT) },
  { name: 'a group', to: 'group:lobby', mine: rong.group('lobby'), theirs: rong.group('lobby') },
  { name: 'an ultra group', to: 'ultra:planet/RCDefault', mine: rong.ultra('planet'), theirs: rong.ultra('planet') },
];

// conversation:send's argument, the object name and the content that the SDK hears
const OUTGOING = [
  [{ kind: 'text', text: '你好 😀 "x"', ext: { b: ['c', { d: 1 }] } }, 'RC:TxtMsg', { content: '你好 😀 "x"', extra: '{"b":["c",{"d":1}]}' }],
  [{ kind: 'text', text: '' }, 'RC:TxtMsg', { content: '' }],
  [{ kind: 'image', body: { remote_path: `${FAR}p.jpg`, thumbnail_base64: 'aGVsbG8=' } }, 'RC:ImgMsg',
    { content: 'aGVsbG8=', imageUri: `${FAR}p.jpg` }],
  [{ kind: 'image', body: { remote_path: `${FAR}p.gif`, gif: true, size_bytes: 35, width: 3, height: 4 } }, 'RC:GIFMsg',
    { remoteUrl: `${FAR}p.gif`, gifDataSize: 35, width: 3, height: 4 }],
  [{ kind: 'voice', body: { remote_path: `${FAR}v.aac`, duration_s: 8 } }, 'RC:HQVCMsg', { remoteUrl: `${FAR}v.aac`, duration: 8 }],
  [{ kind: 'video', body: { remote_path: `${FAR}v.mp4`, duration_s: 9, size_bytes: 10, filename: 'v.mp4' } }, 'RC:SightMsg',
    { sightUrl: `${FAR}v.mp4`, content: '', duration: 9, size: 10, name: 'v.mp4' }],
  [{ kind: 'file', body: { remote_path: `${FAR}d.pdf`, filename: 'd.pdf', size_bytes: 5, file_type: 'pdf' } }, 'RC:FileMsg',
    { name: 'd.pdf', size: 5, type: 'pdf', fileUrl: `${FAR}d.pdf` }],
  [{ kind: 'location', body: { latitude: 39.5, longitude: 116.25, address: '北京' } }, 'RC:LBSMsg',
    { longitude: 116.25, latitude: 39.5, poi: '北京', content: '' }],
  [{ kind: 'text', text: 'quite so', body: { quote: { id: 'AAAA-BBBB-CCCC-0001', from: 'carol', text: 'the original' } } },
    'RC:ReferenceMsg', { content: 'quite so', referMsgUserId: 'carol', referMsg: { content: 'the original' },
      referMsgUid: 'AAAA-BBBB-CCCC-0001', objName: 'RC:TxtMsg' }],
  [{ kind: 'combine', body: { remote_path: `${FAR}c.html`, names: ['bob', 'carol'], summaries: ['bob: hi', 'carol: ho'],
    conversation_type: 1 } }, 'RC:CombineMsg', { remoteUrl: `${FAR}c.html`, nameList: ['bob', 'carol'],
    summaryList: ['bob: hi', 'carol: ho'], conversationType: 1 }],
  [{ kind: 'command', body: { action: 'do', data: '{"a":1}' } }, 'RC:CmdMsg', { name: 'do', data: '{"a":1}' }],
  [{ kind: 'custom', body: { event: 'app:gift', fields: { name: 'rose', price: 2 } } }, 'app:gift', { name: 'rose', price: 2 }],
];

const told = (bot, event, of = () => true) => bot.seen.take(one => one.event === event && of(one), `moontide hears ${event}`);
const telling = id => one => one.message.id === id;

async function receives({ bot, peer, me }, { name, to, theirs }) {
  const found = [];
  for (const [type, content, , want] of KINDS) {
    const sent = await peer.ok('sendMessage', theirs, rong.message(type, content), {});
    const { message, rest } = await told(bot, 'message', telling(sent.messageUId));
    await rong.hear(me, one => one.messageUId === sent.messageUId);
    const text = wrong(message, want, PEER);
    if (text) found.push(text);
    if (rest.conversation !== to) found.push(`${want.kind}: in ${rest.conversation}`);
    if (message.time !== sent.sentTime) found.push(`${want.kind}: time ${message.time}, sent ${sent.sentTime}`);
  }
  tap.ok(!found.length, `the SDK sends ${KINDS.length} kinds, the script hears them equal: ${name}`, found.join('\n'));
}

async function sends({ bot, peer, me }, { name, to }) {
  const found = [];
  for (const [send, objectName, content] of OUTGOING) {
    const { id } = await bot.ask('send', to, { send });
    for (const device of [peer, me]) {
      const heard = await rong.hear(device, message => message.messageUId === id);
      const [got, want] = [[heard.messageType, heard.content, heard.senderUserId], [objectName, content, BOT]].map(ordered);
      if (got !== want) found.push(`${device.user}: ${got}, sent ${want}`);
    }
  }
  tap.ok(!found.length, `the script sends ${OUTGOING.length} kinds, the SDK hears them equal: ${name}`, found.join('\n'));
}

/** The whole history as the SDK of that user sees it, oldest first, as ids. */
async function seen(user, conversation) {
  const all = [];
  for (let timestamp = 0; ;) {
    const page = await user.ok('getHistoryMessages', conversation, { timestamp, count: 100, order: 1 });
    all.push(...page.list);
    if (!page.hasMore || !page.list.length) return all;
    timestamp = page.list.at(-1).sentTime;
  }
}
const uids = list => list.map(message => message.messageUId);
const ours = async (bot, to) => (await bot.ask('history', to)).map(line => JSON.parse(line));

async function history({ bot, me }, { name, to, mine }) {
  const lines = await ours(bot, to);
  const theirs = await seen(me, mine);
  tap.equal(lines.map(line => [line.id, line.from, line.time]), theirs.map(one => [one.messageUId, one.senderUserId, one.sentTime]),
    `both see the same ${lines.length} messages: ${name}`);
}

/** In an ultra group there is an event of its own. When the message had been sent. */
async function hearsRecall(device, { conversationType }, id) {
  if (conversationType !== rong.ULTRA) {
    const { content } = await rong.hear(device, message => message.messageType === 'RC:RcCmd' && message.content.messageUId === id);
    return content.sentTime;
  }
  const list = await device.hears('ULTRA_GROUP_MESSAGE_RECALLED', messages => messages.some(one => one.messageUId === id));
  return list.find(one => one.messageUId === id).sentTime;
}

async function refers({ bot, peer, me }, { name, to, mine, theirs }) {
  const { id } = await bot.ask('send', to, { send: { text: 'from the script' } });
  const first = await rong.hear(peer, message => message.messageUId === id);
  await rong.hear(me, message => message.messageUId === id);
  const said = await rong.say(peer, theirs, 'from the SDK');
  await told(bot, 'message', telling(said.messageUId));
  await bot.ask('recall', to, { id });
  for (const device of [peer, me]) {
    tap.equal(await hearsRecall(device, mine, id), first.sentTime, `the script recalls, the SDK of ${device.user} hears: ${name}`);
  }
  await peer.ok('recallMessage', theirs, { messageUId: said.messageUId, sentTime: said.sentTime, extra: 'why' });
  const recalled = await told(bot, 'recalled', one => one.rest.target === said.messageUId);
  tap.equal([recalled.message.from, recalled.rest.conversation], [PEER, to], `the SDK recalls, the script hears: ${name}`);
  const left = uids(await seen(me, mine));
  tap.ok(!left.includes(id) && !left.includes(said.messageUId), `neither is in history: ${name}`);
  tap.equal((await ours(bot, to)).map(line => line.id), left, `the script's history agrees: ${name}`);
}

async function receipts({ bot, peer }, { to, theirs }) {
  const { id } = await bot.ask('send', to, { send: { text: 'read me' } });
  const heard = await rong.hear(peer, message => message.messageUId === id);
  await peer.ok('sendReadReceiptMessage', BOT, heard.messageUId, heard.sentTime);
  const read = await told(bot, 'read', one => one.rest.target === id);
  tap.equal([read.message.from, read.rest.conversation], [PEER, to], 'the SDK has read, the script hears');
  const said = await rong.say(peer, theirs, 'read me too');
  await told(bot, 'message', telling(said.messageUId));
  await bot.ask('mark_read', to, { id: said.messageUId });
  const receipt = await peer.hears('READ_RECEIPT_RECEIVED', event => event.messageUId === said.messageUId);
  tap.equal([receipt.sendUserId, receipt.sentTime], [BOT, said.sentTime], 'the script has read, the SDK hears');
}

const THREE = ['one', 'two', 'three'];

/** Three messages of the peer, heard by both devices. */
async function fill({ bot, peer, me }, { theirs }) {
  const sent = [];
  for (const text of THREE) {
    const one = await rong.say(peer, theirs, text);
    await told(bot, 'message', telling(one.messageUId));
    await rong.hear(me, message => message.messageUId === one.messageUId);
    sent.push(one);
  }
  return sent;
}

async function unread(world, { name, to, mine }) {
  const { bot, me } = world;
  const both = async () => {
    const list = await bot.ask('list');
    const entry = list.find(one => one.id === to);
    return [entry ? entry.unread : 0, await me.ok('getUnreadCount', mine)];
  };
  const read = async () => {
    await bot.ask('conversation_read', to);
    await rong.hear(me, message => message.messageType === 'RC:SRSMsg' && message.targetId === mine.targetId);
  };
  await read(); // and not cleared by the SDK as well: it counts nothing up to its own clock then
  tap.equal(await both(), [0, 0], `nothing is unread for either device: ${name}`);
  const sent = await fill(world, { theirs: name === 'a private chat' ? rong.one(BOT) : mine });
  tap.equal(await both(), [3, 3], `three are unread for both: ${name}`);
  await read();
  tap.equal(await both(), [0, 0], `the script reads, on the SDK's device they are read too: ${name}`);
  const again = await fill(world, { theirs: name === 'a private chat' ? rong.one(BOT) : mine });
  await me.ok('clearMessagesUnreadStatus', mine);
  await me.ok('sendSyncReadStatusMessage', mine, again.at(-1).sentTime);
  const event = await told(bot, 'unread', one => one.rest.conversation === to);
  tap.equal([event.rest.conversation, await both()], [to, [0, 0]], `the SDK reads, on the script's device they are read too: ${name}`);
  return sent;
}

async function deletes(world, { name, to, mine, theirs }) {
  const { bot, me, peer } = world;
  const all = uids(await seen(peer, theirs));
  const look = async want => {
    const left = uids(await seen(me, mine));
    tap.equal((await ours(bot, to)).map(line => line.id), left, `what is left is the same for both: ${name}`);
    return left.length === want;
  };
  const [one, two, three] = await fill(world, { theirs });
  const before = uids(await seen(me, mine)).length;
  await bot.ask('delete_messages', to, { which: { ids: [one.messageUId] } });
  tap.ok(await look(before - 1), `the script deletes one by its id: ${name}`);
  await me.ok('deleteMessages', mine, [{ messageUId: two.messageUId, sentTime: two.sentTime, messageDirection: 2 }]);
  tap.ok(await look(before - 2), `the SDK deletes one: ${name}`);
  await bot.ask('delete_messages', to, { which: { before: three.sentTime } });
  tap.ok(await look(1), `the script deletes what is before a time, the time itself not: ${name}`);
  await fill(world, { theirs });
  await me.ok('clearHistoryMessages', mine, three.sentTime);
  tap.ok(await look(3), `the SDK deletes up to a time, the time included: ${name}`);
  tap.equal(uids(await seen(peer, theirs)).length, all.length + 6, `the peer has all of them still: ${name}`);
}

async function organises({ bot, me }, { name, to, mine }) {
  const pinned = async () => [(await bot.ask('list', undefined, { pinned: true })).map(one => one.id),
    (await me.ok('getTopConversationList')).map(one => one.targetId)];
  await bot.ask('pin', to, { on: true });
  await me.hears('CONVERSATION', ({ conversationList }) =>
    conversationList.some(one => one.conversation.targetId === mine.targetId && one.conversation.isTop));
  tap.equal(await pinned(), [[to], [mine.targetId]], `the script pins, both know: ${name}`);
  await me.ok('setConversationToTop', mine, false);
  await told(bot, 'conversation', one => one.rest.conversation === to);
  tap.equal(await pinned(), [[], []], `the SDK unpins, both know: ${name}`);
  await bot.ask('delete', to, { history: false });
  const listed = async () => [(await bot.ask('list')).some(one => one.id === to),
    (await me.ok('getConversationList')).some(one => one.targetId === mine.targetId)];
  tap.equal(await listed(), [false, false], `the script removes the conversation: ${name}`);
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--rongcloud', 'ugMsg=1');
  const { ready } = sandbox;
  const peer = await rong.login(ready, PEER, { types: TYPES });
  const me = await rong.login(ready, BOT, { types: TYPES });
  for (const user of [peer, me]) await user.hears('ULTRA_GROUP_ENABLE');
  for (const user of [me, peer]) for (const place of PLACES.slice(1)) await rong.say(user, place.theirs, `${user.user} is here`);
  const bot = await rong.bot(ready, BOT);
  const world = { bot, peer, me };
  for (const place of PLACES) {
    await receives(world, place);
    await sends(world, place);
    await refers(world, place);
    await history(world, place);
    await deletes(world, place);
  }
  await receipts(world, PLACES[0]);
  for (const place of PLACES.slice(0, 2)) {
    await unread(world, place);
    await organises(world, place);
  }
  tap.equal(await bot.stop(), 0, 'the script ends when it has no hook left');
  if (bot.errors.length) tap.note(bot.errors.join(''));
  for (const user of [peer, me]) await user.close();
  await sandbox.stop();
});
