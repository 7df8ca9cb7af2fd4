'use strict';
// Every kind of message that SDK 4.21.1 and 3.6.3 can send, to one user and to a group: what the archive holds is what
// was sent, and what each SDK shows of its history is what the archive holds.
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const moontide = require('./moontide.js');
const { BYTES, send4, send3, wrong } = require('./kinds.js');

const OWNER = 'agent';
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
