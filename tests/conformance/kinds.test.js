'use strict';
// Every kind of message that SDK 4.21.1 and 3.6.3 can send, to one user and to a group: what the archive holds is what
// was sent, and what each SDK shows of its history is what the archive holds.
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const moontide = require('./moontide.js');

const OWNER = 'agent';
// The SDK looks whether a GIF is one.
const BYTES = Buffer.from('47494638396101000100800000000000ffffff2c00000000010001000002024401003b', 'hex');
const EXT = {
  text: '值 "quoted"', empty: '', yes: true, no: false, int: -5, big: 9007199254740991, double: 1.5,
  map: { deep: { list: [1, 'two', null] } }, list: [1, 2, 3],
};

// name, type of 3.6.3 (null: cannot send it), options, and the line in the archive: kind, text, body
const KINDS = [
  ['txt', 'txt', { msg: '你好 😀 <b>&amp;\u0000\t"x"' }, { kind: 'text', text: '你好 😀 <b>&amp;\u0000\t"x"', body: {} }],
  ['txt', 'txt', { msg: '' }, { kind: 'text', text: '', body: {} }],
  ['cmd', 'cmd', { action: 'typing' }, { kind: 'command', body: { action: 'typing' } }],
  ['custom', 'custom', { customEvent: 'gift', customExts: { name: 'rose', price: '2' } },
    { kind: 'custom', body: { event: 'gift', fields: { name: 'rose', price: '2' } } }],
  ['loc', 'location', { lat: 39.5, lng: 116.25, addr: '北京', buildingName: 'B' },
    { kind: 'location', body: { latitude: 39.5, longitude: 116.25, address: '北京', building: 'B' } }],
  ['img', 'img', { file: 'p.png', width: 3, height: 4 },
    { kind: 'image', body: { filename: 'p.png', size_bytes: BYTES.length, width: 3, height: 4 } }],
  ['img', null, { file: 'p.gif', width: 3, height: 4, isGif: true },
    { kind: 'image', body: { filename: 'p.gif', size_bytes: BYTES.length, width: 3, height: 4, gif: true } }],
  ['img', null, { url: 'https://example.com/far/p.png', width: 5, height: 6 },
    { kind: 'image', body: { remote_path: 'https://example.com/far/p.png', width: 5, height: 6 } }],
  ['audio', 'audio', { file: 'v.amr', length: 7 },
    { kind: 'voice', body: { filename: 'v.amr', size_bytes: BYTES.length, duration_s: 7 } }],
  ['video', 'video', { file: 'v.mp4', length: 9 },
    { kind: 'video', body: { filename: 'v.mp4', size_bytes: BYTES.length, duration_s: 9 } }],
  ['file', 'file', { file: 'd.pdf' }, { kind: 'file', body: { filename: 'd.pdf', size_bytes: BYTES.length } }],
  ['combine', null, { compatibleText: 'old client', title: 'T', summary: 'S', messageList: [
    { type: 'txt', id: '1', from: 'a', to: 'b', msg: 'x', chatType: 'singleChat', time: 1, ext: {} }] },
  { kind: 'combine', text: 'old client', body: { title: 'T', summary: 'S', level: 1 } }],
];
const VOLATILE = ['url', 'remote_path', 'secret', 'thumbnail_url', 'thumbnail_remote_path', 'thumbnail_secret'];

function file4(name) {
  return { data: new File([BYTES], name, { type: name.endsWith('.gif') ? 'image/gif' : 'x/y' }), filename: name, filetype: name.split('.').pop(), url: 'blob:none' };
}

/** What a sender of 3.6.3 cannot say is not expected: it has no name of a building and no length of a file. */
function expected3(want) {
  const body = { ...want.body };
  delete body.building;
  delete body.size_bytes;
  return { ...want, body };
}

async function send4(connection, chatType, to) {
  const sent = [];
  for (const [type, , options, want] of KINDS) {
    const built = { type, chatType, to, ext: EXT, ...options };
    if (options.file) built.file = file4(options.file);
    sent.push({ id: await sdk.send(connection, built), version: 4, want });
  }
  return sent;
}

async function send3(user, chatType, to) {
  const sent = [];
  for (const [, type, options, want] of KINDS) {
    if (!type) continue;
    const built = { chatType, to, ext: EXT, ...options };
    if (options.file) built.file = { bytes: BYTES.toString('base64'), filename: options.file, type: 'x/y' };
    sent.push({ id: await user.send(type, built), version: 3, want: expected3(want) });
  }
  return sent;
}

function without(body, names) {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !names.includes(key)));
}

/** The differences between a line and what was sent, as text. */
function wrong(line, { want, version }, from) {
  if (!line) return 'is not there';
  const result = [];
  const same = (name, got, wanted) => {
    const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
    if (a !== b) result.push(`${name}: ${a}, sent ${b}`);
  };
  const sorted = object => Object.fromEntries(Object.entries(object).sort());
  const names = VOLATILE.filter(name => !(name in want.body));
  const body = without(line.body, want.kind === 'combine' ? [...names, 'filename', 'size_bytes'] : names);
  if (version === 3) delete body.size_bytes;
  same('kind', line.kind, want.kind);
  same('text', line.text, want.text);
  same('from', line.from, from);
  same('body', sorted(body), sorted(want.body));
  same('ext', sorted(line.ext), sorted(EXT));
  return result.join('; ');
}

/** A message of the SDK's history in the archive's words. */
function from4(message) {
  const types = { txt: 'text', cmd: 'command', loc: 'location', img: 'image', audio: 'voice' };
  const body = {};
  const take = (name, value) => { if (value !== undefined && value !== '') body[name] = value; };
  if (message.type === 'cmd') take('action', message.action);
  if (message.type === 'custom') { take('event', message.customEvent); take('fields', message.customExts); }
  if (message.type === 'loc') {
    take('latitude', message.lat); take('longitude', message.lng);
    take('address', message.addr); take('building', message.buildingName);
  }
  if (message.type === 'combine') {
    take('title', message.title); take('summary', message.summary); take('level', message.combineLevel);
  }
  if (message.url) {
    take('secret', message.secret);
    take('url', message.url.split('?')[0]);
    if (message.type === 'img') { take('width', message.width); take('height', message.height); }
    if (message.type === 'audio' || message.type === 'video') take('duration_s', message.length);
    if (message.isGif) take('gif', true);
  }
  return { id: message.id, from: message.from, time: message.time, kind: types[message.type] || message.type,
    text: message.msg ?? message.compatibleText, body, ext: message.ext };
}

const SHOWN = ['action', 'event', 'fields', 'latitude', 'longitude', 'address', 'building', 'title', 'summary', 'level',
  'secret', 'url', 'width', 'height', 'duration_s', 'gif'];

function shown(line) {
  const body = Object.fromEntries(SHOWN.filter(name => name in line.body &&
    (line.kind !== 'video' || (name !== 'width' && name !== 'height'))).map(name => [name, line.body[name]]));
  return { id: line.id, from: line.from, time: line.time, kind: line.kind, text: line.text, body, ext: line.ext };
}

const sortKeys = value => (value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.keys(value).sort().map(key => [key, sortKeys(value[key])])) : value);

async function compareHistory(owner, chat, lines) {
  const page = await owner.getHistoryMessages({
    targetId: chat.target, chatType: chat.chatType, pageSize: 50, cursor: -1, searchDirection: 'down',
  });
  const theirs = page.messages.map(message => sortKeys(from4(message)));
  const ours = lines.map(line => sortKeys(shown(line)));
  const at = theirs.findIndex((item, i) => JSON.stringify(item) !== JSON.stringify(ours[i]));
  tap.ok(at < 0 && theirs.length === ours.length, `${chat.conversation}: getHistoryMessages of 4.21.1 shows the same`,
    `${theirs.length} and ${ours.length}; SDK ${JSON.stringify(theirs[at])}\narchive ${JSON.stringify(ours[at])}`);
}

async function compareHistory3(user, chat, lines) {
  const theirs = await user.fetchHistoryMessages({
    queue: chat.target3, isGroup: chat.chatType === 'groupChat', count: lines.length + 5 });
  const kinds = { TEXT: 'text', COMMAND: 'command', CUSTOM: 'custom', LOCATION: 'location', IMAGE: 'image', VOICE: 'voice',
    VIDEO: 'video', FILE: 'file' };
  // A combined message is a text to a client as old as this one.
  const known = lines.map(line => (line.kind === 'combine' ? { ...line, kind: 'text' } : line));
  tap.equal(theirs.map(item => [item.id, item.from, kinds[item.contentsType],
    item.contentsType === 'TEXT' ? item.data : undefined]),
  known.map(line => [line.id, line.from, line.kind, line.text]),
  `${chat.conversation}: fetchHistoryMessages of 3.6.3 shows the same`);
}

async function checkAttachment(line, token) {
  const answer = await fetch(line.body.url, { headers: { 'share-secret': line.body.secret, Authorization: `Bearer ${token}` } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return answer.status === 200 && bytes.equals(BYTES);
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  const owner = await sdk.login(ready, OWNER);
  const carol = await sdk.login(ready, 'carol');
  const dave = await sdk3.login(ready, 'dave');
  const made = await owner.createGroup({ data: { groupname: 'kinds', desc: '', members: ['carol', 'dave'], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;

  const chats = [
    { conversation: 'single:carol', chatType: 'singleChat', target: 'carol', sent: await send4(carol, 'singleChat', OWNER) },
    { conversation: 'single:dave', chatType: 'singleChat', target: 'dave', target3: OWNER, user: dave,
      sent: await send3(dave, 'singleChat', OWNER) },
    { conversation: `group:${group}`, chatType: 'groupChat', target: group, target3: group, user: dave,
      sent: [...await send4(carol, 'groupChat', group), ...await send3(dave, 'groupChat', group)] },
  ];
  const dir = path.join(moontide.scratch, 'kinds');
  const exported = await moontide.run(['export', '-c', moontide.config(ready, OWNER), '-a', 'it', '-o', dir]);
  tap.equal(exported.status, 0, 'the export ends with status 0');
  const archive = moontide.archive(dir);
  for (const chat of chats) {
    const lines = archive.get(chat.conversation) || [];
    tap.equal(lines.map(line => line.id), chat.sent.map(item => item.id), `${chat.conversation}: every message, in order`);
    const found = chat.sent.map((item, i) => wrong(lines[i], item, item.version === 4 ? 'carol' : 'dave'))
      .map((text, i) => text && `${chat.sent[i].want.kind} (SDK ${chat.sent[i].version}): ${text}`).filter(Boolean);
    tap.ok(!found.length, `${chat.conversation}: every kind is what was sent`, found.join('\n'));
    await compareHistory(owner, chat, lines);
    if (chat.user) await compareHistory3(chat.user, chat, lines);
    const attached = lines.filter(line => line.body.secret && line.kind !== 'combine');
    const fetched = await Promise.all(attached.map(line => checkAttachment(line, owner.token)));
    tap.ok(attached.length && fetched.every(Boolean), `${chat.conversation}: ${attached.length} attachments can be fetched by the archive's words`);
  }
  await dave.close();
  carol.close();
  owner.close();
  await sandbox.stop();
});
