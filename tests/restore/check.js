// Looks at a plan of moontide restore, beside the archive that it is of, with nothing of moontide's: node check.js PLAN
// ARCHIVE [all]. Each request has the fields that the cloud documents and no other, times of a conversation ascend, and
// every message that can be imported is there once, in its place, with its newest content. all: recalled ones too.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const [planFile, archive, all] = process.argv.slice(2);

const BODY = {
  txt: ['msg'], img: ['url', 'secret', 'filename', 'file_length', 'size'], audio: ['url', 'secret', 'filename', 'file_length', 'length'],
  video: ['url', 'secret', 'filename', 'file_length', 'length', 'thumb', 'thumb_secret'], file: ['url', 'secret', 'filename', 'file_length'],
  loc: ['addr', 'lat', 'lng', 'buildingName'], cmd: ['action'], custom: ['customEvent', 'customExts'],
};
const TYPES = { text: 'txt', image: 'img', voice: 'audio', video: 'video', file: 'file', location: 'loc', command: 'cmd', custom: 'custom' };
const problems = [];
const wrong = (text) => problems.push(text);

function filesBelow(dir) {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    (entry.isDirectory() ? filesBelow(path.join(dir, entry.name)) : [path.join(dir, entry.name)]));
}

// What the archive says, conversation by conversation.
const conversations = new Map();
for (const file of filesBelow(archive).filter((name) => /\/conv\/[^/]+\/\d+\.jsonl(\.zst)?$/.test(name)).sort()) {
  const text = file.endsWith('.zst') ? execFileSync('zstd', ['-dcq', file], { maxBuffer: 1 << 30 }).toString() : fs.readFileSync(file, 'utf8');
  for (const line of text.split('\n').filter(Boolean).map((one) => JSON.parse(one))) {
    if (!conversations.has(line.conversation)) conversations.set(line.conversation, { messages: [], edits: new Map(), gone: new Set() });
    const known = conversations.get(line.conversation);
    if (!line.type) known.messages.push(line);
    else if (line.type === 'edit') known.edits.set(line.target, line);
    else if (line.type === 'recall') known.gone.add(line.target);
  }
}
const user = JSON.parse(fs.readFileSync(filesBelow(archive).find((name) => name.endsWith('/account.json')), 'utf8')).user;

const planned = new Map();
const requests = fs.readFileSync(planFile, 'utf8').split('\n').filter(Boolean).map((one) => JSON.parse(one));
for (const [i, request] of requests.entries()) {
  const { body } = request;
  const say = (text) => wrong(`request ${i + 1}: ${text}`);
  const call = /^\/[^/]+\/[^/]+\/messages\/(users|chatgroups)\/import$/.exec(request.path);
  if (request.method !== 'POST' || !call || Object.keys(request).sort().join() !== 'body,method,path') say('no call of the import');
  for (const key of Object.keys(body)) if (!['from', 'target', 'type', 'body', 'ext', 'msg_timestamp', 'need_download'].includes(key)) say(`field ${key}`);
  for (const key of ['from', 'target', 'type']) if (typeof body[key] !== 'string' || !body[key]) say(`${key} is missing`);
  if (!BODY[body.type]) say(`type ${body.type}`);
  for (const key of Object.keys(body.body)) if (!BODY[body.type].includes(key)) say(`${body.type} has ${key}`);
  if (body.ext !== undefined && (body.ext === null || typeof body.ext !== 'object' || Array.isArray(body.ext))) say('ext is no object');
  if (!Number.isInteger(body.msg_timestamp) || body.msg_timestamp < 1000) say(`time ${body.msg_timestamp}`);
  if (Buffer.byteLength(JSON.stringify(body.body) + (body.ext ? JSON.stringify(body.ext) : '')) > 5120 + 200) say('too large');
  const id = call && call[1] === 'chatgroups' ? `group:${body.target}` : `single:${body.from === user ? body.target : body.from}`;
  if (!planned.has(id)) planned.set(id, []);
  const before = planned.get(id);
  if (before.length && before.at(-1).msg_timestamp >= body.msg_timestamp) say('its time is not later than that of the one before');
  before.push(body);
}

let expected = 0;
for (const [id, known] of conversations) {
  const wanted = known.messages.filter((line) => (TYPES[line.kind] && /^(single|group):/.test(id) && (all || !known.gone.has(line.id))));
  wanted.sort((a, b) => a.time - b.time); // which keeps the order of equal ones
  const got = planned.get(id) || [];
  expected += wanted.length;
  if (got.length !== wanted.length) wrong(`${id}: ${got.length} of ${wanted.length}`);
  for (const [i, line] of wanted.entries()) {
    const one = got[i];
    const edit = known.edits.get(line.id) || line;
    if (!one) break;
    if (one.type !== TYPES[line.kind] || one.from !== line.from) wrong(`${id} ${line.id}: another message stands in its place`);
    if (line.kind === 'text' && one.body.msg !== edit.text) wrong(`${id} ${line.id}: another text`);
    if (line.kind === 'custom' && one.body.customEvent !== edit.body.event) wrong(`${id} ${line.id}: another event`);
    if (line.body.remote_path && one.body.url !== line.body.remote_path) wrong(`${id} ${line.id}: another file`);
    if (one.msg_timestamp < line.time || one.msg_timestamp > line.time + 1000) wrong(`${id} ${line.id}: another time`);
    if (JSON.stringify(Object.keys(one.ext || {}).sort()) !== JSON.stringify(Object.keys(line.ext || {}).sort())) wrong(`${id} ${line.id}: another ext`);
  }
}
for (const problem of problems.slice(0, 20)) console.log(problem);
console.log(`${requests.length} requests, ${expected} expected, ${problems.length} wrong`);
process.exitCode = problems.length ? 1 : 0;
