'use strict';
// Every kind of message that the SDKs can send, as they send it and as moontide shall see it.
const sdk = require('./sdk.js');

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

/** 4.1.2 has no GIF and not the size of a picture that lies elsewhere. */
function expected412(want) {
  const body = { ...want.body };
  delete body.gif;
  if (body.remote_path) { delete body.width; delete body.height; }
  return { ...want, body };
}

/** Nor has 4.0.8 the length of a file or the ext of a command. */
function expected408(want) {
  const { body } = expected412(want);
  delete body.size_bytes;
  return { ...want, body, ext: want.kind === 'command' ? {} : EXT };
}

const EXPECTED = { '3.6.3': expected3, '4.0.8': expected408, '4.1.2': expected412 };

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

/** Every kind that a user of generation.js can send. */
async function sendAll(user, chatType, to) {
  const old = user.version === '3.6.3';
  const sent = [];
  for (const [type, type3, options, want] of KINDS) {
    if (old ? !type3 : type === 'combine' && user.version < '4.2') continue;
    const built = { type, chatType, to, ext: EXT, ...options };
    if (options.file) {
      built.file = { bytes: BYTES.toString('base64'), filename: options.file,
        type: options.file.endsWith('.gif') ? 'image/gif' : 'x/y' };
    }
    const expected = EXPECTED[user.version] || (same => same);
    sent.push({ id: await user.send(built), version: old ? 3 : 4, want: expected(want) });
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
  same('ext', sorted(line.ext), sorted(want.ext || EXT));
  return result.join('; ');
}

module.exports = { BYTES, EXT, KINDS, file4, expected3, send4, send3, sendAll, wrong };
