'use strict';
// The whole job: the official SDK fills the sandbox as many users with real chats, moontide exports the owner's
// account, and the archive equals what was sent and what the SDK's own history calls return, in order.
// Where the corpus is absent, a small set made here takes its place, and the test says so.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const moontide = require('./moontide.js');

const OWNER = 'agent';
const ONLINE = 6; // authors of the group that are logged in at a time
const OLD_EVERY = 10; // each so-manyth peer of a single chat uses SDK 3.6.3

function corpus() {
  const shared = process.env.MT_SHARED || path.join(__dirname, '../../../shared');
  const files = ['group.jsonl', 'single.jsonl'].map(name => path.join(shared, 'corpus', name));
  if (files.every(file => fs.existsSync(file))) {
    const lines = files.flatMap(file => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map(JSON.parse));
    const limit = Number(process.env.MT_CORPUS_LIMIT || 0);
    if (!limit) return { name: 'the corpus', lines };
    const group = lines.filter(line => line.chat === 'group').slice(0, limit);
    const single = lines.filter(line => line.chat === 'single').slice(0, limit);
    return { name: `the first ${limit} messages of each set of the corpus`, lines: [...group, ...single] };
  }
  const lines = [];
  for (let i = 0; i < 400; i++) {
    const group = i % 3 !== 0;
    lines.push({
      chat: group ? 'group' : 'single', conversation: group ? 'lobby' : `guest${i % 5}`,
      from: group ? `member-${i % 7}` : (i % 2 ? 'agent' : 'customer'), text: `第 ${i} 条 – line ${i} "quoted" 😀`,
    });
  }
  return { name: 'a made-up set (no corpus beside the project)', lines };
}

/** Keeps the few most recent users logged in. */
class Users {
  constructor(ready, size) { Object.assign(this, { ready, size, online: new Map(), logins: 0 }); }
  async get(user) {
    let connection = this.online.get(user);
    if (connection) this.online.delete(user);
    else { connection = await sdk.login(this.ready, user); this.logins += 1; }
    this.online.set(user, connection);
    while (this.online.size > this.size) {
      const [oldest, old] = this.online.entries().next().value;
      this.online.delete(oldest);
      old.close();
    }
    return connection;
  }
  close() { for (const connection of this.online.values()) connection.close(); this.online.clear(); }
}

async function fillGroup(ready, owner, lines) {
  const group = await owner.createGroup({
    data: { groupname: 'corpus', desc: '', members: [], public: true, approval: false, allowinvites: true },
  });
  const id = group.data.groupid;
  const users = new Users(ready, ONLINE);
  const sent = [];
  for (const line of lines) {
    const connection = await users.get(line.from);
    const messageId = await sdk.send(connection, { type: 'txt', chatType: 'groupChat', to: id, msg: line.text });
    sent.push([messageId, line.from, line.text]);
  }
  users.close();
  return { conversation: `group:${id}`, chatType: 'groupChat', target: id, sent, logins: users.logins };
}

/** The peer of a single chat, with the new or the old SDK: {send(text), history(chat), close()}. */
async function guestOf(ready, peer, old) {
  if (!old) {
    const guest = await sdk.login(ready, peer);
    return {
      send: text => sdk.send(guest, { type: 'txt', chatType: 'singleChat', to: OWNER, msg: text }),
      close: () => guest.close(),
    };
  }
  const guest = await sdk3.login(ready, peer);
  return {
    send: text => guest.send('txt', { chatType: 'singleChat', to: OWNER, msg: text }),
    history: count => history3(guest, OWNER, false, count),
    close: () => guest.close(),
  };
}

async function fillSingle(ready, owner, peer, lines, old) {
  const guest = await guestOf(ready, peer, old);
  const sent = [];
  for (const line of lines) {
    const mine = line.from === 'agent';
    const messageId = mine ? await sdk.send(owner, { type: 'txt', chatType: 'singleChat', to: peer, msg: line.text })
      : await guest.send(line.text);
    sent.push([messageId, mine ? OWNER : peer, line.text]);
  }
  const seen3 = guest.history ? await guest.history(sent.length + 1) : null;
  await guest.close();
  return { conversation: `single:${peer}`, chatType: 'singleChat', target: peer, sent, seen3, logins: 1 };
}

function byConversation(lines) {
  const result = new Map();
  for (const line of lines) {
    const key = `${line.chat}:${line.conversation}`;
    if (!result.has(key)) result.set(key, []);
    result.get(key).push(line);
  }
  return result;
}

async function fill(ready, lines) {
  const owner = await sdk.login(ready, OWNER);
  const filled = [];
  const singles = [];
  const groups = [];
  for (const [key, list] of byConversation(lines)) (key.startsWith('group:') ? groups : singles).push([key, list]);
  const workers = groups.map(async ([, list]) => { filled.push(await fillGroup(ready, owner, list)); });
  let taken = 0;
  for (let i = 0; i < 2; i++) {
    workers.push((async () => {
      for (let next = singles.shift(); next; next = singles.shift()) {
        filled.push(await fillSingle(ready, owner, next[0].slice('single:'.length), next[1], taken++ % OLD_EVERY === 0));
      }
    })());
  }
  await Promise.all(workers);
  owner.close();
  return filled;
}

/** The SDK's own history of one conversation, oldest first. */
async function history(connection, chat) {
  const all = [];
  for (let cursor = -1; ;) {
    const page = await connection.getHistoryMessages({
      targetId: chat.target, chatType: chat.chatType, pageSize: 50, cursor, searchDirection: 'down',
    });
    for (const message of page.messages) all.push([message.id, message.from, message.msg]);
    if (page.isLast || !page.cursor) return all;
    cursor = page.cursor;
  }
}

async function fetched(connection, chat) {
  connection.mr_cache = [];
  const messages = await connection.fetchHistoryMessages({
    queue: chat.target, isGroup: chat.chatType === 'groupChat', count: chat.sent.length + 1, format: true,
  });
  return messages.map(message => [message.id, message.from, message.msg]);
}

/** What 3.6.3 returns of a conversation, oldest first. */
async function history3(user, queue, isGroup, count) {
  const messages = await user.fetchHistoryMessages({ queue, isGroup, count });
  return messages.map(message => [message.id, message.from, message.data]);
}

function difference(got, want) {
  const at = want.findIndex((item, i) => JSON.stringify(item) !== JSON.stringify(got[i]));
  if (at < 0 && got.length === want.length) return null;
  const index = at < 0 ? want.length : at;
  return `${got.length} of ${want.length}; first difference at ${index}: got ${JSON.stringify(got[index])}, ` +
    `want ${JSON.stringify(want[index])}`;
}

function compare(name, filled, take) {
  const wrong = [];
  for (const chat of filled) {
    const found = difference(take(chat), chat.sent);
    if (found) wrong.push(`${chat.conversation}: ${found}`);
  }
  tap.ok(!wrong.length, name, wrong.join('\n'));
}

/** The end of the journal, for a report. */
function tail(dir) {
  const file = path.join(dir, 'easemob', 'sandbox%23demo', OWNER, 'CHECKPOINT');
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(-3).join('\n') : 'no CHECKPOINT';
}

tap.run(async () => {
  const { name, lines } = corpus();
  const sandbox = await moontide.sandbox();
  tap.note(`source: ${name}, ${lines.length} messages`);

  const begin = Date.now();
  const filled = await fill(sandbox.ready, lines);
  const total = filled.reduce((sum, chat) => sum + chat.sent.length, 0);
  const logins = filled.reduce((sum, chat) => sum + chat.logins, 1);
  tap.note(`${total} messages sent in ${filled.length} conversations with ${logins} logins, ${Date.now() - begin} ms`);
  tap.equal(total, lines.length, 'the SDK sent every message of the set');

  const dir = path.join(moontide.scratch, 'archive');
  const config = moontide.config(sandbox.ready, OWNER);
  const exported = await moontide.run(['export', '-c', config, '-a', 'it', '-o', dir]);
  tap.equal(exported.status, 0, 'the export ends with status 0');
  if (exported.status) tap.note(exported.err.trim());
  const verified = await moontide.run(['verify', dir]);
  tap.equal(verified.status, 0, 'the archive verifies');
  if (verified.status) tap.note((verified.out + verified.err + exported.out + exported.err + tail(dir)).trim().replace(/\n/g, '\n# '));

  const archive = moontide.archive(dir);
  tap.equal([...archive.keys()].sort(), filled.map(chat => chat.conversation).sort(),
    'the archive has exactly the conversations that were filled');
  compare('the archive equals what was sent, message by message and in order', filled,
    chat => (archive.get(chat.conversation) || []).map(line => [line.id, line.from, line.text]));

  const reader = await sdk.login(sandbox.ready, OWNER);
  const paged = new Map();
  const cached = new Map();
  for (const chat of filled) {
    paged.set(chat, await history(reader, chat));
    cached.set(chat, await fetched(reader, chat));
  }
  compare('getHistoryMessages returns the same', filled, chat => paged.get(chat));
  compare('fetchHistoryMessages returns the same', filled, chat => cached.get(chat));
  reader.close();
  const olds = filled.filter(chat => chat.seen3);
  compare(`fetchHistoryMessages of 3.6.3 returned the same to its ${olds.length} senders`, olds, chat => chat.seen3);
  const owner3 = await sdk3.login(sandbox.ready, OWNER);
  const seen = new Map();
  for (const chat of filled) {
    seen.set(chat, await history3(owner3, chat.target, chat.chatType === 'groupChat', chat.sent.length + 1));
  }
  await owner3.close();
  compare('fetchHistoryMessages of 3.6.3 returns the same to the owner', filled, chat => seen.get(chat));

  const again = await moontide.run(['export', '-c', config, '-a', 'it', '-o', dir]);
  tap.equal(again.status, 0, 'one more export ends with status 0');
  const after = moontide.archive(dir);
  const count = lists => [...lists.values()].reduce((sum, list) => sum + list.length, 0);
  tap.equal(count(after), count(archive), 'one more export changes nothing');
  await sandbox.stop();
});
