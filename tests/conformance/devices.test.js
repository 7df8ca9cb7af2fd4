'use strict';
// SDK 4.21.1 and moontide as two devices of one user, and a peer: whatever one of them does reaches the other as the
// right event, and the one that did it hears nothing. After each step the unread counts of every list of both agree with
// a model.
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const peers = require('./peers.js');
const moontide = require('./moontide.js');

const ME = 'dora';
const PEER = 'pat';

const text = (chatType, to, msg) => ({ type: 'txt', chatType, to, msg });
const name = (kind, id) => `${kind}:${id}`;

/** What stands in both forms of a conversation: single and group. */
const chats = group => [
  { to: name('single', PEER), id: PEER, chatType: 'singleChat', theirs: ME },
  { to: name('group', group), id: group, chatType: 'groupChat', theirs: group },
];

/** A time that is over: the next millisecond after what has happened. */
function past() {
  const now = Date.now();
  let next = now;
  while (next <= now) next = Date.now();
  return next;
}

/** Three messages of the peer, told to both devices. */
async function fill(world, chat) {
  const ids = [];
  for (const msg of ['one', 'two', 'three']) {
    const id = await sdk.send(world.peer.connection, text(chat.chatType, chat.theirs, msg));
    ids.push(id);
    await world.bot.seen.take(one => one.event === 'message' && one.message.id === id, `${id} at moontide`);
    await world.me.seen.take(one => one.name === 'onTextMessage' && one.event.id === id, `${id} at the SDK`);
  }
  return ids;
}

/** The SDK hears onMultiDeviceEvent of that operation. */
async function multi(world, operation, chat) {
  const { event } = await world.me.seen.take(
    one => one.name === 'onMultiDeviceEvent' && one.event.operation === operation, operation);
  tap.equal([event.conversationId, event.conversationType || event.chatType], [chat.id, chat.chatType],
    `moontide does, the SDK hears ${operation}: ${chat.chatType}`);
  return event;
}

async function moontideDoes(world, chat) {
  const { bot, me } = world;
  const ids = await fill(world, chat);
  await bot.ask('pin', chat.to, { on: true });
  await multi(world, 'pinnedConversation', chat);
  await bot.ask('pin', chat.to, { on: false });
  await multi(world, 'unpinnedConversation', chat);
  await bot.ask('mark', chat.to, { mark: 7, on: true });
  tap.equal((await multi(world, 'markConversation', chat)).conversationMark, 7, `the mark: ${chat.chatType}`);
  await bot.ask('mark', chat.to, { mark: 7, on: false });
  await multi(world, 'unMarkConversation', chat);
  await bot.ask('conversation_read', chat.to);
  const read = await me.seen.take(one => one.name === 'onChannelMessage', 'onChannelMessage');
  tap.equal([read.event.from, read.event.to], [ME, chat.id], `moontide reads the conversation, the SDK hears: ${chat.chatType}`);

  const { id } = await bot.ask('send', chat.to, { send: { text: 'from the other device' } });
  const heard = await me.seen.take(one => one.name === 'onTextMessage' && one.event.id === id, id);
  tap.equal([heard.event.from, heard.event.to, heard.event.msg], [ME, chat.id, 'from the other device'],
    `moontide sends, the SDK hears: ${chat.chatType}`);
  await bot.ask('edit', chat.to, { id, edit: 'better' });
  const edited = await me.seen.take(one => one.name === 'onModifiedMessage', 'onModifiedMessage');
  tap.equal([edited.event.id, edited.event.from, edited.event.msg], [id, ME, 'better'], `moontide edits, the SDK hears: ${chat.chatType}`);
  await bot.ask('recall', chat.to, { id, info: 'why' });
  const recalled = await me.seen.take(one => one.name === 'onRecallMessage', 'onRecallMessage');
  tap.equal([recalled.event.mid, recalled.event.from, recalled.event.ext], [id, ME, 'why'], `moontide recalls, the SDK hears: ${chat.chatType}`);

  const shown = async () => (await me.connection.getHistoryMessages({ targetId: chat.id, chatType: chat.chatType, pageSize: 50,
    cursor: -1, searchDirection: 'down' })).messages.map(message => message.msg).slice(-3);
  await bot.ask('delete_messages', chat.to, { which: { ids: [ids[1]] } });
  await multi(world, 'deleteRoaming', chat);
  tap.equal((await shown()).slice(-2), ['one', 'three'], `what moontide deleted by id is gone from the SDK's history: ${chat.chatType}`);
  await bot.ask('delete_messages', chat.to, { which: { before: past() } });
  await multi(world, 'deleteRoaming', chat);
  tap.equal(await shown(), [], `what moontide deleted by time is gone from the SDK's history: ${chat.chatType}`);
  for (const history of [false, true]) {
    await fill(world, chat);
    await bot.ask('delete', chat.to, { history });
    await multi(world, 'deleteConversation', chat);
    tap.equal((await shown()).length, history ? 0 : 3, `with${history ? '' : 'out'} its history: ${chat.chatType}`);
  }
}

/** moontide hears that event of the conversation. */
async function told(world, event, chat, what, fits = () => true) {
  const one = await world.bot.seen.take(item => item.event === event && fits(item), `${event} for ${what}`);
  tap.equal(one.rest.conversation, chat.to, `the SDK does, moontide hears ${event}: ${what}, ${chat.chatType}`);
  return one;
}

async function sdkDoes(world, chat) {
  const { bot, me: { connection } } = world;
  const ids = await fill(world, chat);
  const where = { conversationId: chat.id, conversationType: chat.chatType };
  const marks = { conversations: [where], mark: 9 };
  const shown = async () => (await bot.ask('history', chat.to)).map(line => JSON.parse(line).text).slice(-3);
  for (const [change, act] of [
    ['pinned', () => connection.pinConversation({ ...where, isPinned: true })],
    ['unpinned', () => connection.pinConversation({ ...where, isPinned: false })],
    ['marked', () => connection.addConversationMark(marks)],
    ['unmarked', () => connection.removeConversationMark(marks)],
  ]) {
    await act();
    const { rest } = await told(world, 'conversation', chat, change);
    tap.equal([rest.data.change, rest.data.mark], [change, change.endsWith('marked') ? 'mark_9' : rest.data.mark],
      `the change: ${change}, ${chat.chatType}`);
  }
  await sdk.send(connection, { type: 'channel', chatType: chat.chatType, to: chat.id });
  const read = await told(world, 'unread', chat, 'conversation read');
  tap.equal(read.message.from, ME, `read by oneself: ${chat.chatType}`);

  const id = await sdk.send(connection, text(chat.chatType, chat.id, 'from the other device'));
  const heard = await told(world, 'message', chat, 'send', one => one.message.id === id);
  tap.equal([heard.message.from, heard.message.direction, heard.message.text], [ME, 'sent', 'from the other device'],
    `an own message of another device: ${chat.chatType}`);
  await connection.modifyMessage({ messageId: id, modifiedMessage: sdk.message4.create(text(chat.chatType, chat.id, 'better')) });
  const edited = await told(world, 'edited', chat, 'edit');
  tap.equal([edited.rest.target, edited.message.from, edited.message.text], [id, ME, 'better'], `the edit: ${chat.chatType}`);
  await connection.recallMessage({ mid: id, to: chat.id, chatType: chat.chatType });
  const recalled = await told(world, 'recalled', chat, 'recall');
  tap.equal([recalled.rest.target, recalled.message.from], [id, ME], `the recall: ${chat.chatType}`);

  await connection.removeHistoryMessages({ targetId: chat.id, chatType: chat.chatType, messageIds: [ids[1]] });
  const deleted = await told(world, 'messages_deleted', chat, 'by id');
  tap.equal(deleted.rest.data.msgIdList, [ids[1]], `which were deleted: ${chat.chatType}`);
  tap.equal(await shown(), ['one', 'three'], `they are gone from moontide's history: ${chat.chatType}`);
  const until = past();
  await connection.removeHistoryMessages({ targetId: chat.id, chatType: chat.chatType, beforeTimeStamp: until });
  const cut = await told(world, 'messages_deleted', chat, 'by time');
  tap.equal([cut.rest.data.deleteTime, await shown()], [until, []], `up to when: ${chat.chatType}`);
  for (const history of [false, true]) {
    await fill(world, chat);
    await connection.deleteConversation({ channel: chat.id, chatType: chat.chatType, deleteRoam: history });
    await told(world, 'conversation_deleted', chat, `with${history ? '' : 'out'} its history`);
    tap.equal((await shown()).length, history ? 0 : 3, `what is left: ${chat.chatType}`);
  }
}

/** The lists of what is pinned, and of what has a mark, set by one and read by both. */
async function filters(world, [single, group]) {
  const { bot, me: { connection } } = world;
  for (const chat of [single, group]) await fill(world, chat);
  await bot.ask('pin', single.to, { on: true });
  await connection.addConversationMark({ conversations: [{ conversationId: group.id, conversationType: 'groupChat' }], mark: 5 });
  const theirs = answer => answer.data.conversations.map(one => [one.conversationId, one.isPinned, one.marks || [], one.unReadCount]);
  const pinned = theirs(await connection.getServerPinnedConversations({ pageSize: 50, cursor: '' }));
  const marked = theirs(await connection.getServerConversationsByFilter({ pageSize: 10, cursor: '', filter: { mark: 5 } }));
  const ours = async what => (await bot.ask('list', undefined, what)).map(one => [one.id.replace(/^.*:/, ''), one.pinned, one.marks, one.unread]);
  tap.equal([await ours({ pinned: true }), pinned.length], [pinned, 1], 'the pinned conversations are the same for both');
  tap.equal([await ours({ mark: 5 }), marked.length], [marked, 1], 'those with a mark are the same for both');
}

async function everything(world, both) {
  for (const chat of both) await fill(world, chat);
  await world.me.connection.deleteAllMessagesAndConversations();
  for (const chat of both) {
    await told(world, 'conversation_deleted', chat, 'everything', one => one.rest.conversation === chat.to);
  }
  for (const chat of both) await fill(world, chat);
  await world.bot.ask('delete_everything');
  for (const chat of both) {
    await world.me.seen.take(one => one.name === 'onMultiDeviceEvent' && one.event.operation === 'deleteConversation' &&
      one.event.conversationId === chat.id, `deleteConversation ${chat.id}`);
  }
  tap.ok(true, 'deleting everything reaches the other device, both ways');
}

/** A message that the peer pins is told to everybody in the conversation, on all devices. */
async function pins({ bot, me, peer: { connection } }, { to, id, chatType, theirs }) {
  const message = await sdk.send(connection, text(chatType, theirs, 'to be pinned'));
  await bot.seen.take(one => one.event === 'message' && one.message.id === message, message);
  await me.seen.take(one => one.name === 'onTextMessage' && one.event.id === message, message);
  for (const [act, operation, change] of [['pinMessage', 'pin', 'pinned'], ['unpinMessage', 'unpin', 'unpinned']]) {
    await connection[act]({ conversationId: theirs, conversationType: chatType, messageId: message });
    const { event } = await me.seen.take(one => one.name === 'onMessagePinEvent', 'onMessagePinEvent');
    tap.equal([event.operation, event.conversationId, event.messageId, event.operatorId], [operation, id, message, PEER],
      `the peer's ${act}, the SDK hears: ${chatType}`);
    const { rest } = await bot.seen.take(one => one.event === 'message_pinned', 'message_pinned');
    tap.equal([rest.data.change, rest.conversation, rest.data.id, rest.data.by], [change, to, message, PEER],
      `the peer's ${act}, moontide hears: ${chatType}`);
  }
}

function silent(world, who) {
  const left = [...world.bot.seen.items, ...world.me.seen.items].filter(one => one.event !== 'connected');
  tap.equal(left, [], `nobody hears of what he did himself, and nothing twice: ${who}`);
}

// ---------------------------------------------------------------- unread counts

const bare = id => id.replace(/^[^_]*_/, '').replace(/@easemob\.com$/, '').replace(/@conference.*/, '');

/** Every list of both as {conversation: unread}, without the director. */
async function lists(world) {
  const { connection } = world.me;
  const keep = pairs => Object.fromEntries(pairs.filter(([id]) => !id.includes(peers.DIRECTOR)).sort());
  const kind = (id, group) => name(group ? 'group' : 'single', id);
  const old = data => keep(data.channel_infos.map(
    info => [kind(bare(info.channel_id), info.channel_id.includes('@conference')), info.unread_num]));
  const server = await connection.getServerConversations({ pageSize: 50, cursor: '' });
  const result = {
    getServerConversations: keep(server.data.conversations.map(
      one => [kind(one.conversationId, one.conversationType === 'groupChat'), one.unReadCount])),
    getConversationlist: old((await connection.getConversationlist()).data),
    'getConversationlist paged': old((await connection.getConversationlist({ pageNum: 1, pageSize: 20 })).data),
    getSessionList: old((await connection.getSessionList()).data),
  };
  for (const form of ['list', 'page', 'old', undefined]) {
    const list = await world.bot.ask('list', undefined, { form });
    result[`conversations { form = ${form || 'default'} }`] = keep(list.map(one => [one.id, one.unread]));
  }
  return result;
}

/** What the lists should say: the messages that each conversation shows, and which of them are unread. */
class Model {
  constructor() { this.conversations = new Map(); }
  get(id) {
    if (!this.conversations.has(id)) this.conversations.set(id, { shown: [], unread: 0, listed: false });
    return this.conversations.get(id);
  }
  came(id, message, own = false) {
    const one = this.get(id);
    one.shown.push(message);
    one.listed = true;
    if (!own) one.unread += 1;
  }
  read(id) { this.get(id).unread = 0; }
  recalled(id, message, unread) {
    const one = this.get(id);
    one.shown = one.shown.filter(item => item !== message);
    if (unread) one.unread -= 1;
  }
  deleted(id, messages) { // what was deleted counts as unread until the conversation is read, or is empty
    const one = this.get(id);
    one.shown = one.shown.filter(item => !messages.includes(item));
    if (!one.shown.length) this.gone(id);
  }
  gone(id) { this.conversations.delete(id); }
  view() {
    return Object.fromEntries([...this.conversations].filter(([, one]) => one.listed && one.shown.length)
      .map(([id, one]) => [id, one.unread]).sort());
  }
}

async function unread(world, group) {
  const model = new Model();
  const { bot, me: { connection }, peer, second } = world;
  const [single, room] = chats(group);
  const other = { to: name('single', 'quinn'), id: 'quinn', chatType: 'singleChat', theirs: ME };
  const sent = new Map([[single, []], [room, []], [other, []]]);
  const from = (who, chat) => async msg => {
    const id = await sdk.send(who.connection, text(chat.chatType, chat.theirs, msg));
    sent.get(chat).push(id);
    model.came(chat.to, id);
  };
  const times = async (n, act) => { for (let i = 0; i < n; i++) await act(`m${i}`); };
  const steps = [
    ['the peer sends 3', () => times(3, from(peer, single))],
    ['a group member sends 2', () => times(2, from(peer, room))],
    ['another peer sends 1', () => times(1, from(second, other))],
    ['a command does not count', () => sdk.send(peer.connection, { type: 'cmd', chatType: 'singleChat', to: ME, action: 'typing' })],
    ['an own message does not count', async () => {
      model.came(single.to, (await bot.ask('send', single.to, { send: { text: 'mine' } })).id, true);
    }],
    ['an own message of the other device neither', async () => {
      model.came(room.to, await sdk.send(connection, text('groupChat', group, 'mine too')), true);
    }],
    ['an edit does not count', async () => {
      await peer.connection.modifyMessage({ messageId: sent.get(single)[0],
        modifiedMessage: sdk.message4.create(text('singleChat', ME, 'edited')) });
    }],
    ['the recall of an unread message takes one', async () => {
      const id = sent.get(single)[1];
      await peer.connection.recallMessage({ mid: id, to: ME, chatType: 'singleChat' });
      model.recalled(single.to, id, true);
    }],
    ['history read by moontide changes nothing', () => bot.ask('history', single.to)],
    ['history read by the SDK changes nothing', () => connection.getHistoryMessages(
      { targetId: group, chatType: 'groupChat', pageSize: 20, cursor: -1 })],
    ['a message marked as read changes nothing', () => bot.ask('mark_read', single.to, { id: sent.get(single)[0] })],
    ['moontide reads the single chat', async () => { await bot.ask('conversation_read', single.to); model.read(single.to); }],
    ['the SDK reads the group', async () => {
      await sdk.send(connection, { type: 'channel', chatType: 'groupChat', to: group });
      model.read(room.to);
    }],
    ['the recall of a read message changes nothing', async () => {
      const id = sent.get(single)[2];
      await peer.connection.recallMessage({ mid: id, to: ME, chatType: 'singleChat' });
      model.recalled(single.to, id, false);
    }],
    ['more come to all', async () => { await times(4, from(peer, single)); await times(3, from(peer, room)); await times(2, from(second, other)); }],
    ['a pin changes nothing', () => bot.ask('pin', single.to, { on: true })],
    ['a mark changes nothing', () => bot.ask('mark', room.to, { mark: 3, on: true })],
    ['moontide deletes an unread message', async () => {
      const id = sent.get(single).at(-1);
      await bot.ask('delete_messages', single.to, { which: { ids: [id] } });
      model.deleted(single.to, [id]);
    }],
    ['the SDK deletes an unread message', async () => {
      const id = sent.get(room).at(-1);
      await connection.removeHistoryMessages({ targetId: group, chatType: 'groupChat', messageIds: [id] });
      model.deleted(room.to, [id]);
    }],
    ['moontide reads the group', async () => { await bot.ask('conversation_read', room.to); model.read(room.to); }],
    ['the SDK reads the single chat', async () => {
      await sdk.send(connection, { type: 'channel', chatType: 'singleChat', to: PEER });
      model.read(single.to);
    }],
    ['moontide deletes all of the other chat, by time', async () => {
      await bot.ask('delete_messages', other.to, { which: { before: past() } });
      model.gone(other.to);
    }],
    ['a new message brings it back', () => times(1, from(second, other))],
    ['the SDK takes the group off the list', async () => {
      await connection.deleteConversation({ channel: group, chatType: 'groupChat', deleteRoam: false });
      model.gone(room.to);
    }],
    ['a new message brings the group back', async () => { await times(2, from(peer, room)); }],
    ['moontide deletes everything', async () => {
      await bot.ask('delete_everything');
      for (const chat of sent.keys()) model.gone(chat.to);
    }],
    ['and new messages count from 0', async () => { await times(1, from(peer, single)); await times(2, from(peer, room)); }],
  ];
  for (const [what, act] of steps) {
    await act();
    const want = JSON.stringify(model.view());
    const found = Object.entries(await lists(world)).filter(([, got]) => JSON.stringify(got) !== want)
      .map(([list, got]) => `${list}: ${JSON.stringify(got)}`);
    tap.ok(!found.length, `unread counts agree: ${what}`, [...found, `the model: ${want}`].join('\n'));
  }
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--faults', 'user_channel=0');
  const { ready } = sandbox;
  const world = { peer: await peers.user(ready, PEER), me: await peers.user(ready, ME), second: await peers.user(ready, 'quinn') };
  const made = await world.peer.connection.createGroup({ data: { groupname: 'devices', desc: '', members: [ME], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;
  world.bot = await peers.bot(ready, ME);
  world.me.seen.clear();
  for (const chat of chats(group)) await moontideDoes(world, chat);
  silent(world, 'moontide');
  for (const chat of chats(group)) await sdkDoes(world, chat);
  silent(world, 'the SDK');
  for (const chat of chats(group)) await pins(world, chat);
  await filters(world, chats(group));
  await everything(world, chats(group));
  await unread(world, group);
  tap.equal(await world.bot.stop(), 0, 'the script ends well');
  if (world.bot.errors.length) tap.note(world.bot.errors.join(''));
  for (const one of [world.peer, world.me, world.second]) one.connection.close();
  await sandbox.stop();
});
