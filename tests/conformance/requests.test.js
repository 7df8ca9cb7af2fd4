'use strict';
// What moontide asks the cloud is what the official SDK asks, field by field. The differences that are meant stand in
// differences.json, each with its reason; one that does not occur any more is a failure too.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const sdk3 = require('./sdk3.js');
const generation = require('./generation.js');
const moontide = require('./moontide.js');

const differences = JSON.parse(fs.readFileSync(path.join(__dirname, 'differences.json'), 'utf8'))
  .filter(item => item.call);
const used = new Set();

/** call is a name, or «version: name»; a difference of all versions has no version. */
function excused(call, field) {
  const names = [call, call.replace(/^[^:]*: /, '')];
  const fits = pattern => pattern === '*' || names.some(name => name === pattern ||
    (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1))));
  const found = differences.find(item => item.field === field && fits(item.call));
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
const ROAMING = /message\/roaming/;
const CHANNEL = /user_channel/;
const GROUP = '93734273351681';
const ROOM = '193734273351681';
const IDS = ['1200000000000000001', '1200000000000000002'];
const MANAGE = ['--grant', 'read,send,organise,delete', '--apply'];
const onMark = (c, on, type, id) => c[on ? 'addConversationMark' : 'removeConversationMark'](
  { conversations: [{ conversationId: id, conversationType: type }], mark: 7 });
// call name, what the SDK does, what moontide's script does, which requests are looked at, the rights of the script
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
  ['removeHistoryMessages ids', c => c.removeHistoryMessages({ targetId: 'peer', chatType: 'singleChat', messageIds: IDS }),
    `account:conversation "peer":delete_messages { ids = { "${IDS.join('", "')}" } }`, ROAMING, MANAGE],
  ['removeHistoryMessages ids group', c => c.removeHistoryMessages({ targetId: GROUP, chatType: 'groupChat', messageIds: IDS }),
    `account:conversation "group:${GROUP}":delete_messages { ids = { "${IDS.join('", "')}" } }`, ROAMING, MANAGE],
  ['removeHistoryMessages ids room', c => c.removeHistoryMessages({ targetId: ROOM, chatType: 'chatRoom', messageIds: IDS }),
    `account:conversation "room:${ROOM}":delete_messages { ids = { "${IDS.join('", "')}" } }`, ROAMING, MANAGE],
  // The cloud deletes what is at delTime too; our before does not.
  ['removeHistoryMessages time', c => c.removeHistoryMessages(
    { targetId: 'peer', chatType: 'singleChat', beforeTimeStamp: 1700000003000 }),
  'account:conversation "peer":delete_messages { before = 1700000003001 }', ROAMING, MANAGE],
  ['removeHistoryMessages time group', c => c.removeHistoryMessages(
    { targetId: GROUP, chatType: 'groupChat', beforeTimeStamp: 1700000003000 }),
  `account:conversation "group:${GROUP}":delete_messages { before = 1700000003001 }`, ROAMING, MANAGE],
  ['pinConversation', c => c.pinConversation({ conversationId: 'peer', conversationType: 'singleChat', isPinned: true }),
    'account:conversation "peer":pin()', CHANNEL, MANAGE],
  ['pinConversation off', c => c.pinConversation({ conversationId: 'peer', conversationType: 'singleChat', isPinned: false }),
    'account:conversation "peer":pin(false)', CHANNEL, MANAGE],
  ['pinConversation group', c => c.pinConversation({ conversationId: GROUP, conversationType: 'groupChat', isPinned: true }),
    `account:conversation "group:${GROUP}":pin()`, CHANNEL, MANAGE],
  ['pinConversation group off', c => c.pinConversation(
    { conversationId: GROUP, conversationType: 'groupChat', isPinned: false }),
  `account:conversation "group:${GROUP}":pin(false)`, CHANNEL, MANAGE],
  ['addConversationMark', c => onMark(c, true, 'singleChat', 'peer'), 'account:conversation "peer":mark(7)', CHANNEL, MANAGE],
  ['addConversationMark group', c => onMark(c, true, 'groupChat', GROUP), `account:conversation "group:${GROUP}":mark(7)`,
    CHANNEL, MANAGE],
  ['removeConversationMark', c => onMark(c, false, 'singleChat', 'peer'), 'account:conversation "peer":mark(7, false)',
    CHANNEL, MANAGE],
  ['removeConversationMark group', c => onMark(c, false, 'groupChat', GROUP),
    `account:conversation "group:${GROUP}":mark(7, false)`, CHANNEL, MANAGE],
  ['getServerConversationsByFilter', c => c.getServerConversationsByFilter(
    { pageSize: 10, cursor: '', filter: { mark: 7 } }), 'account:conversations { limit = 10, mark = 7 }()', CHANNEL],
  ['getGroupMsgReadUser', (c, old, asked) => c.getGroupMsgReadUser({ msgId: asked.id, groupId: asked.group }),
    asked => `account:conversation "group:${asked.group}":history_page { limit = 1 }.messages[1]:readers_page {}`, /acks/, MANAGE],
  ['deleteConversation', c => c.deleteConversation({ channel: 'peer', chatType: 'singleChat', deleteRoam: false }),
    'account:conversation "peer":delete()', CHANNEL, MANAGE],
  ['deleteConversation roam', c => c.deleteConversation({ channel: 'peer', chatType: 'singleChat', deleteRoam: true }),
    'account:conversation "peer":delete { history = true }', CHANNEL, MANAGE],
  ['deleteSession', c => c.deleteSession({ channel: 'peer', chatType: 'singleChat', deleteRoam: false }),
    'account:conversation "peer":delete()', CHANNEL, MANAGE],
  ['deleteSession roam', c => c.deleteSession({ channel: GROUP, chatType: 'groupChat', deleteRoam: true }),
    `account:conversation "group:${GROUP}":delete { history = true }`, CHANNEL, MANAGE],
  ['deleteConversation group', c => c.deleteConversation({ channel: GROUP, chatType: 'groupChat', deleteRoam: false }),
    `account:conversation "group:${GROUP}":delete { history = false }`, CHANNEL, MANAGE],
  ['deleteAllMessagesAndConversations', c => c.deleteAllMessagesAndConversations(), 'account:delete_everything()', ROAMING,
    MANAGE],
];

// Which of them other generations ask as well; all of them: agora-chat.
const OTHERS = [
  ['4.0.8', ['getSessionList', 'getConversationlist', 'getHistoryMessages up', 'getHistoryMessages down',
    'getHistoryMessages cursor', 'fetchHistoryMessages', 'getGroupMsgReadUser', 'deleteSession', 'deleteSession roam']],
  ['4.1.2', ['getSessionList', 'getConversationlist', 'getHistoryMessages up', 'getHistoryMessages down',
    'getHistoryMessages cursor', 'fetchHistoryMessages', 'removeHistoryMessages ids', 'removeHistoryMessages ids group',
    'removeHistoryMessages time', 'removeHistoryMessages time group', 'getGroupMsgReadUser', 'deleteSession',
    'deleteSession roam']],
  ['agora-chat 1.4.0', CALLS.map(([name]) => name).filter(name => !/3\.6\.3/.test(name))],
];

/** A user of another generation, as a connection. */
const asConnection = user => new Proxy({}, {
  get: (target, name) => (name in target || name === 'then' ? target[name] : (...args) => user.call(name, ...args)),
});

/** A message of the owner in a group that asks for receipts. */
async function asksForReceipts(connection) {
  const made = await connection.createGroup({ data: { groupname: 'requests', desc: '', members: ['peer'], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;
  const id = await sdk.send(connection, { type: 'txt', chatType: 'groupChat', to: group, msg: 'read me',
    msgConfig: { allowGroupAck: true } });
  return { id, group };
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--faults', 'log=on');
  const { ready } = sandbox;
  const connection = await sdk.login(ready, 'agent');
  const peer = await sdk.login(ready, 'peer');
  const old = await sdk3.login(ready, 'agent');
  await sdk.send(peer, { type: 'txt', chatType: 'singleChat', to: 'agent', msg: 'hello' });
  const config = moontide.config(ready, 'agent');
  const first = await asksForReceipts(connection);
  const compare = async (name, connection, [, ask, does, wanted, rights], asked) => {
    const script = typeof does === 'function' ? does(asked) : does;
    await reset(ready);
    await ask(connection, old, asked).catch(() => {}); // an answer that is a refusal is a request all the same
    const [theirs] = await recorded(ready, wanted);
    await reset(ready);
    const file = path.join(moontide.scratch, 'ask.lua');
    fs.writeFileSync(file, `local moontide = require "moontide"\nlocal account = moontide.account "it"\n` +
      `moontide.try(function() ${/^for/.test(script) ? script : 'local _ = ' + script} end)\n`);
    const run = await moontide.run(['run', '-c', config, file, ...(rights || [])]);
    const [ours] = await recorded(ready, wanted);
    if (!tap.ok(theirs && ours, `${name}: both ask`, run.err)) return;
    const wrong = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
      .filter(key => theirs[key] !== ours[key] && !excused(name, key))
      .map(key => `${key}: the SDK ${theirs[key]}, moontide ${ours[key]}`);
    tap.ok(!wrong.length, `${name}: the same request`, wrong.join('\n'));
  };
  for (const call of CALLS) await compare(call[0], connection, call, first);
  for (const [version, names] of OTHERS) {
    const user = await generation.login(version, ready, 'agent');
    const asked = await asksForReceipts(connection);
    for (const call of CALLS.filter(([name]) => names.includes(name))) {
      await compare(`${version}: ${call[0]}`, asConnection(user), call, asked);
    }
    await user.close();
  }
  const stale = differences.filter(item => !used.has(item)).map(item => `${item.call} ${item.field}`);
  tap.ok(!stale.length, 'every documented difference occurs', stale.join('\n'));
  await old.close();
  connection.close();
  peer.close();
  await sandbox.stop();
});
