'use strict';
// The whole job: the official SDK fills the sandbox as many users with real chats, moontide exports the owner's
// account, and the archive equals what was sent and what the SDK's own history calls return, in order.
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const moontide = require('./moontide.js');
const { OWNER, corpus, fill, compare, exported, exportedAgain } = require('./corpus.js');

const ONLINE = 6; // authors of the group that are logged in at a time
const OLD_EVERY = 10; // each so-manyth peer of a single chat uses SDK 3.6.3

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

async function fillAll(ready, lines) {
  const owner = await sdk.login(ready, OWNER);
  const filled = await fill(lines, list => fillGroup(ready, owner, list),
    (list, peer, taken) => fillSingle(ready, owner, peer, list, taken % OLD_EVERY === 0));
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

tap.run(async () => {
  const { name, lines } = corpus();
  const sandbox = await moontide.sandbox();
  tap.note(`source: ${name}, ${lines.length} messages`);

  const begin = Date.now();
  const filled = await fillAll(sandbox.ready, lines);
  const total = filled.reduce((sum, chat) => sum + chat.sent.length, 0);
  const logins = filled.reduce((sum, chat) => sum + chat.logins, 1);
  tap.note(`${total} messages sent in ${filled.length} conversations with ${logins} logins, ${Date.now() - begin} ms`);
  tap.equal(total, lines.length, 'the SDK sent every message of the set');

  const dir = path.join(moontide.scratch, 'archive');
  const config = moontide.config(sandbox.ready, OWNER);
  const archive = await exported(config, dir, filled);

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

  await exportedAgain(config, dir, archive);
  await sandbox.stop();
});
