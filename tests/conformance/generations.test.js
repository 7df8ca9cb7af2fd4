'use strict';
// Every generation of the official SDK as the peer of a script on one sandbox: each sends every kind that it has, the
// other receives it equal, in a single chat, a group and a chat room; receipts, recall, edits, conversation acks and
// readers both ways; both see the same history; what the SDK deletes reaches moontide as another device of its user.
const tap = require('./tap.js');
const peers = require('./peers.js');
const generation = require('./generation.js');
const moontide = require('./moontide.js');
const { EXT, sendAll, wrong } = require('./kinds.js');

const BOT = 'agent';
const VERSIONS = ['3.6.3', '4.0.8', '4.1.2', 'agora-chat 1.4.0', '4.21.1'];
const OLD_NAMES = { onImageMessage: 'onPictureMessage' };
const OLD_CHATS = { singleChat: 'chat', groupChat: 'groupchat', chatRoom: 'chatroom' };
const ROOM = '293734273351681';

const oldest = user => user.version === '3.6.3';
const edits = user => !['3.6.3', '4.0.8', '4.1.2'].includes(user.version); // also: combine, recall with a reason

const FAR = { remote_path: 'https://example.com/o/a/chatfiles/1', secret: 's' };
// conversation:send's argument, the SDK's event, its members; and what an SDK does not show, by version
const OUTGOING = [
  [{ kind: 'text', text: '你好 😀 "x"', ext: EXT }, 'onTextMessage', { msg: '你好 😀 "x"', ext: EXT }],
  [{ kind: 'text', text: '' }, 'onTextMessage', { msg: '', ext: {} }],
  [{ kind: 'command', body: { action: 'typing' }, ext: { a: 1 } }, 'onCmdMessage', { action: 'typing', ext: { a: 1 } }],
  [{ kind: 'custom', body: { event: 'gift', fields: { name: 'rose', price: '2' } } }, 'onCustomMessage',
    { customEvent: 'gift', customExts: { name: 'rose', price: '2' } }],
  [{ kind: 'location', body: { latitude: 39.5, longitude: 116.25, address: '北京', building: 'B' } }, 'onLocationMessage',
    { lat: 39.5, lng: 116.25, addr: '北京', buildingName: 'B' }, { '3.6.3': 'buildingName' }],
  [{ kind: 'image', body: { ...FAR, filename: 'p.png', size_bytes: 9, width: 3, height: 4 } }, 'onImageMessage',
    { width: 3, height: 4, secret: 's', file_length: 9 }, { '4.0.8': 'file_length' }],
  [{ kind: 'voice', body: { ...FAR, filename: 'v.amr', duration_s: 7 } }, 'onAudioMessage',
    { length: 7, secret: 's', filename: 'v.amr' }],
  [{ kind: 'video', body: { ...FAR, filename: 'v.mp4', duration_s: 9 } }, 'onVideoMessage',
    { length: 9, secret: 's', filename: 'v.mp4' }],
  [{ kind: 'file', body: { ...FAR, filename: 'd.pdf', size_bytes: 5 } }, 'onFileMessage',
    { secret: 's', filename: 'd.pdf', file_length: 5 }],
  [{ kind: 'combine', text: 'old', body: { ...FAR, title: 'T', summary: 'S', level: 1, filename: 'c' } }, 'onCombineMessage',
    { compatibleText: 'old', title: 'T', summary: 'S', combineLevel: 1 }],
];

const sorted = value => JSON.stringify(value, (key, v) => (v && typeof v === 'object' && !Array.isArray(v)
  ? Object.fromEntries(Object.entries(v).sort()) : v));

/** The two views of one conversation: to as moontide names it, chatType and id as the SDK does. */
const chat = (kind, chatType, id, bot = id, user = id) => ({ to: `${kind}:${bot}`, chatType, id: user });

async function receives({ bot, user }, { chatType, id }) {
  const sent = await sendAll(user, chatType, id);
  const found = [];
  for (const item of sent) {
    const { message } = await bot.seen.take(one => one.event === 'message' && one.message.id === item.id, item.id);
    const text = wrong(message, item, user.user);
    if (text) found.push(`${item.want.kind}: ${text}`);
  }
  tap.ok(!found.length, `${user.version} sends ${sent.length} kinds, the script hears them equal: ${chatType}`, found.join('\n'));
  return sent.map(item => item.id);
}

/** What the user must hear of one of OUTGOING. */
function expected(user, [, name, want, hidden = {}], chatType) {
  const all = { ...want, from: BOT };
  delete all[hidden[user.version]];
  if (name === 'onCombineMessage' && !edits(user)) return ['onTextMessage', expected(user, [, , { msg: want.compatibleText }], chatType)[1]];
  if (!oldest(user)) return [name, { ...all, chatType }];
  if ('msg' in all) { all.sourceMsg = all.msg; delete all.msg; }
  return [OLD_NAMES[name] || name, { ...all, type: OLD_CHATS[chatType] }];
}

async function sends({ bot, user }, { to, chatType }) {
  const ids = [];
  const found = [];
  for (const item of OUTGOING) {
    const { id } = await bot.ask('send', to, { send: item[0] });
    ids.push(id);
    const [name, want] = expected(user, item, chatType);
    const { event } = await user.seen.take(one => one.name === name && one.event.id === id, `${name} ${id}`);
    const got = Object.fromEntries(Object.keys(want).map(key => [key, event[key]]));
    if (sorted(got) !== sorted(want)) found.push(`${item[0].kind}: ${sorted(got)}, sent ${sorted(want)}`);
  }
  tap.ok(!found.length, `the script sends ${ids.length} kinds, ${user.version} hears them equal: ${chatType}`, found.join('\n'));
  return ids;
}

/** The same messages, in the same order, for both. */
async function history({ bot, user }, { to, chatType, id }, name) {
  const ours = (await bot.ask('history', to)).map(line => JSON.parse(line));
  const old = await user.fetchHistoryMessages({ queue: id, isGroup: chatType !== 'singleChat', count: ours.length + 5,
    format: true });
  tap.equal(old.map(message => [message.id, message.from]), ours.map(message => [message.id, message.from]),
    `${user.version}: fetchHistoryMessages shows ${ours.length} messages that the script sees, ${name}: ${chatType}`);
  if (oldest(user)) return;
  const all = [];
  for (let cursor = -1; ;) {
    const page = await user.call('getHistoryMessages', { targetId: id, chatType, pageSize: 20, cursor, searchDirection: 'down' });
    all.push(...page.messages.map(message => message.id));
    if (!page.cursor || page.messages.length < 20) break;
    cursor = page.cursor;
  }
  tap.equal(all, ours.map(message => message.id), `${user.version}: getHistoryMessages shows the same, ${name}: ${chatType}`);
}

async function refers({ bot, user }, { to, chatType, id }) {
  const hears = (name, of) => user.seen.take(one => one.name === name && of(one.event), `${user.version} ${name}`);
  const told = (event, of = () => true) => bot.seen.take(one => one.event === event && of(one), event);
  const ours = (await bot.ask('send', to, { send: { text: 'from the script' } })).id;
  await user.seen.take(one => one.name === 'onTextMessage' && one.event.id === ours, ours);
  const theirs = await user.send({ type: 'txt', chatType, to: id, msg: 'from the SDK' });
  await told('message', one => one.message.id === theirs);

  await bot.ask('edit', to, { id: ours, edit: 'better' });
  if (edits(user)) {
    const { event } = await hears('onModifiedMessage', one => one.id === ours);
    tap.equal([event.msg, event.from], ['better', BOT], `the script edits, ${user.version} hears: ${chatType}`);
    await user.edit(theirs, { type: 'txt', chatType, to: id, msg: 'better too' });
    const edited = await told('edited', one => one.rest.target === theirs);
    tap.equal([edited.message.text, edited.message.from], ['better too', user.user], `${user.version} edits, the script hears: ${chatType}`);
  }
  await bot.ask('recall', to, { id: ours, info: 'why' });
  const { event } = await hears('onRecallMessage', one => one.mid === ours);
  tap.equal([event.from, event.ext], [BOT, edits(user) ? 'why' : undefined], `the script recalls, ${user.version} hears: ${chatType}`);
  await user.recall({ mid: theirs, to: id, chatType });
  const recalled = await told('recalled', one => one.rest.target === theirs);
  tap.equal([recalled.message.from, recalled.rest.conversation], [user.user, to], `${user.version} recalls, the script hears: ${chatType}`);
}

async function receipts({ bot, user }, { to, id }, theirs, ours) {
  const hears = (name, of) => user.seen.take(one => one.name === name && of(one.event), `${user.version} ${name}`);
  const told = (event, of = () => true) => bot.seen.take(one => one.event === event && of(one), event);
  await hears('onDeliveredMessage', event => event.mid === theirs);
  tap.ok(true, `the script's device got it, ${user.version} hears`);
  // 3.6.3 has the option and does not act on it; its application says so itself.
  if (oldest(user)) await user.send({ type: 'delivery', to: id, ackId: ours });
  const delivered = await told('delivered', one => one.rest.target === ours);
  tap.equal(delivered.message.from, user.user, `${user.version}'s device got it, the script hears`);
  await bot.ask('mark_read', to, { id: theirs });
  const { event } = await hears('onReadMessage', one => one.mid === theirs);
  tap.equal(event.from, oldest(user) ? undefined : BOT, `the script marks a message as read, ${user.version} hears`);
  await user.send({ type: 'read', chatType: 'singleChat', to: id, id: ours });
  const read = await told('read', one => one.rest.target === ours);
  tap.equal(read.message.from, user.user, `${user.version} marks a message as read, the script hears`);
  await bot.ask('conversation_read', to);
  const channel = await hears('onChannelMessage', one => one.from === BOT);
  tap.equal(channel.event.to, user.user, `the script marks the conversation as read, ${user.version} hears`);
  await user.send({ type: 'channel', chatType: 'singleChat', to: id });
  const unread = await told('unread', one => one.rest.conversation === to);
  tap.equal(unread.message.from, user.user, `${user.version} marks the conversation as read, the script hears`);
}

async function groupReceipts({ bot, user }, { to, id }) {
  const asks = { msgConfig: { allowGroupAck: true } };
  const theirs = await user.send({ type: 'txt', chatType: 'groupChat', to: id, msg: 'read me', ...asks });
  await bot.seen.take(one => one.event === 'message' && one.message.id === theirs, theirs);
  await bot.ask('mark_read', to, { id: theirs, content: 'seen' });
  const { event } = await user.seen.take(one => one.name === 'onReadMessage' && one.event.mid === theirs, 'onReadMessage');
  tap.equal([event.from, event.groupReadCount, event.ackContent],
    [oldest(user) ? undefined : BOT, { [theirs]: 1 }, 'seen'], // 3.6.3 does not say who
    `the script reads a group's message, ${user.version} hears how many have`);
  const readers = await user.call('getGroupMsgReadUser', { msgId: theirs, groupId: id });
  tap.equal(readers.data.userlist, [BOT], `${user.version}: getGroupMsgReadUser names the script's user`);

  const ours = (await bot.ask('send', to, { send: { text: 'read me too', receipts: true } })).id;
  await user.seen.take(one => one.name === 'onTextMessage' && one.event.id === ours, ours);
  // The old manual says: to the sender (seed 004); the new one: to the group.
  await user.send({ type: 'read', chatType: 'groupChat', to: oldest(user) ? BOT : id, id: ours, ackContent: 'seen too', ...asks });
  const read = await bot.seen.take(one => one.event === 'read' && one.rest.target === ours, 'read');
  tap.equal([read.message.from, read.message.body.group_read_count], [user.user, { [ours]: 1 }],
    `${user.version} reads a group's message, the script hears how many have`);
  tap.equal(await bot.ask('readers', to, { id: ours }), [user.user], `message:readers names the user of ${user.version}`);
}

/** What the SDK deletes reaches moontide as another device of the same user, and the peer keeps it. */
async function deletes({ ready, bot, user }, { to, id }) {
  const device = await peers.bot(ready, user.user);
  const mine = `single:${id}`;
  const before = (await device.ask('history', mine)).map(line => JSON.parse(line));
  const kept = (await bot.ask('history', to)).length;
  if (user.version !== '4.0.8') {
    const first = before[0].id;
    await user.call('removeHistoryMessages', { targetId: id, chatType: 'singleChat', messageIds: [first] });
    const one = await device.seen.take(item => item.event === 'messages_deleted', 'messages_deleted');
    tap.equal([one.rest.conversation, one.rest.data.msgIdList], [mine, [first]], `${user.version}: removeHistoryMessages by id reaches the other device`);
    const until = before[3].time;
    await user.call('removeHistoryMessages', { targetId: id, chatType: 'singleChat', beforeTimeStamp: until });
    const cut = await device.seen.take(item => item.event === 'messages_deleted', 'messages_deleted');
    tap.equal(cut.rest.data.deleteTime, until, `${user.version}: removeHistoryMessages by time reaches the other device`);
    const left = (await device.ask('history', mine)).map(line => JSON.parse(line).id);
    tap.equal(left, before.filter(message => message.time > until).map(message => message.id), `${user.version}: they are gone`);
  }
  await user.call('deleteSession', { channel: id, chatType: 'singleChat', deleteRoam: true });
  const gone = await device.seen.take(item => item.event === 'conversation_deleted', 'conversation_deleted');
  tap.equal([gone.rest.conversation, await device.ask('history', mine)], [mine, []], `${user.version}: deleteSession reaches the other device`);
  tap.equal((await bot.ask('history', to)).length, kept, `${user.version}: the peer keeps what it deleted`);
  tap.equal(await device.stop(), 0, `the other device of ${user.version} ends well`);
}

/** What moontide deletes as another device of the SDK's user: later versions hear it, no version is confused by it. */
async function hearsDeletions({ ready, bot, user }, { to, id }) {
  const device = await peers.bot(ready, user.user);
  const mine = `single:${id}`;
  const say = async text => {
    const sent = (await bot.ask('send', to, { send: { text } })).id;
    await user.seen.take(one => one.name === 'onTextMessage' && one.event.id === sent, sent);
    return sent;
  };
  const hears = async operation => {
    const { event } = await user.seen.take(one => one.name === 'onMultiDeviceEvent' && one.event.operation === operation, operation);
    tap.equal([event.conversationId, event.chatType || event.conversationType], [id, 'singleChat'], `moontide deletes, ${user.version} hears ${operation}`);
  };
  const first = await say('one');
  await say('two');
  await device.ask('delete_messages', mine, { which: { ids: [first] } });
  if (!['3.6.3', '4.0.8'].includes(user.version)) await hears('deleteRoaming');
  await device.ask('pin', mine, { on: true });
  await device.ask('delete', mine, { history: true });
  if (edits(user)) await hears('deleteConversation');
  await say('three');
  tap.ok(true, `${user.version} still hears messages after what it does not know`);
  tap.equal(await device.stop(), 0, `the other device of ${user.version} ends well, again`);
}

async function sessions({ user }) {
  const list = await user.call('getSessionList');
  const own = list.data.channel_infos.map(info => info.channel_id.replace(/^[^_]*_/, ''));
  tap.ok(own.includes(`${BOT}@easemob.com`), `${user.version}: getSessionList has the chat with the script`, own.join(' '));
}

async function version(world, group) {
  const { bot, user } = world;
  const single = chat('single', 'singleChat', BOT, user.user, BOT);
  const theirs = await receives(world, single);
  const ours = await sends(world, single);
  await receipts(world, single, theirs[0], ours[0]);
  await refers(world, single);
  await history(world, single, 'recalled ones left out');
  await sessions(world);

  const inGroup = chat('group', 'groupChat', group);
  await receives(world, inGroup);
  await sends(world, inGroup);
  await groupReceipts(world, inGroup);
  await refers(world, inGroup);

  const room = chat('room', 'chatRoom', ROOM);
  await user.joinChatRoom(ROOM);
  await bot.ask('join', room.to);
  await receives(world, room);
  await sends(world, room);
  await refers(world, room);
  await history(world, room, 'of a room');
  if (!oldest(user)) await deletes(world, single);
  await hearsDeletions(world, single);
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  const bot = await peers.bot(ready, BOT, { extra: 'delivery_receipts = true' });
  const founder = await generation.login('4.21.1', ready, 'founder');
  const users = await Promise.all(VERSIONS.map((version, i) => generation.login(version, ready, `user-${i}`, { options: { delivery: true } })));
  const made = await founder.call('createGroup', { data: { groupname: 'generations', desc: '', public: true, approval: false,
    allowinvites: true, members: [BOT, ...users.map(user => user.user)] } });
  for (const user of users) await version({ ready, bot, user }, made.data.groupid);
  await history({ bot, user: users[0] }, chat('group', 'groupChat', made.data.groupid), 'of all generations');
  await history({ bot, user: users[4] }, chat('group', 'groupChat', made.data.groupid), 'of all generations');
  tap.equal(await bot.stop(), 0, 'the script ends when it has no hook left');
  if (bot.errors.length) tap.note(bot.errors.join(''));
  for (const user of [founder, ...users]) await user.close();
  await sandbox.stop();
});
