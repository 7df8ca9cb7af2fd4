'use strict';
// What moontide asks the cloud is what the official SDK asks, field by field. The differences that are meant stand in
// differences.json, each with its reason; one that does not occur any more is a failure too.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const moontide = require('./moontide.js');

const differences = JSON.parse(fs.readFileSync(path.join(__dirname, 'differences.json'), 'utf8'))
  .filter(item => item.call);
const used = new Set();

function excused(call, field) {
  const found = differences.find(item => item.field === field &&
    (item.call === '*' || item.call === call || (item.call.endsWith('*') && call.startsWith(item.call.slice(0, -1)))));
  if (found) used.add(found);
  return Boolean(found);
}

/** One request as flat fields. */
function fields(entry) {
  const result = { method: entry.method, path: entry.path };
  for (const [key, value] of new URLSearchParams(entry.query || '')) if (key) result['query.' + key] = value;
  if (entry.body) {
    for (const [key, value] of Object.entries(JSON.parse(entry.body))) result['body.' + key] = JSON.stringify(value);
  }
  return result;
}

async function recorded(ready, wanted) {
  const answer = await fetch(ready.easemob.rest + '/sandbox/log');
  const log = await answer.json();
  const list = Array.isArray(log) ? log : log.requests || log.entries;
  return list.filter(entry => entry.method && wanted.test(entry.path)).map(fields);
}

async function reset(ready) { await fetch(ready.easemob.rest + '/sandbox/reset-log', { method: 'POST' }); }

const LISTS = /user_channels/;
const HISTORY = /messageroaming/;
// call name, what the SDK does, what moontide's script does, which requests are looked at
const CALLS = [
  ['getSessionList', c => c.getSessionList(), 'for _ in account:conversations { form = "old" } do end', LISTS],
  ['getConversationlist', c => c.getConversationlist(), 'for _ in account:conversations { form = "old" } do end', LISTS],
  ['getConversationlist paged', c => c.getConversationlist({ pageNum: 1, pageSize: 20 }),
    'account:conversations { form = "page", limit = 20 }()', LISTS],
  ['getServerConversations', c => c.getServerConversations({ pageSize: 50, cursor: '' }),
    'account:conversations { form = "list" }()', LISTS],
  ['getServerPinnedConversations', c => c.getServerPinnedConversations({ pageSize: 50, cursor: '' }),
    'account:conversations { form = "list", pinned = true }()', LISTS],
  ['getHistoryMessages up', c => c.getHistoryMessages({ targetId: 'peer', chatType: 'singleChat', pageSize: 20, cursor: -1 }),
    'account:conversation "peer":history_page { limit = 20 }', HISTORY],
  ['getHistoryMessages down', c => c.getHistoryMessages(
    { targetId: 'peer', chatType: 'singleChat', pageSize: 50, cursor: -1, searchDirection: 'down' }),
  'account:conversation "peer":history_page { limit = 50, order = "oldest" }', HISTORY],
  ['getHistoryMessages cursor', c => c.getHistoryMessages(
    { targetId: 'peer', chatType: 'singleChat', pageSize: 20, cursor: '1200000000000000005' }),
  'account:conversation "peer":history_page { limit = 20, cursor = "1200000000000000005" }', HISTORY],
  ['getHistoryMessages group search', c => c.getHistoryMessages({
    targetId: '93734273351681', chatType: 'groupChat', pageSize: 20, cursor: -1, searchDirection: 'down',
    searchOptions: { from: 'carol', msgTypes: ['txt', 'img'], startTime: 1700000050000, endTime: 1700000052000 },
  }), 'account:conversation "group:93734273351681":history_page { limit = 20, order = "oldest", from = "carol", ' +
    'kinds = { "text", "image" }, since = 1700000050000, ["until"] = 1700000052000 }', HISTORY],
  ['getHistoryMessages every kind', c => c.getHistoryMessages({
    targetId: 'peer', chatType: 'singleChat', pageSize: 1, cursor: '1200000000000000005', searchDirection: 'down',
    searchOptions: { msgTypes: ['txt', 'img', 'audio', 'video', 'file', 'loc', 'cmd', 'custom', 'combine'] },
  }), 'account:conversation "peer":history_page { limit = 1, cursor = "1200000000000000005", order = "oldest", kinds = ' +
    '{ "text", "image", "voice", "video", "file", "location", "command", "custom", "combine" } }', HISTORY],
  ['getHistoryMessages since', c => c.getHistoryMessages({
    targetId: 'peer', chatType: 'singleChat', pageSize: 20, cursor: -1, searchOptions: { startTime: 1700000050000 },
  }), 'account:conversation "peer":history_page { limit = 20, since = 1700000050000 }', HISTORY],
  ['getHistoryMessages from', c => c.getHistoryMessages({
    targetId: 'peer', chatType: 'singleChat', pageSize: 20, cursor: -1, searchOptions: { from: 'peer' },
  }), 'account:conversation "peer":history_page { limit = 20, from = "peer" }', HISTORY],
  ['getHistoryMessages room', c => c.getHistoryMessages(
    { targetId: '193734273351681', chatType: 'chatRoom', pageSize: 50, cursor: -1 }),
  'account:conversation "room:193734273351681":history_page { limit = 50 }', HISTORY],
  ['fetchHistoryMessages', c => { c.mr_cache = []; return c.fetchHistoryMessages({ queue: 'peer', count: 10 }); },
    'account:conversation "peer":history_page { limit = 20 }', HISTORY],
  ['getSessionList 3.6.3', (c, old) => old.getSessionList(), 'for _ in account:conversations { form = "old" } do end', LISTS],
  ['fetchHistoryMessages 3.6.3', (c, old) => old.fetchHistoryMessages({ queue: 'peer', count: 10 }),
    'account:conversation "peer":history_page { limit = 20 }', HISTORY],
];

tap.run(async () => {
  const sandbox = await moontide.sandbox('--faults', 'log=on');
  const { ready } = sandbox;
  const connection = await sdk.login(ready, 'agent');
  const peer = await sdk.login(ready, 'peer');
  const old = await sdk3.login(ready, 'agent');
  await sdk.send(peer, { type: 'txt', chatType: 'singleChat', to: 'agent', msg: 'hello' });
  const config = moontide.config(ready, 'agent');
  for (const [name, ask, script, wanted] of CALLS) {
    await reset(ready);
    await ask(connection, old).catch(() => {}); // an answer that is a refusal is a request all the same
    const [theirs] = await recorded(ready, wanted);
    await reset(ready);
    const file = path.join(moontide.scratch, 'ask.lua');
    fs.writeFileSync(file, `local moontide = require "moontide"\nlocal account = moontide.account "it"\n` +
      `moontide.try(function() ${/^for/.test(script) ? script : 'local _ = ' + script} end)\n`);
    const run = await moontide.run(['run', '-c', config, file]);
    const [ours] = await recorded(ready, wanted);
    if (!tap.ok(theirs && ours, `${name}: both ask`, run.err)) continue;
    const wrong = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
      .filter(key => theirs[key] !== ours[key] && !excused(name, key))
      .map(key => `${key}: the SDK ${theirs[key]}, moontide ${ours[key]}`);
    tap.ok(!wrong.length, `${name}: the same request`, wrong.join('\n'));
  }
  const stale = differences.filter(item => !used.has(item)).map(item => `${item.call} ${item.field}`);
  tap.ok(!stale.length, 'every documented difference occurs', stale.join('\n'));
  await old.close();
  connection.close();
  peer.close();
  await sandbox.stop();
});
