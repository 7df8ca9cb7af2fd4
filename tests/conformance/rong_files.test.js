'use strict';
// Attachments at RongCloud: what the SDK uploads, another SDK and moontide fetch, byte for byte, and what moontide uploads the
// SDK's user fetches.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const BOT = 'agent';
// The SDK looks whether a GIF is one.
const BYTES = Buffer.from('47494638396101000100800000000000ffffff2c00000000010001000002024401003b', 'hex');
const file = (name, type, bytes = BYTES) => ({ file: { $file: { name, type, bytes: bytes.toString('base64') } } });

// the SDK's call, its argument, the object name, which member is the address, the body that moontide shows besides the address
const SENT = [
  ['sendFileMessage', file('d.pdf', 'application/pdf'), 'RC:FileMsg', 'fileUrl', { filename: 'd.pdf', size_bytes: BYTES.length }],
  ['sendImageMessage', file('p.png', 'image/png'), 'RC:ImgMsg', 'imageUri', { thumbnail_base64: 'aGVsbG8=' }],
  ['sendGIFMessage', file('p.gif', 'image/gif'), 'RC:GIFMsg', 'remoteUrl', { gif: true, size_bytes: BYTES.length }],
  ['sendHQVoiceMessage', file('v.aac', 'audio/aac'), 'RC:HQVCMsg', 'remoteUrl', { duration_s: 7 }],
  ['sendSightMessage', { ...file('v.mp4', 'video/mp4'), duration: 9, thumbnail: 'aGVsbG8=', name: 'v.mp4' }, 'RC:SightMsg', 'sightUrl',
    { duration_s: 9, thumbnail_base64: 'aGVsbG8=', size_bytes: BYTES.length, filename: 'v.mp4' }],
];

const fetched = async url => Buffer.from(await (await fetch(url)).arrayBuffer());

const DOWNLOAD = `
local moontide = require "moontide"
for message in moontide.account "it":conversation "single:bob":history { order = "oldest" } do
  local body = message.body
  message:download(("got-%s"):format(message.kind .. (body.gif and "-gif" or "")))
end
`;

async function theirs(ready, bob, user) {
  const kinds = [];
  for (const [call, argument, objectName, member, want] of SENT) {
    const sent = await bob.ok(call, rong.one(BOT), argument);
    const heard = await rong.hear(user, message => message.messageUId === sent.messageUId);
    tap.equal([heard.messageType, BYTES.equals(await fetched(heard.content[member]))], [objectName, true],
      `${call}: the other SDK fetches the same bytes`);
    kinds.push([heard, want]);
  }
  const config = moontide.rongConfig(ready, BOT);
  const script = path.join(moontide.scratch, 'download.lua');
  fs.writeFileSync(script, DOWNLOAD);
  const run = await moontide.run(['run', '-c', config, script, '--grant', 'read,files'], { password: rong.token(BOT) });
  tap.equal([run.status, run.err], [0, ''], 'moontide fetches them all');
  for (const name of ['file', 'image', 'image-gif', 'voice', 'video']) {
    const got = path.join(moontide.scratch, `got-${name}`);
    tap.ok(fs.existsSync(got) && BYTES.equals(fs.readFileSync(got)), `${name}: moontide has the same bytes`);
  }
  const history = await moontide.run(['history', '-c', config, '-a', 'it', 'single:bob', '--json'], { password: rong.token(BOT) });
  const lines = new Map(history.out.split('\n').filter(Boolean).map(JSON.parse).map(line => [line.id, line]));
  for (const [heard, want] of kinds) {
    const body = (lines.get(heard.messageUId) || {}).body || {};
    tap.equal(Object.fromEntries(Object.keys(want).map(key => [key, body[key]])), want, `${heard.messageType}: moontide shows what was said of it`);
  }
}

const UPLOAD = `
local moontide = require "moontide"
local bob = moontide.account "it":conversation "single:bob"
bob:send_file "d.pdf"
bob:send_image "p.png"
bob:send_voice { path = "v.aac", duration = "7s" }
bob:send_video { path = "v.mp4", duration = "9s" }
`;

async function ours(ready, bob) {
  const script = path.join(moontide.scratch, 'upload.lua');
  fs.writeFileSync(script, UPLOAD);
  for (const name of ['d.pdf', 'p.png', 'v.aac', 'v.mp4']) fs.writeFileSync(path.join(moontide.scratch, name), BYTES);
  const run = await moontide.run(['run', '-c', moontide.rongConfig(ready, BOT), script, '--grant', 'send,files'], { password: rong.token(BOT) });
  tap.equal([run.status, run.err], [0, ''], 'moontide sends files');
  if (run.status) return;
  for (const [objectName, member, want] of [['RC:FileMsg', 'fileUrl', { name: 'd.pdf', size: BYTES.length }], ['RC:ImgMsg', 'imageUri', {}],
    ['RC:HQVCMsg', 'remoteUrl', { duration: 7 }], ['RC:SightMsg', 'sightUrl', { duration: 9 }]]) {
    const { content } = await rong.hear(bob, message => message.messageType === objectName);
    tap.equal(Object.fromEntries(Object.keys(want).map(key => [key, content[key]])), want, `${objectName}: the SDK hears what was said of it`);
    tap.ok(BYTES.equals(await fetched(content[member])), `${objectName}: and fetches the same bytes`);
  }
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  const [bob, user] = [await rong.login(ready, 'bob'), await rong.login(ready, BOT)];
  await theirs(ready, bob, user);
  await ours(ready, bob);
  for (const page of [bob, user]) await page.close();
  await sandbox.stop();
});
