'use strict';
// The corpus of real chats as something to send, and how an export of it is compared with what was sent. Where the corpus is
// absent, a small set made here takes its place, and the test says so.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const moontide = require('./moontide.js');

const OWNER = 'agent';

/** sample: so many lines of each set where MT_CORPUS_LIMIT says nothing; 0: all. */
function corpus(sample = 0) {
  const shared = process.env.MT_SHARED || path.join(__dirname, '../../../shared');
  const files = ['group.jsonl', 'single.jsonl'].map(name => path.join(shared, 'corpus', name));
  if (files.every(file => fs.existsSync(file))) {
    const lines = files.flatMap(file => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map(JSON.parse));
    const limit = Number(process.env.MT_CORPUS_LIMIT || sample);
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

function byConversation(lines) {
  const result = new Map();
  for (const line of lines) {
    const key = `${line.chat}:${line.conversation}`;
    if (!result.has(key)) result.set(key, []);
    result.get(key).push(line);
  }
  return result;
}

/** Fills by conversation: all groups at once, the single chats by two at a time; what each function resolves, as a list. */
async function fill(lines, fillGroup, fillSingle) {
  const filled = [];
  const singles = [];
  const groups = [];
  for (const [key, list] of byConversation(lines)) (key.startsWith('group:') ? groups : singles).push([key, list]);
  const workers = groups.map(async ([key, list]) => { filled.push(await fillGroup(list, key.slice('group:'.length))); });
  let taken = 0;
  for (let i = 0; i < 2; i++) {
    workers.push((async () => {
      for (let next = singles.shift(); next; next = singles.shift()) {
        filled.push(await fillSingle(next[1], next[0].slice('single:'.length), taken++));
      }
    })());
  }
  await Promise.all(workers);
  return filled;
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

/** The end of the journal of an archive, for a report. */
function tail(dir) {
  const found = fs.readdirSync(dir, { recursive: true }).find(name => path.basename(name) === 'CHECKPOINT');
  return found ? fs.readFileSync(path.join(dir, found), 'utf8').split('\n').slice(-3).join('\n') : 'no CHECKPOINT';
}

/** Exports the owner's account, verifies the archive, and compares it with what was filled: the archive. */
async function exported(config, dir, filled, options) {
  const run = await moontide.run(['export', '-c', config, '-a', 'it', '-o', dir], options);
  tap.equal(run.status, 0, 'the export ends with status 0');
  if (run.status) tap.note(run.err.trim());
  const verified = await moontide.run(['verify', dir]);
  tap.equal(verified.status, 0, 'the archive verifies');
  if (verified.status) tap.note((verified.out + verified.err + run.out + run.err + tail(dir)).trim().replace(/\n/g, '\n# '));
  const archive = moontide.archive(dir);
  tap.equal([...archive.keys()].sort(), filled.map(chat => chat.conversation).sort(),
    'the archive has exactly the conversations that were filled');
  compare('the archive equals what was sent, message by message and in order', filled,
    chat => (archive.get(chat.conversation) || []).map(line => [line.id, line.from, line.text]));
  return archive;
}

/** A second export of the same adds nothing. */
async function exportedAgain(config, dir, archive, options) {
  const again = await moontide.run(['export', '-c', config, '-a', 'it', '-o', dir], options);
  tap.equal(again.status, 0, 'one more export ends with status 0');
  const count = lists => [...lists.values()].reduce((sum, list) => sum + list.length, 0);
  tap.equal(count(moontide.archive(dir)), count(archive), 'one more export changes nothing');
}

module.exports = { OWNER, corpus, fill, compare, exported, exportedAgain };
