'use strict';
// A live account and the official SDK as peers on one sandbox: each sends every kind, the other receives it equal;
// receipts, recall, edits and conversation acks both ways.
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const moontide = require('./moontide.js');
const { EXT, KINDS, send4, wrong } = require('./kinds.js');

const BOT = 'agent';
const PEER = 'carol';

// What the peer tells it to do comes as a command message whose action is JSON.
const SCRIPT = `
local moontide = require "moontide"
local account = moontide.account "it"
local mine = {}
local function say(name, event)
  print(('{"event":"%s","message":%s,"rest":%s}'):format(name, event.message and event.message:json() or "null",
    moontide.json.encode {
      conversation = event.conversation and event.conversation.id, data = event.data,
      target = event.message and event.message.target,
    }))
end
local doing = {}
function doing.send(order, conversation)
  local sent = conversation:send { kind = order.kind, text = order.text, body = order.body, ext = order.ext }
  mine[#mine + 1] = sent.id
  print(moontide.json.encode { event = "sent", id = sent.id })
end
function doing.mark_read(order, conversation)
  for message in conversation:history { limit = 100 } do
    if message.id == order.id then message:mark_read() end
  end
end
function doing.conversation_read(order, conversation) conversation:mark_read() end
function doing.recall(order, conversation)
  for message in conversation:history { limit = 100 } do if message.id == order.id then message:recall "why" end end
end
function doing.edit(order, conversation)
  for message in conversation:history { limit = 100 } do if message.id == order.id then message:edit(order.text) end end
end
function doing.stop() account:off() end
for _, name in ipairs { "connected", "edited", "recalled", "read", "delivered", "unread", "messages_deleted",
  "conversation_deleted", "conversation", "kicked" } do
  account:on(name, function(_, event) say(name, event or _) end)
end
account:on("message", function(message, event)
  if message.kind ~= "command" or message.body.action:sub(1, 1) ~= "{" then return say("message", event) end
  local order = moontide.json.decode(message.body.action)
  doing[order.act](order, event.conversation)
end)
`;

/** A queue of things that arrive, to be waited for. */
class Arrivals {
  constructor() { this.items = []; this.waiting = []; }
  push(item) {
    const at = this.waiting.findIndex(waiter => waiter.wants(item));
    if (at < 0) this.items.push(item);
    else this.waiting.splice(at, 1)[0].resolve(item);
  }
  take(wants, what) {
    const at = this.items.findIndex(wants);
    if (at >= 0) return Promise.resolve(this.items.splice(at, 1)[0]);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`did not come within 20 s: ${what}`)), 20000);
      this.waiting.push({ wants, resolve: item => { clearTimeout(timer); resolve(item); } });
    });
  }
}

function startBot(ready) {
  const file = path.join(moontide.scratch, 'live.lua');
  fs.writeFileSync(file, SCRIPT);
  const seen = new Arrivals();
  const child = moontide.start(['run', '-c', moontide.config(ready, BOT), file]);
  readline.createInterface({ input: child.stdout }).on('line', line => seen.push(JSON.parse(line)));
  const errors = [];
  child.stderr.on('data', part => errors.push(part.toString()));
  const ended = new Promise(resolve => { child.once('close', status => resolve(status)); });
  return { seen, ended, errors };
}

async function connectPeer(ready) {
  const seen = new Arrivals();
  const on = name => event => seen.push({ name, event });
  const events = {};
  for (const name of ['onTextMessage', 'onImageMessage', 'onAudioMessage', 'onVideoMessage', 'onFileMessage', 'onCmdMessage',
    'onCustomMessage', 'onLocationMessage', 'onCombineMessage', 'onReadMessage', 'onDeliveredMessage', 'onRecallMessage',
    'onChannelMessage', 'onModifiedMessage']) events[name] = on(name);
  return { connection: await sdk.login(ready, PEER, { events }), seen };
}

const order = (connection, what) => sdk.send(connection,
  { type: 'cmd', chatType: 'singleChat', to: BOT, action: JSON.stringify(what) });

// kind and fields for conversation:send, and the event of the SDK with the members that must be equal
const OUTGOING = [
  [{ kind: 'text', text: '你好 😀 "x"', ext: EXT }, 'onTextMessage', { msg: '你好 😀 "x"', ext: EXT }],
  [{ kind: 'text', text: '' }, 'onTextMessage', { msg: '', ext: {} }],
  [{ kind: 'command', body: { action: 'typing' }, ext: { a: 1 } }, 'onCmdMessage', { action: 'typing', ext: { a: 1 } }],
  [{ kind: 'custom', body: { event: 'gift', fields: { name: 'rose', price: '2' } } }, 'onCustomMessage',
    { customEvent: 'gift', customExts: { name: 'rose', price: '2' } }],
  [{ kind: 'location', body: { latitude: 39.5, longitude: 116.25, address: '北京', building: 'B' } }, 'onLocationMessage',
    { lat: 39.5, lng: 116.25, addr: '北京', buildingName: 'B' }],
  [{ kind: 'image', body: { remote_path: 'https://example.com/o/a/chatfiles/1', secret: 's', filename: 'p.png', size_bytes: 9,
    width: 3, height: 4 } }, 'onImageMessage', { width: 3, height: 4, secret: 's', file_length: 9 }],
  [{ kind: 'voice', body: { remote_path: 'https://example.com/o/a/chatfiles/1', secret: 's', filename: 'v.amr', duration_s: 7 } },
    'onAudioMessage', { length: 7, secret: 's', filename: 'v.amr' }],
  [{ kind: 'video', body: { remote_path: 'https://example.com/o/a/chatfiles/1', secret: 's', filename: 'v.mp4', duration_s: 9 } },
    'onVideoMessage', { length: 9, secret: 's', filename: 'v.mp4' }],
  [{ kind: 'file', body: { remote_path: 'https://example.com/o/a/chatfiles/1', secret: 's', filename: 'd.pdf', size_bytes: 5 } },
    'onFileMessage', { secret: 's', filename: 'd.pdf', file_length: 5 }],
  [{ kind: 'combine', text: 'old', body: { title: 'T', summary: 'S', level: 1, filename: 'c',
    remote_path: 'https://example.com/o/a/chatfiles/1' } }, 'onCombineMessage',
  { compatibleText: 'old', title: 'T', summary: 'S', combineLevel: 1 }],
];

async function receives(bot, peer) {
  const sent = await send4(peer.connection, 'singleChat', BOT);
  for (const item of sent) {
    const { message } = await bot.seen.take(one => one.event === 'message' && one.message.id === item.id, item.id);
    const found = wrong(message, item, PEER);
    tap.ok(!found, `the SDK sends, the script hears: ${item.want.kind}`, found);
  }
  return sent[0].id;
}

async function sends(bot, peer) {
  let first = null;
  for (const [what, name, want] of OUTGOING) {
    await order(peer.connection, { act: 'send', ...what });
    const { id } = await bot.seen.take(one => one.event === 'sent', `sent ${what.kind}`);
    const { event } = await peer.seen.take(one => one.name === name && one.event.id === id, `${name} ${id}`);
    const got = Object.fromEntries(Object.keys(want).map(key => [key, event[key]]));
    const sort = value => JSON.stringify(value, (key, v) => (v && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort()) : v));
    tap.equal(sort({ ...got, from: event.from }), sort({ ...want, from: BOT }), `the script sends, the SDK hears: ${what.kind}`);
    first = first || id;
  }
  return first;
}

async function refers(bot, peer, theirs, ours) {
  const { connection } = peer;
  await order(connection, { act: 'mark_read', id: theirs });
  const read = await peer.seen.take(one => one.name === 'onReadMessage', 'onReadMessage');
  tap.equal(read.event.mid, theirs, 'the script marks a message as read, the SDK hears');
  await order(connection, { act: 'conversation_read' });
  const channel = await peer.seen.take(one => one.name === 'onChannelMessage', 'onChannelMessage');
  tap.equal(channel.event.from, BOT, 'the script marks the conversation as read, the SDK hears');
  await order(connection, { act: 'edit', id: ours, text: 'better' });
  const modified = await peer.seen.take(one => one.name === 'onModifiedMessage', 'onModifiedMessage');
  tap.equal([modified.event.id, modified.event.msg], [ours, 'better'], 'the script edits, the SDK hears');
  await order(connection, { act: 'recall', id: ours });
  const recalled = await peer.seen.take(one => one.name === 'onRecallMessage', 'onRecallMessage');
  tap.equal([recalled.event.mid, recalled.event.ext], [ours, 'why'], 'the script recalls, the SDK hears');

  const mine = await sdk.send(connection, { type: 'txt', chatType: 'singleChat', to: BOT, msg: 'to be edited' });
  await bot.seen.take(one => one.event === 'message' && one.message.id === mine, mine);
  await connection.modifyMessage({ messageId: mine,
    modifiedMessage: sdk.message4.create({ type: 'txt', chatType: 'singleChat', to: BOT, msg: 'edited' }) });
  const edited = await bot.seen.take(one => one.event === 'edited', 'edited');
  tap.equal([edited.rest.target, edited.message.text], [mine, 'edited'], 'the SDK edits, the script hears');
  await connection.recallMessage({ mid: mine, to: BOT, chatType: 'singleChat' });
  const gone = await bot.seen.take(one => one.event === 'recalled', 'recalled');
  tap.equal(gone.rest.target, mine, 'the SDK recalls, the script hears');
  const second = OUTGOING[1][0];
  await order(connection, { act: 'send', ...second });
  const { id } = await bot.seen.take(one => one.event === 'sent', 'sent');
  await sdk.send(connection, { type: 'read', chatType: 'singleChat', to: BOT, id });
  const ack = await bot.seen.take(one => one.event === 'read', 'read');
  tap.equal(ack.rest.target, id, 'the SDK marks a message as read, the script hears');
  await sdk.send(connection, { type: 'channel', chatType: 'singleChat', to: BOT });
  const unread = await bot.seen.take(one => one.event === 'unread', 'unread');
  tap.equal(unread.rest.conversation, `single:${PEER}`, 'the SDK marks the conversation as read, the script hears');
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const bot = startBot(sandbox.ready);
  await bot.seen.take(one => one.event === 'connected', 'connected');
  const peer = await connectPeer(sandbox.ready);
  const theirs = await receives(bot, peer);
  const ours = await sends(bot, peer);
  await refers(bot, peer, theirs, ours);
  await order(peer.connection, { act: 'stop' });
  tap.equal(await bot.ended, 0, 'the script ends when it has no hook left');
  if (bot.errors.length) tap.note(bot.errors.join(''));
  peer.connection.close();
  await sandbox.stop();
});
