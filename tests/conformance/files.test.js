'use strict';
// Attachments both ways: what the official SDK uploads, plain and in parts, moontide fetches, and the other way round,
// byte for byte, straight from the cloud and through its object storage; and the requests are the same.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const moontide = require('./moontide.js');

const BOT = 'agent';
const PEER = 'carol';
const SMALL = crypto.randomBytes(70000);
const LARGE = crypto.randomBytes(9 * 1024 * 1024 + 12345); // in two parts
const differences = JSON.parse(fs.readFileSync(path.join(__dirname, 'differences.json'), 'utf8')).filter(item => item.file);
const used = new Set();

const control = (ready, name, body = '') => fetch(`${ready.easemob.rest}/sandbox/${name}`, { method: 'POST', body });
const log = async ready => (await (await fetch(ready.easemob.rest + '/sandbox/log')).json()).filter(entry => entry.method);

function script(name, text) {
  const file = path.join(moontide.scratch, name);
  fs.writeFileSync(file, `local moontide = require "moontide"\nlocal account = moontide.account "it"\n${text}`);
  return file;
}

async function run(ready, name, text, user = BOT) {
  const result = await moontide.run(['run', '-c', moontide.config(ready, user), script(name, text)]);
  if (result.status !== 0) tap.note(result.err);
  return result;
}

// ---------------------------------------------------------------- what is compared of a request

const TRANSFER = /chatfiles|^\/bucket\//;

function fields(entry) {
  const result = { method: entry.method, path: entry.path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UUID') };
  for (const [key, value] of new URLSearchParams(entry.query || '')) {
    result['query.' + key] = key === 'share-secret' || key === 'sign' ? 'SECRET' : value;
  }
  result.content_type = entry.content_type.split(';')[0];
  result.authorised = Boolean(entry.authorization);
  result.share_secret = Boolean(entry.share_secret);
  result.restrict_access = entry.restrict_access;
  if (!result.content_type.startsWith('multipart')) return result;
  result['form.names'] = [...entry.body.matchAll(/ name="([^"]*)"/g)].map(found => found[1]).slice(0, 1).join();
  result['form.filename'] = (entry.body.match(/filename="([^"]*)"/) || [])[1];
  return result;
}

/** Without the order in which parts went out. */
const recorded = async ready => (await log(ready)).filter(entry => TRANSFER.test(entry.path)).map(fields);

function compare(what, theirs, ours) {
  const wrong = [];
  if (theirs.length !== ours.length) wrong.push(`${theirs.length} requests, we ${ours.length}`);
  for (let i = 0; i < Math.min(theirs.length, ours.length); i += 1) {
    for (const key of new Set([...Object.keys(theirs[i]), ...Object.keys(ours[i])])) {
      if (theirs[i][key] === ours[i][key]) continue;
      const found = differences.find(item => item.field === key && (item.file === '*' || item.file === what));
      if (found) used.add(found);
      else wrong.push(`request ${i + 1}, ${key}: ${theirs[i][key]}, we ${ours[i][key]}`);
    }
  }
  tap.ok(!wrong.length && theirs.length, `${what}: the same requests as the SDK`, wrong.join('\n'));
}

// ---------------------------------------------------------------- the SDK as a peer

const KINDS = [['img', 'image', 'p.png'], ['audio', 'voice', 'v.amr'], ['video', 'video', 'v.mp4'], ['file', 'file', 'd.bin']];

function sdkFile(bytes, name) {
  return { data: new File([bytes], name, { type: 'x/y' }), filename: name, filetype: name.split('.').pop(), url: 'blob:none' };
}

const sdkSend = (connection, type, bytes, name, to = BOT) => sdk.send(connection,
  { type, chatType: 'singleChat', to, file: sdkFile(bytes, name), length: 3, width: 2, height: 2 });

const sdkDownload = (connection, message) => new Promise((resolve, reject) => {
  sdk.utils4.download.call(connection, {
    url: message.url, secret: message.secret,
    onFileDownloadComplete: blob => blob.arrayBuffer().then(value => resolve(Buffer.from(value)), reject),
    onFileDownloadError: error => reject(new Error(`the SDK could not download: ${JSON.stringify(error.type)}`)),
  });
});

async function connectPeer(ready) {
  const waiting = new Map();
  const came = new Map();
  const hear = event => { came.set(event.id, event); if (waiting.has(event.id)) waiting.get(event.id)(event); };
  const events = {};
  for (const name of ['onImageMessage', 'onAudioMessage', 'onVideoMessage', 'onFileMessage', 'onCombineMessage']) events[name] = hear;
  const take = id => (came.has(id) ? Promise.resolve(came.get(id)) : new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`message ${id} did not come within 20 s`)), 20000);
    waiting.set(id, event => { clearTimeout(timer); resolve(event); });
  }));
  return { connection: await sdk.login(ready, PEER, { events }), take };
}

// ---------------------------------------------------------------- from the SDK to moontide

/** Every attachment of the conversation into files that are named by message id. */
async function fetchAll(ready, folder, user = BOT, from = PEER) {
  fs.mkdirSync(path.join(moontide.scratch, folder), { recursive: true });
  return run(ready, `${folder}.lua`, `
    for message in account:conversation("${from}"):history { order = "oldest" } do
      local ok, result = moontide.try(message.download, message, "${folder}/" .. message.id)
      print(message.id, ok and result.size or result.code, ok and result.sha256 or result.provider_code)
    end`, user);
}

async function fromTheSdk(ready, connection) {
  const sent = [];
  for (const [type, , name] of KINDS) sent.push([await sdkSend(connection, type, SMALL, name), SMALL, `${type}, plain`]);
  await control(ready, 'reset-log');
  sent.push([await sdkSend(connection, 'file', LARGE, 'large.bin'), LARGE, 'a file in parts']);
  const theirs = await recorded(ready);
  tap.equal(theirs.map(item => item.method), ['POST', 'PUT', 'PUT', 'POST'], 'the SDK uploads a large file in parts');
  const old = await sdk3.login(ready, 'dave');
  const oldId = await old.send('file', { chatType: 'singleChat', to: BOT,
    file: { bytes: SMALL.toString('base64'), filename: 'old.bin', type: 'x/y' } });
  await old.close();
  for (const storage of ['', 'storage,']) {
    await control(ready, 'faults', `log=on,${storage}`);
    await control(ready, 'reset-log');
    const folder = storage ? 'stored' : 'direct';
    const { status } = await fetchAll(ready, folder);
    await fetchAll(ready, folder, BOT, 'dave');
    const bytes = id => { try { return fs.readFileSync(path.join(moontide.scratch, folder, id)); } catch { return Buffer.alloc(0); } };
    const wrong = sent.filter(([id, want]) => !bytes(id).equals(want)).map(([, , what]) => what);
    tap.ok(status === 0 && !wrong.length, `${folder}: what the SDK uploads, moontide fetches`, wrong.join());
    tap.ok(bytes(oldId).equals(SMALL), `${folder}: what SDK 3.6.3 uploads, too`);
    if (!storage) continue;
    const away = (await log(ready)).filter(entry => entry.path.startsWith('/bucket/'));
    tap.ok(away.length === sent.length + 1 && away.every(entry => !entry.authorization && !entry.share_secret),
      'the object storage is asked without token and secret');
  }
  await control(ready, 'faults', 'log=on');
  return theirs;
}

// ---------------------------------------------------------------- from moontide to the SDK

async function toTheSdk(ready, peer) {
  fs.writeFileSync(path.join(moontide.scratch, 'small.bin'), SMALL);
  fs.writeFileSync(path.join(moontide.scratch, 'large.bin'), LARGE);
  const { out } = await run(ready, 'send.lua', `
    local chat = account:conversation "${PEER}"
    local function say(sent) print(sent.id) end
    say(chat:send_image { path = "small.bin", filename = "p.png", width = 2, height = 2 })
    say(chat:send_voice { path = "small.bin", filename = "v.amr", duration = "3s" })
    say(chat:send_video { path = "small.bin", filename = "v.mp4", duration = "3s" })
    say(chat:send_file { path = "small.bin", filename = "d.bin" })
    say(chat:send_file { path = "large.bin" })
    local all = {}
    for message in chat:history { order = "oldest" } do all[#all + 1] = message end
    say(chat:send_combine { messages = all, title = "T", summary = "S", text = "old" })
    account:off()`);
  const ids = out.trim().split('\n');
  const wants = [[SMALL, 'p.png'], [SMALL, 'v.amr'], [SMALL, 'v.mp4'], [SMALL, 'd.bin'], [LARGE, 'large.bin']];
  const messages = [];
  for (const [i, [want, name]] of wants.entries()) {
    const message = await peer.take(ids[i]);
    messages.push(message);
    for (const storage of ['', 'storage,']) {
      await control(ready, 'faults', `log=on,${storage}`);
      const got = await sdkDownload(peer.connection, message);
      tap.ok(got.equals(want), `${storage ? 'stored' : 'direct'}: what moontide sends as ${name}, the SDK fetches`);
    }
    if (message.type === 'file') {
      tap.equal([message.filename, message.file_length], [name, want.length], 'with its name and size');
    }
  }
  await control(ready, 'faults', 'log=on');
  const combined = await peer.take(ids[5]);
  const inside = await peer.connection.downloadAndParseCombineMessage({ url: combined.url, secret: combined.secret });
  const history = await peer.connection.getHistoryMessages(
    { targetId: BOT, chatType: 'singleChat', pageSize: 50, cursor: -1, searchDirection: 'down' });
  tap.equal(inside.map(item => [item.id, item.type, item.from, item.time]),
    history.messages.slice(0, -1).map(item => [item.id, item.type, item.from, item.time]),
    'the SDK reads the combined messages out of the file');
  tap.equal([combined.title, combined.summary, combined.compatibleText, combined.combineLevel], ['T', 'S', 'old', 1],
    'and what stands above them');
  return messages;
}

// ---------------------------------------------------------------- the requests

async function requests(ready, peer, parts, message) {
  const one = async (what, theirs, ours) => {
    await control(ready, 'reset-log');
    await theirs();
    const wanted = await recorded(ready);
    await control(ready, 'reset-log');
    await run(ready, `${what}.lua`.replace(/ /g, '_'), ours);
    compare(what, wanted, await recorded(ready));
  };
  await control(ready, 'reset-log');
  await run(ready, 'parts.lua', `account:conversation("${BOT}"):upload "large.bin"`, PEER);
  compare('upload in parts', parts, await recorded(ready));
  await one('upload', () => sdkSend(peer.connection, 'file', SMALL, 'x.bin', 'erin'), 'account:conversation "erin":upload "small.bin"');
  await control(ready, 'faults', 'log=on,no_parts');
  await one('upload where parts are not opened', () => sdkSend(peer.connection, 'file', LARGE, 'x.bin', 'erin'),
    'account:conversation "erin":upload "large.bin"');
  await control(ready, 'faults', 'log=on');
  await one('download', () => sdkDownload(peer.connection, message), `
    for message in account:conversation("${PEER}"):history {} do
      if message.id == "${message.id}" then message:download "again.bin" end
    end`);
}

// ---------------------------------------------------------------- what the cloud refuses

async function refusals(ready, connection, message) {
  const uuid = message.url.match(/chatfiles\/([^?]+)/)[1];
  await connection.send(sdk.message4.create({ type: 'file', chatType: 'singleChat', to: BOT, filename: 'x', file_length: 5,
    body: { url: `${ready.easemob.rest}/sandbox/demo/chatfiles/${uuid}`, secret: 'wrong', filename: 'x', file_length: 5 } }));
  await control(ready, 'expire-files');
  const { out } = await fetchAll(ready, 'refused');
  const codes = out.trim().split('\n').map(line => line.split('\t').slice(1).join(' '));
  tap.ok(codes.includes('download.expired 223'), 'an expired attachment is download.expired, 223', out);
  tap.ok(codes.includes('download.forbidden 222'), 'a wrong secret is download.forbidden, 222', out);
  tap.equal(fs.readdirSync(path.join(moontide.scratch, 'refused')), [], 'nothing is written of either');
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--faults', 'log=on');
  const { ready } = sandbox;
  const peer = await connectPeer(ready);
  const parts = await fromTheSdk(ready, peer.connection);
  const messages = await toTheSdk(ready, peer);
  await requests(ready, peer, parts, messages[3]);
  await refusals(ready, peer.connection, messages[3]);
  const unused = differences.filter(item => !used.has(item)).map(item => `${item.file}: ${item.field}`);
  tap.ok(!unused.length, 'every difference that is written down occurs', unused.join('\n'));
  peer.connection.close();
  await sandbox.stop();
});
