'use strict';
// The frames that moontide sends are those of the official SDK, field by field: the same user sends the same message
// with each, and what the sandbox recorded is compared. What is meant to differ stands in differences.json.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const moontide = require('./moontide.js');
const { EXT } = require('./kinds.js');

const differences = JSON.parse(fs.readFileSync(path.join(__dirname, 'differences.json'), 'utf8'))
  .filter(item => item.frame);
const used = new Set();

/** Protobuf without a schema: [[number, wire type, value as text or bytes]]. */
function fields(bytes) {
  const list = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const type = tag & 7;
    if (type === 0) list.push([tag >> 3, varint().toString()]);
    else if (type === 1) { list.push([tag >> 3, bytes.subarray(at, at + 8)]); at += 8; }
    else if (type === 5) { list.push([tag >> 3, bytes.subarray(at, at + 4)]); at += 4; }
    else if (type === 2) { const len = Number(varint()); list.push([tag >> 3, bytes.subarray(at, at + len)]); at += len; }
    else throw new Error(`wire type ${type}`);
  }
  return list;
}

// Which fields hold messages: by path of numbers from MSync on.
const NESTED = /^(9|2|9\.1|9\.1\.3|9\.1\.6|9\.1\.6\.[234]|9\.1\.6\.[57]|9\.1\.8|9\.1\.6\.4\.(13|20)|9\.3)$/;

const OUTER = /^(9|2)$/; // of a login or a goodbye

function flat(bytes, prefix = '', nested = NESTED) {
  const result = [];
  for (const [number, value] of fields(bytes)) {
    const name = prefix ? `${prefix}.${number}` : String(number);
    if (Buffer.isBuffer(value) && nested.test(name)) result.push([name, '{'], ...flat(value, name, nested), [name, '}']);
    else result.push([name, Buffer.isBuffer(value) ? value.toString('hex') : value]);
  }
  return result;
}

function excused(frame, name) {
  const found = differences.find(item => item.field === name && (item.frame === '*' || item.frame === frame));
  if (found) used.add(found);
  return Boolean(found);
}

// Maps: Lua's have no order.
const PAIRS = ['9.1.6.5', '9.1.6.4.20'];

/** One text a field; the pairs of a map are one text each, in the order of their keys. */
function comparable(frame, hex, nested) {
  const result = [];
  let pair = null;
  for (const [name, value] of flat(Buffer.from(hex, 'hex'), '', nested)) {
    if (excused(frame, name)) continue;
    if (PAIRS.includes(name) && value === '{') pair = [];
    else if (PAIRS.includes(name) && value === '}') { result.push(`${name}={${pair.join(' ')}}`); pair = null; }
    else (pair || result).push(`${name}=${value}`);
  }
  const sorted = result.filter(text => PAIRS.some(name => text.startsWith(`${name}={`))).sort();
  return result.map(text => (PAIRS.some(name => text.startsWith(`${name}={`)) ? sorted.shift() : text));
}

async function reset(ready) { await fetch(ready.easemob.rest + '/sandbox/reset-log', { method: 'POST' }); }
async function frames(ready, user) {
  const log = await (await fetch(ready.easemob.rest + '/sandbox/log')).json();
  return log.filter(entry => entry.channel === 'ws' && entry.dir === 'up' && entry.user === user).map(entry => entry.hex);
}

/** The frame of a message or a reference to one: a SYNC with a CHAT meta. */
function isChat(hex) {
  const msync = fields(Buffer.from(hex, 'hex'));
  const command = msync.find(([number]) => number === 8);
  const payload = msync.find(([number]) => number === 9);
  if ((command && command[1] !== '0') || !payload) return false;
  const meta = fields(payload[1]).find(([number]) => number === 1);
  return Boolean(meta) && fields(meta[1]).some(([number, value]) => number === 5 && value === '1');
}

const AT = { url: 'http://127.0.0.1:1/o/a/chatfiles/1', secret: 's', filename: 'p.png', file_length: 9 };
const BODY = { remote_path: AT.url, secret: 's', filename: 'p.png', size_bytes: 9 };
// name, the SDK's options, conversation:send's
const SENT = [
  ['text', { type: 'txt', msg: 'hi', ext: EXT }, { text: 'hi', ext: EXT }],
  ['empty text', { type: 'txt', msg: '' }, { text: '' }],
  ['command', { type: 'cmd', action: 'act' }, { kind: 'command', body: { action: 'act' } }],
  ['location', { type: 'loc', lat: 39.5, lng: 116.25, addr: '北京', buildingName: 'B' },
    { kind: 'location', body: { latitude: 39.5, longitude: 116.25, address: '北京', building: 'B' } }],
  ['custom', { type: 'custom', customEvent: 'gift', customExts: { n: 'rose', k: 2 } },
    { kind: 'custom', body: { event: 'gift', fields: { n: 'rose', k: 2 } } }],
  ['online only', { type: 'txt', msg: 'x', deliverOnlineOnly: true }, { text: 'x', online_only: true }],
];

async function ours(config, group, what) {
  const file = path.join(moontide.scratch, 'frame.lua');
  fs.writeFileSync(file, `local moontide = require "moontide"
    local order = moontide.json.decode(${JSON.stringify(JSON.stringify(what)).replace(/\\u/g, '\\\\u')})
    local conversation = moontide.account "it":conversation(order.to)
    if order.send then conversation:send(order.send) end
    if order.read then for message in conversation:history { limit = 1 } do message:mark_read(order.read.content) end end
    if order.conversation_read then conversation:mark_read() end
    if order.recall then for message in conversation:history { limit = 1 } do message:recall(order.recall.info) end end
    if order.edit then for message in conversation:history { limit = 1 } do message:edit(order.edit) end end`);
  const run = await moontide.run(['run', '-c', config, file]);
  if (run.status) throw new Error(run.err);
}

async function compare(ready, config, name, theirs, what, title = name) {
  await reset(ready);
  const user = await sdk.login(ready, 'carol');
  await theirs(user);
  const [a] = (await frames(ready, 'carol')).filter(isChat);
  user.close();
  await reset(ready);
  await ours(config, null, what);
  const [b] = (await frames(ready, 'carol')).filter(isChat);
  if (!a || !b) { tap.ok(false, `${title}: both send`, `the SDK ${a}, moontide ${b}`); return; }
  tap.equal(comparable(name, b), comparable(name, a), `${title}: the same frame`);
}

const ROOM = '393734273351681';

async function places(ready, config, group) {
  for (const [name, chatType, to, theirs] of [['one', 'singleChat', 'single:bob', 'bob'],
    ['a group', 'groupChat', `group:${group}`, group], ['a room', 'chatRoom', `room:${ROOM}`, ROOM]]) {
    const send = async msg => {
      const carol = await sdk.login(ready, 'carol');
      const id = await sdk.send(carol, { type: 'txt', msg, chatType, to: theirs });
      carol.close();
      return id;
    };
    const text = { type: 'txt', chatType, to: theirs };
    const own = await send('edit me');
    const modify = (user, ext) => user.modifyMessage({ messageId: own,
      modifiedMessage: sdk.message4.create({ ...text, msg: 'edited', ...ext }) });
    await compare(ready, config, `edit to ${name}`, user => modify(user), { to, edit: 'edited' });
    await compare(ready, config, `edit with ext to ${name}`, user => modify(user, { ext: { a: 1 } }),
      { to, edit: { text: 'edited', ext: { a: 1 } } });
    for (const info of [undefined, 'why']) {
      const first = await send('recall me');
      await send('and me');
      await compare(ready, config, 'recall', user => user.recallMessage({ mid: first, to: theirs, chatType, ext: info }),
        { to, recall: { info } }, `recall${info ? ' with a reason' : ''} to ${name}`);
    }
  }
  for (const [name, priority] of [['high', 0], ['normal', 1], ['low', 2]]) {
    await compare(ready, config, `priority ${name}`, user => sdk.send(user,
      { type: 'txt', msg: 'x', chatType: 'chatRoom', to: ROOM, priority: name }),
    { to: `room:${ROOM}`, send: { text: 'x', priority } });
  }
  await compare(ready, config, 'a mere text to a room', user => sdk.send(user,
    { type: 'txt', msg: 'x', chatType: 'chatRoom', to: ROOM }), { to: `room:${ROOM}`, send: 'x' });
  await compare(ready, config, 'to one device', user => sdk.send(user,
    { type: 'txt', msg: 'x', chatType: 'singleChat', to: 'bob/phone' }), { to: 'single:bob', send: { text: 'x', device: 'phone' } });
}

/** The frames of a session besides messages, by what they are for; of the queues that of bob. */
function session(list) {
  const result = {};
  for (const hex of list.filter(one => !isChat(one))) {
    const bytes = Buffer.from(hex, 'hex');
    const [, command = 0] = fields(bytes).find(([number]) => number === 8) || [];
    let kind = ['sync', 'backlog', 'notice', 'login', 'logout'][command];
    if (kind === 'sync') {
      const found = new Map(flat(bytes));
      if (found.has('9.1.1')) kind = 'online';
      else if (found.get('9.3.2') !== Buffer.from('bob').toString('hex')) continue;
      else kind = found.has('9.2') ? 'acknowledge' : 'pull';
    }
    if (!result[kind]) result[kind] = hex;
  }
  return result;
}

/** The session's frames when that one is among them: what is before the login belongs to nobody yet. */
async function recorded(ready, wanted) {
  for (;;) {
    const found = session([...await frames(ready, ''), ...await frames(ready, 'carol')]);
    if (found[wanted]) return found;
  }
}

/** Logs in, hears one message, says goodbye. */
async function sessions(ready, config) {
  const bob = await sdk.login(ready, 'bob');
  const say = msg => sdk.send(bob, { type: 'txt', msg, chatType: 'singleChat', to: 'carol' });
  await say('hello');
  await reset(ready);
  const user = await sdk.login(ready, 'carol');
  await recorded(ready, 'acknowledge');
  user.close();
  const theirs = await recorded(ready, 'logout');
  await say('hello');
  await reset(ready);
  const file = path.join(moontide.scratch, 'session.lua');
  fs.writeFileSync(file, `local account = require "moontide".account "it"
    account:on("message", function(message) if message.text == "bye" then account:off() end end)`);
  const running = moontide.run(['run', '-c', config, file]);
  await recorded(ready, 'acknowledge');
  await say('bye');
  const run = await running;
  tap.equal([run.status, run.err], [0, ''], 'the script ends well');
  const ours = await recorded(ready, 'logout');
  for (const kind of ['login', 'backlog', 'pull', 'acknowledge', 'logout']) {
    if (!tap.ok(theirs[kind] && ours[kind], `${kind}: both send it`)) continue;
    const nested = kind === 'login' || kind === 'logout' ? OUTER : NESTED;
    tap.equal(comparable(kind, ours[kind], nested), comparable(kind, theirs[kind], nested), `${kind}: the same frame`);
  }
  tap.ok(theirs.online && !ours.online, 'only the SDK reports that it is online, which nobody answers');
  bob.close();
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--faults', 'log=on');
  const { ready } = sandbox;
  const config = moontide.config(ready, 'carol');
  const maker = await sdk.login(ready, 'carol');
  const made = await maker.createGroup({ data: { groupname: 'frames', desc: '', members: ['bob'], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;
  maker.close();
  for (const [name, theirs, send] of SENT) {
    await compare(ready, config, `${name} to one`, user => sdk.send(user, { ...theirs, chatType: 'singleChat', to: 'bob' }),
      { to: 'single:bob', send });
    await compare(ready, config, `${name} to a group`, user => sdk.send(user, { ...theirs, chatType: 'groupChat', to: group }),
      { to: `group:${group}`, send });
  }
  await compare(ready, config, 'directed', user => sdk.send(user,
    { type: 'txt', msg: 'psst', chatType: 'groupChat', to: group, receiverList: ['bob'] }),
  { to: `group:${group}`, send: { text: 'psst', only: ['bob'] } });
  await compare(ready, config, 'asks for receipts', user => sdk.send(user,
    { type: 'txt', msg: 'x', chatType: 'groupChat', to: group, msgConfig: { allowGroupAck: true } }),
  { to: `group:${group}`, send: { text: 'x', receipts: true } });
  await compare(ready, config, 'conversation read', user => sdk.send(user, { type: 'channel', chatType: 'singleChat', to: 'bob' }),
    { to: 'single:bob', conversation_read: true });
  await compare(ready, config, 'conversation read, group', user => sdk.send(user,
    { type: 'channel', chatType: 'groupChat', to: group }), { to: `group:${group}`, conversation_read: true });
  const bob = await sdk.login(ready, 'bob');
  const toCarol = await sdk.send(bob, { type: 'txt', msg: 'read me', chatType: 'singleChat', to: 'carol' });
  await compare(ready, config, 'read', user => sdk.send(user, { type: 'read', chatType: 'singleChat', to: 'bob', id: toCarol }),
    { to: 'single:bob', read: {} });
  const inGroup = await sdk.send(bob, { type: 'txt', msg: 'read me', chatType: 'groupChat', to: group,
    msgConfig: { allowGroupAck: true } });
  await compare(ready, config, 'read in a group', user => sdk.send(user, { type: 'read', chatType: 'groupChat', to: group,
    id: inGroup, ackContent: 'seen', msgConfig: { allowGroupAck: true } }), { to: `group:${group}`, read: { content: 'seen' } });
  bob.close();
  await places(ready, config, group);
  await sessions(ready, config);
  const stale = differences.filter(item => !used.has(item)).map(item => `${item.frame} ${item.field}`);
  tap.ok(!stale.length, 'every documented difference occurs', stale.join('\n'));
  await sandbox.stop();
});
