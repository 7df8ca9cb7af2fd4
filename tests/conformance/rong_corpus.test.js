'use strict';
// The whole job at the other cloud: RongCloud's SDK fills the sandbox as many users with real chats, moontide exports the
// owner's account, and the archive equals what was sent and what the SDK's own history returns, in order; it verifies and can be
// read as a page.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const child = require('./child.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');
const { OWNER, corpus, fill, compare, exported, exportedAgain } = require('./corpus.js');

const SAMPLE = 1500; // of each set, unless MT_CORPUS_LIMIT says otherwise; 0 is all of it
// All of the corpus has 5,297 authors, and in the order of the chats each would log in again and again: there one after the
// other says all that is theirs.
const WHOLE = process.env.MT_CORPUS_LIMIT === '0';
const PROCESSES = WHOLE ? 3 : 8; // of those who speak; the more of them hear a message, the dearer it is
const EACH = 4; // users of a process: the SDK, loaded again and again, gets slower
const AHEAD = WHOLE ? 60 : 8; // messages whose authors log in while others speak
const AUTHORS = 4; // of these, so many at most

/** Those who speak. The oldest process goes with its users when there are too many. */
class Users {
  constructor(ready) { Object.assign(this, { ready, processes: [], of: new Map(), logins: 0, saying: Promise.resolve() }); }
  /** Where the user is, or will be. */
  async expect(user) {
    if (!this.of.has(user)) this.login(user);
    const { process, online } = this.of.get(user);
    await online;
    return process;
  }
  login(user) {
    let last = this.processes.at(-1);
    if (!last || last.users.length === EACH) {
      last = { ...child.start('rong_many.js', 'those who speak'), users: [], online: [] };
      this.processes.push(last);
      if (this.processes.length > PROCESSES) this.close(this.processes.shift());
    }
    const online = last.ask('login', user, this.ready.rongcloud);
    online.catch(() => {}); // whoever waits for it is told
    last.users.push(user);
    last.online.push(online);
    this.of.set(user, { process: last, online });
    this.logins += 1;
  }
  /** Sends a text as that user. */
  async send(user, to, text) {
    const process = await this.expect(user);
    this.saying = process.ask('say', user, to, text);
    const message = await this.saying;
    if (message.senderUserId !== user) throw new Error(`${user}: the SDK sent as ${message.senderUserId}`);
    return message;
  }
  async close(process) {
    for (const user of process.users) this.of.delete(user);
    await Promise.allSettled([...process.online, this.saying]);
    await process.ask('close');
    process.end();
  }
  async closeAll() { await Promise.all(this.processes.map(process => this.close(process))); }
}

/** One conversation after the other: those who speak in one are many enough. */
async function fillAll(ready, lines) {
  const users = new Users(ready);
  let turn = Promise.resolve();
  const one = async (list, to, sender, name) => {
    const before = turn;
    let end;
    turn = new Promise(resolve => { end = resolve; });
    await before;
    const sent = [];
    const author = line => sender(line)[0];
    const order = WHOLE ? [...list].sort((a, b) => (author(a) < author(b) ? -1 : author(a) > author(b) ? 1 : 0)) : list;
    for (const [i, line] of order.entries()) {
      const coming = new Set(order.slice(i + 1, i + 1 + AHEAD).map(author));
      for (const user of [...coming].slice(0, AUTHORS)) users.expect(user).catch(() => {});
      const [from, where] = sender(line);
      const { messageUId } = await users.send(from, where, line.text);
      sent.push([messageUId, from, line.text]);
    }
    end();
    return { conversation: name, to, sent };
  };
  const inGroup = (list, id) => one([{ from: OWNER, text: 'opened' }, ...list], rong.group(id),
    line => [line.from, rong.group(id)], `group:${id}`);
  const inSingle = (list, peer) => one(list, rong.one(peer),
    line => (line.from === 'agent' ? [OWNER, rong.one(peer)] : [peer, rong.one(OWNER)]), `single:${peer}`);
  const filled = await fill(lines, inGroup, inSingle);
  await users.closeAll();
  return { filled, logins: users.logins };
}

/** The SDK's own history of one conversation, oldest first. */
async function history(user, to) {
  const all = [];
  for (let timestamp = 0; ;) {
    const page = await user.ok('getHistoryMessages', to, { timestamp, count: 100, order: 1 });
    for (const message of page.list) all.push([message.messageUId, message.senderUserId, message.content.content]);
    if (!page.hasMore || !page.list.length) return all;
    timestamp = page.list.at(-1).sentTime;
  }
}

tap.run(async () => {
  const { name, lines } = corpus(SAMPLE);
  const sandbox = await moontide.sandbox('--rongcloud', 'openHistoryMsg=0'); // one frame to each who hears a message, not three
  const { ready } = sandbox;
  tap.note(`source: ${name}, ${lines.length} messages`);
  const begin = Date.now();
  const { filled, logins } = await fillAll(ready, lines);
  const total = filled.reduce((sum, chat) => sum + chat.sent.length, 0);
  const groups = filled.filter(chat => chat.conversation.startsWith('group:')).length;
  tap.note(`${total} messages sent in ${filled.length} conversations with ${logins} logins, ${Date.now() - begin} ms`);
  tap.equal(total, lines.length + groups, 'the SDK sent every message of the set, and one to open each group');

  const dir = path.join(moontide.scratch, 'archive');
  const options = { password: rong.token(OWNER) };
  const config = moontide.rongConfig(ready, OWNER);
  const archive = await exported(config, dir, filled, options);
  const reader = await rong.login(ready, OWNER);
  const seen = new Map();
  for (const chat of filled) seen.set(chat, await history(reader, chat.to));
  compare("the SDK's history returns the same", filled, chat => seen.get(chat));
  await reader.close();
  await exportedAgain(config, dir, archive, options);

  const pages = path.join(moontide.scratch, 'html');
  const html = await moontide.run(['export', '-c', config, '-a', 'it', '-o', pages, '--format', 'html'], options);
  tap.equal(html.status, 0, 'the export as pages ends with status 0');
  if (html.status) tap.note(html.err.trim());
  const text = fs.readdirSync(pages, { recursive: true }).filter(file => file.endsWith('.html'))
    .map(file => fs.readFileSync(path.join(pages, file), 'utf8')).join('');
  const shown = text.replace(/<[^>]*>/g, '').replace(/&(lt|gt|quot|#39|amp);/g,
    (all, name) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name]);
  const absent = filled.flatMap(chat => chat.sent).filter(([, , said]) => !shown.includes(said));
  tap.equal(absent, [], 'every message stands on a page');
  await sandbox.stop();
});
