'use strict';
// What moontide asks and says at RongCloud is what the official SDK does, field by field: navigation, the address of the
// WebSocket, and each frame. The differences that are meant stand in differences.json, each with its reason; one that does not
// occur any more is a failure too.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const wire = require('./rong_wire.js');
const moontide = require('./moontide.js');
const { TYPES } = require('./rong_kinds.js');

const ME = 'agent';
const FAR = 'http://127.0.0.1:9/';
const differences = JSON.parse(fs.readFileSync(path.join(__dirname, 'differences.json'), 'utf8')).filter(item => item.rong);
const used = new Set();

/** Whether the field may differ; `rong` is a name, its beginning with a *, or a topic. */
function excused(name, topic, field) {
  const fits = pattern => pattern === name || pattern === topic || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)));
  const found = differences.find(item => item.field === field && fits(item.rong));
  if (found) used.add(found);
  return Boolean(found);
}

/** One frame as texts, without what may differ. */
function comparable(name, frame) {
  const fields = wire.flat(frame.topic, frame.payload);
  const all = [['first byte', frame.first.toString(16)], ['topic', frame.topic], ['target', frame.target], ...fields];
  return all.filter(([field]) => !excused(name, frame.topic, field)).map(([field, value]) => `${field}=${value}`);
}

async function frames(ready, wanted, act) {
  await wire.reset(ready);
  await act();
  return (await wire.frames(ready, ME)).filter(frame => wanted.test(frame.topic));
}

let scripts = 0;

/** Runs that Lua as the same user. */
async function run(config, lua) {
  const file = path.join(moontide.scratch, `frames-${scripts++}.lua`);
  fs.writeFileSync(file, `local moontide = require "moontide"\nlocal account = moontide.account "it"\n${lua}\n`);
  const { status, err } = await moontide.run(['run', '-c', config, file, '--grant', 'read,send,mark_read,organise,delete', '--apply'],
    { password: rong.token(ME) });
  if (status) throw new Error(`${lua}\n${err}`);
}

async function compare({ ready, config, user, bob }, [name, wanted, theirs, ours]) {
  let a;
  let b;
  try {
    a = await frames(ready, wanted, () => theirs(user, bob, ready));
    b = await frames(ready, wanted, () => run(config, ours));
  } catch (error) { tap.ok(false, `${name}: both can`, error.message); return; }
  if (!a.length || !b.length) { tap.ok(false, `${name}: both send`, `the SDK ${a.length}, moontide ${b.length} frames`); return; }
  tap.equal(comparable(name, b[0]), comparable(name, a[0]), `${name}: the same frame`);
}

const SEND = /^(p[pgbc]Msg[PS]|ugMsg)$/;
const PLACES = [['one', rong.one('bob'), 'single:bob'], ['a group', rong.group('lobby'), 'group:lobby'],
  ['an ultra group', rong.ultra('planet'), 'ultra:planet/RCDefault'], ['a channel', rong.ultra('planet', 'corner'), 'ultra:planet/corner']];

// name, the SDK's message, its options, conversation:send's argument in Lua
const KINDS = [
  ['text', rong.text('你好'), {}, '"你好"'],
  ['empty text', rong.text(''), {}, '{ text = "" }'],
  ['image', rong.message('ImageMessage', { content: 'aGVsbG8=', imageUri: `${FAR}p.jpg` }), {},
    `{ kind = "image", body = { thumbnail_base64 = "aGVsbG8=", remote_path = "${FAR}p.jpg" } }`],
  ['gif', rong.message('GIFMessage', { gifDataSize: 35, remoteUrl: `${FAR}p.gif`, width: 3, height: 4 }), {},
    `{ kind = "image", body = { gif = true, size_bytes = 35, remote_path = "${FAR}p.gif", width = 3, height = 4 } }`],
  ['file', rong.message('FileMessage', { name: 'd.pdf', size: 9, type: 'pdf', fileUrl: `${FAR}d.pdf` }), {},
    `{ kind = "file", body = { filename = "d.pdf", size_bytes = 9, file_type = "pdf", remote_path = "${FAR}d.pdf" } }`],
  ['voice', rong.message('VoiceMessage', { content: 'IyFBTVIK', duration: 7 }), {},
    '{ kind = "voice", body = { data_base64 = "IyFBTVIK", duration_s = 7 } }'],
  ['voice elsewhere', rong.message('HQVoiceMessage', { remoteUrl: `${FAR}v.aac`, duration: 8 }), {},
    `{ kind = "voice", body = { remote_path = "${FAR}v.aac", duration_s = 8 } }`],
  ['video', rong.message('SightMessage', { sightUrl: `${FAR}v.mp4`, content: 'aGVsbG8=', duration: 9, size: 10, name: 'v.mp4' }), {},
    `{ kind = "video", body = { remote_path = "${FAR}v.mp4", thumbnail_base64 = "aGVsbG8=", duration_s = 9, size_bytes = 10, filename = "v.mp4" } }`],
  ['location', rong.message('LocationMessage', { longitude: 116.25, latitude: 39.5, poi: '北京', content: 'aGVsbG8=' }), {},
    '{ kind = "location", body = { longitude = 116.25, latitude = 39.5, address = "北京", thumbnail_base64 = "aGVsbG8=" } }'],
  ['reference', rong.message('ReferenceMessage', { content: 'quite so', referMsgUserId: 'carol', referMsg: { content: 'the original' },
    referMsgUid: 'AAAA-BBBB-CCCC-0001', objName: 'RC:TxtMsg' }), {},
  '{ text = "quite so", body = { quote = { id = "AAAA-BBBB-CCCC-0001", from = "carol", text = "the original" } } }'],
  ['combine', rong.message('CombineMessage', { remoteUrl: `${FAR}c.html`, nameList: ['bob'], summaryList: ['bob: hi'], conversationType: 1 }), {},
    `{ kind = "combine", body = { remote_path = "${FAR}c.html", names = { "bob" }, summaries = { "bob: hi" }, conversation_type = 1 } }`],
  ['command', rong.message('CommandMessage', { name: 'do', data: 'x' }), {}, '{ kind = "command", body = { action = "do", data = "x" } }'],
  ['custom', rong.message('app:gift', { name: 'rose', price: 2 }), {},
    '{ kind = "custom", body = { event = "app:gift", fields = { name = "rose", price = 2 } } }'],
];

const sends = PLACES.flatMap(([place, to, id]) => (place === 'a channel' ? KINDS.slice(0, 1) : KINDS).map(([name, message, options, lua]) =>
  [`${name} to ${place}`, SEND, user => user.ok('sendMessage', to, message, options), `account:conversation "${id}":send(${lua})`]));

const mention = info => rong.message('TextMessage', { content: '@', mentionedInfo: { mentionedContent: '', ...info } });
const GROUP = 'account:conversation "group:lobby"';
const options = [
  ['mention of some', SEND, user => user.ok('sendMessage', rong.group('lobby'), mention({ type: 2, userIdList: ['bob'] }), { isMentioned: true }),
    `${GROUP}:send { text = "@", body = { mentions = { users = { "bob" } } } }`],
  ['mention of all', SEND, user => user.ok('sendMessage', rong.group('lobby'), mention({ type: 1, userIdList: [] }), { isMentioned: true }),
    `${GROUP}:send { text = "@", body = { mentions = { all = true } } }`],
  ['directed', SEND, user => rong.say(user, rong.group('lobby'), 'psst', { directionalUserIdList: ['bob'] }),
    `${GROUP}:send { text = "psst", only = { "bob" } }`],
];

const LAST = 'for message in conversation:history { limit = 1 } do';
const newest = async (user, to) => (await user.ok('getHistoryMessages', to, { count: 1 })).list[0];
const key = ({ messageUId, sentTime, messageDirection }) => ({ messageUId, sentTime, messageDirection });

/** What is done to a conversation, by both in the same way, without anything in it being different afterwards. */
const acts = PLACES.slice(0, 3).flatMap(([place, to, id]) => {
  const there = `local conversation = account:conversation "${id}"\n`;
  const ultra = place === 'an ultra group';
  return [
    [`history, newest first, ${place}`, /^qry(P|G|Ug)Msg$/, user => user.ok('getHistoryMessages', to, { count: 20, timestamp: 1700000000000 }),
      `${there}conversation:history_page { limit = 20, ["until"] = 1700000000000 }`],
    [`history, oldest first, ${place}`, /^qry(P|G|Ug)Msg$/, user => user.ok('getHistoryMessages', to, { count: 50, order: 1 }),
      `${there}conversation:history_page { limit = 50, order = "oldest" }`],
    [`delete one, ${place}`, /^del(Ug)?Msg$/, async user => user.ok('deleteMessages', to, [key(await newest(user, to))]),
      `${there}${LAST} conversation:delete_messages { ids = { message } } end`],
    [`delete up to a time, ${place}`, /^clean/, user => user.ok('clearHistoryMessages', to, 1700000003000),
      `${there}conversation:delete_messages { before = 1700000003001 }`],
    [`recall, ${place}`, /^recallMsg$/, async user => { const { messageUId, sentTime } = await rong.say(user, to, 'x');
      await user.ok('recallMessage', to, { messageUId, sentTime }); },
    `${there}conversation:send "x"\n${LAST} message:recall() end`],
    ...(ultra ? [] : [
      [`pin, ${place}`, /^setSeAtt$/, user => user.ok('setConversationToTop', to, true), `${there}conversation:pin()`],
      [`unpin, ${place}`, /^setSeAtt$/, user => user.ok('setConversationToTop', to, false), `${there}conversation:pin(false)`],
      [`remove, ${place}`, /^delRelationBatch$/, user => user.ok('removeConversation', to), `${there}conversation:delete()`],
      [`remove with history, ${place}`, /^delRelationBatch$/, user => user.ok('batchDeleteConversations',
        { identifiers: [to], deleteRemotely: true, deleteMessages: true }), `${there}conversation:delete { history = true }`],
    ]),
  ];
});

const lists = [
  ['list', /^qryRelationR$/, user => user.ok('getConversationList'),
    'for _ in account:conversations() do end'],
  ['edit', /^modifyMsg$/, async user => { const { messageUId } = await rong.say(user, rong.one('bob'), 'helo');
    await user.ok('modifyMessageWithParams', { messageUId, messageContent: { content: 'hello' }, conversation: rong.one('bob') }); },
  'local conversation = account:conversation "single:bob"\nconversation:send "helo"\n' + LAST + ' message:edit "hello" end'],
];

/** What is read: of the peer. */
const reads = [
  ['message read', SEND, async (user, bob) => { const { messageUId, sentTime } = await rong.say(bob, rong.one(ME), 'x');
    await user.ok('sendReadReceiptMessage', 'bob', messageUId, sentTime); },
  'for message in account:conversation "single:bob":history { limit = 5 } do if message.from == "bob" then message:mark_read() break end end'],
  ['conversation read', SEND, async (user, bob) => { const { sentTime } = await rong.say(bob, rong.one(ME), 'x');
    await user.ok('sendSyncReadStatusMessage', rong.one('bob'), sentTime); },
  'account:conversation "single:bob":mark_read()'],
  ['conversation read, a group', SEND, async (user, bob) => { const { sentTime } = await rong.say(bob, rong.group('lobby'), 'x');
    await user.ok('sendSyncReadStatusMessage', rong.group('lobby'), sentTime); },
  'account:conversation "group:lobby":mark_read()'],
];

/** Navigation, the WebSocket's address and what is asked at once, each by a client that was not there before. */
async function greetings(ready, config) {
  const both = [];
  for (const begin of [
    async () => { const user = await rong.login(ready, ME); await user.hears('CONVERSATIONS_SETTINGS_SYNCED'); await user.close(); },
    () => run(config, 'account:on("connected", function() account:off() end)')]) {
    await wire.reset(ready);
    await begin();
    both.push({ requests: await wire.requests(ready), opened: await wire.opened(ready), frames: await wire.frames(ready, ME) });
  }
  const [theirs, ours] = both;
  const flat = ({ method, path, query, body, content_type, rc_appkey, rc_negotiate }) =>
    ({ method, path, query, body, content_type, rc_appkey, rc_negotiate });
  tap.equal(flat(ours.requests[0]), flat(theirs.requests[0]), 'navigation: the same request');
  const parameters = query => [...new URLSearchParams(query)].filter(([name]) => !excused('websocket', 'websocket', name));
  tap.equal(parameters(ours.opened[0].query), parameters(theirs.opened[0].query), "the WebSocket's address: the same parameters");
  for (const topic of ['pullMsg', 'pullSeAtts']) {
    const [a, b] = [theirs, ours].map(side => side.frames.find(frame => frame.topic === topic));
    if (tap.ok(a && b, `${topic}: both ask at once`)) tap.equal(comparable(topic, b), comparable(topic, a), `${topic}: the same frame`);
  }
}

/** What only some apps have: the settings of navigation, and what is done there. */
const inGroup = (user, options) => rong.say(user, rong.group('lobby'), 'x', options);
const THEIRS = 'for message in account:conversation "group:lobby":history { limit = 5 } do if message.from == "bob" then';
const MINE = 'for message in account:conversation "group:lobby":history { limit = 5 } do if message.from == "agent" then';
const sendFile = user => user.ok('sendFileMessage', rong.one('bob'), { file: { $file: { name: 'd.pdf', type: 'application/pdf', bytes: 'JVBERg==' } } });
const SPECIAL = [
  ['', [
    ['receipt v1', SEND, async (user, bob) => { const { messageUId } = await inGroup(bob);
      await user.ok('sendReadReceiptResponseV2', 'lobby', { bob: [messageUId] }); }, `${THEIRS} message:mark_read() break end end`],
    ['upload', /^qnTkn$/, sendFile, 'account:conversation "single:bob":send_file "d.pdf"'],
    ['where it is', /^qnUrl$/, sendFile, 'account:conversation "single:bob":send_file "d.pdf"']]],
  ['grpRRVer=1', [
    ['receipt v2', /^rrMsg$/, async (user, bob) => { const { messageUId } = await inGroup(bob);
      await user.ok('sendReadReceiptResponseV2', 'lobby', { bob: [messageUId] }); }, `${THEIRS} message:mark_read() break end end`],
    ['readers v2', /^rrList$/, async (user, bob) => { const { messageUId } = await inGroup(user); await user.ok('getMessageReader', 'lobby', messageUId); },
      `${MINE} for _ in message:readers() do end break end end`]]],
  ['grpRRVer=3', [
    ['receipt v4', /^sendMsgRead$/, async (user, bob) => { const { messageUId } = await inGroup(bob);
      await user.ok('sendReadReceiptMessageV4', rong.group('lobby'), messageUId); }, `${THEIRS} message:mark_read() break end end`],
    ['receipt v4 to one', /^sendMsgRead$/, async (user, bob) => { const { messageUId } = await rong.say(bob, rong.one(ME), 'x');
      await user.ok('sendReadReceiptMessageV4', rong.one('bob'), messageUId); },
    'for message in account:conversation "single:bob":history { limit = 1 } do message:mark_read() end'],
    ['readers v4', /^qryMsgRead$/, async (user, bob) => { const { messageUId } = await inGroup(user);
      await user.ok('getMessageReadReceiptV4', rong.group('lobby'), messageUId); }, `${MINE} for _ in message:readers() do end break end end`]]],
  ['grpRRVer=4', [
    ['asks for receipts', SEND, user => inGroup(user, { needReceipt: true }),
      'account:conversation "group:lobby":send { text = "x", receipts = true }'],
    ['receipt v5', /^readReceipt$/, async (user, bob) => { const { messageUId } = await inGroup(bob, { needReceipt: true });
      await user.ok('sendReadReceiptResponseV5', rong.group('lobby'), [messageUId]); }, `${THEIRS} message:mark_read() break end end`],
    ['readers v5', /^qryReceipt$/, async (user, bob) => { const { messageUId } = await inGroup(user, { needReceipt: true });
      await user.ok('getMessagesReadReceiptUsersByPageV5', rong.group('lobby'), messageUId, { pageToken: '', pageCount: 100, readStatus: 0, order: 0 }); },
    `${MINE} for _ in message:readers() do end break end end`]]],
  ['sesDriven=1', [
    ['conversation read, driven', /^updRTime$/, async (user, bob) => { const { sentTime } = await inGroup(bob);
      await user.ok('sendSyncReadStatusMessage', rong.group('lobby'), sentTime); }, 'account:conversation "group:lobby":mark_read()']]],
  ['serverSaveUnread=1', [
    ['conversation read, kept', SEND, async (user, bob) => { await inGroup(bob); await user.ok('markRemoteConversationAsRead', rong.group('lobby')); },
      'account:conversation "group:lobby":mark_read()'],
    ['unread counts', /^pullSe$/, async (user, bob, ready) => { const page = await rong.login(ready, ME); await page.close(); },
      'for _ in account:conversations() do end']]],
  ['ugMsg=1', [
    ['conversation read, ultra', /^updUgRTime$/, user => user.ok('clearMessagesUnreadStatus', rong.ultra('planet')),
      'account:conversation "ultra:planet/RCDefault":mark_read()']]],
];
async function specials() {
  fs.writeFileSync(path.join(moontide.scratch, 'd.pdf'), Buffer.from('JVBERg==', 'base64'));
  for (const [text, list] of SPECIAL) {
    const sandbox = await moontide.sandbox('--faults', 'log=on', ...(text ? ['--rongcloud', text] : []));
    const { ready } = sandbox;
    const [bob, user] = [await rong.login(ready, 'bob'), await rong.login(ready, ME)];
    for (const one of [user, bob]) await rong.say(one, rong.group('lobby'), 'I am here');
    if (text === 'ugMsg=1') for (const one of [user, bob]) await rong.say(one, rong.ultra('planet'), 'I am here');
    for (const one of list) await compare({ ready, config: moontide.rongConfig(ready, ME), user, bob }, one);
    for (const one of [user, bob]) await one.close();
    await sandbox.stop();
  }
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--faults', 'log=on', '--rongcloud', 'ugMsg=1');
  const { ready } = sandbox;
  const config = moontide.rongConfig(ready, ME);
  await greetings(ready, config);
  const bob = await rong.login(ready, 'bob');
  const user = await rong.login(ready, ME, { types: TYPES });
  await user.hears('ULTRA_GROUP_ENABLE');
  for (const one of [user, bob]) for (const [, to] of PLACES.slice(1)) await rong.say(one, to, 'I am here');
  const world = { ready, config, user, bob };
  for (const one of [...sends, ...options, ...lists, ...acts, ...reads]) await compare(world, one);
  await specials();
  const stale = differences.filter(item => !used.has(item)).map(item => `${item.rong} ${item.field}`);
  tap.ok(!stale.length, 'every documented difference occurs', stale.join('\n'));
  for (const one of [user, bob]) await one.close();
  await sandbox.stop();
});
