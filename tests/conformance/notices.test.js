'use strict';
// What the cloud says besides messages, to SDK 4.21.1 and to moontide: of groups, rooms, contacts, reactions, threads,
// presence and muting. It is not moontide's business, and comes as one event, notice, with all that was said.
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const peers = require('./peers.js');
const { Arrivals } = require('./arrivals.js');
const moontide = require('./moontide.js');

// Just enough protobuf: fields by number; a number is a varint, a text or bytes are length-delimited.
function varint(value) {
  const out = [];
  let left = BigInt(value);
  do { const low = Number(left & 127n); left >>= 7n; out.push(left ? low | 128 : low); } while (left);
  return Buffer.from(out);
}
function encode(fields) {
  return Buffer.concat(fields.map(([number, value]) => {
    if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
    const bytes = Buffer.from(value);
    return Buffer.concat([varint(number << 3 | 2), varint(bytes.length), bytes]);
  }));
}

const jid = (name, domain = 'easemob.com') => encode([[1, 'sandbox#demo'], [2, name], [3, domain]]);
const GROUP = '93734273351681';
/** A MUCBody: mucId 1, operation 2, from 3, to 4, reason 6, isChatroom 7. */
const muc = (operation, room = false) => encode([[1, jid(GROUP, 'conference.easemob.com')], [2, operation], [3, jid('boss')],
  [4, jid('me')], [6, 'because'], [7, room ? 1 : 0]]);
/** A RosterBody: operation 1, from 3, to 4, reason 5. */
const roster = operation => encode([[1, operation], [3, jid('boss')], [4, jid('me')], [5, 'because']]);
const json = value => Buffer.from(JSON.stringify(value));

// name space, payload, the SDK's event and some of it, and some of moontide's data
const GROUPS = [
  ['onGroupEvent', 'muteMember', 23, 'ADD_MUTE'], ['onGroupEvent', 'unmuteMember', 24, 'REMOVE_MUTE'],
  ['onGroupEvent', 'removeMember', 10, 'KICK'], ['onGroupEvent', 'destroy', 1, 'DESTROY'],
  ['onGroupEvent', 'inviteToJoin', 7, 'INVITE'], ['onGroupEvent', 'directJoined', 19, 'DIRECT_JOINED'],
  ['onGroupEvent', 'setAdmin', 21, 'ADD_ADMIN'], ['onGroupEvent', 'changeOwner', 20, 'ASSIGN_OWNER'],
].map(([event, operation, number, name]) => [2, muc(number), event, { operation, id: GROUP, from: 'boss' },
  { type: 'group', operation: name, number, from: 'boss' }, `group:${GROUP}`]);
const ROOMS = [['muteMember', 23, 'ADD_MUTE'], ['removeMember', 10, 'KICK']].map(([operation, number, name]) =>
  [2, muc(number, true), 'onChatroomEvent', { operation, id: GROUP, from: 'boss' },
    { type: 'group', operation: name, number, from: 'boss' }, `room:${GROUP}`]);
const CONTACTS = [['onContactInvited', 2], ['onContactDeleted', 3], ['onContactAdded', 4], ['onContactRefuse', 5],
  ['onContactAgreed', 8]].map(([event, number]) => [3, roster(number), event, { from: 'boss', to: 'me' },
  { type: 'contact', number, from: 'boss', reason: 'because' }]);
const REACTION = { type: 'reaction', data: [{ from: 'boss', to: 'me', channel_type: 'chat', messageId: '17', ts: 1700000000000,
  reactions: [{ reaction: 'smile', count: 1, state: true, userList: ['boss'], op: [{ reactionType: 'create', operator: 'boss' }] }] }] };
const THREAD = { type: 'thread', data: { operation: 'create', id: '33', name: 'T', muc_parent_id: GROUP, msg_parent_id: '17',
  from: 'boss', timestamp: 1700000000000 } };
const PRESENCE = { type: 'presence', data: { values: [{ uid: 'boss', last_time: 1700000000, expiry: 86400, ext: 'away',
  status: { web: '1' } }] } };
const SILENT = { type: 'user_notification_mute', values: [{ operator_resource: 'phone', user: 'boss', data: { type: 'NONE' } }] };
const OTHERS = [
  [5, json(REACTION), 'onReactionChange', { messageId: '17' }, REACTION],
  [5, json(THREAD), 'onChatThreadChange', { id: '33', name: 'T' }, THREAD],
  [5, json(PRESENCE), 'onPresenceStatusChange', { 0: { userId: 'boss', ext: 'away' } }, PRESENCE],
  [5, json(SILENT), 'onMultiDeviceEvent', { operation: 'setSilentModeForConversation', conversationId: 'boss' }, SILENT],
];

/** Whether all that is wanted stands in what came. */
function holds(got, want) {
  if (want === null || typeof want !== 'object') return got === want;
  return got !== null && typeof got === 'object' && Object.entries(want).every(([key, value]) => holds(got[key], value));
}

tap.run(async () => {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  const seen = new Arrivals();
  const names = new Set([...GROUPS, ...ROOMS, ...CONTACTS, ...OTHERS].map(item => item[2]));
  const user = await sdk.login(ready, 'me',
    { events: Object.fromEntries([...names].map(name => [name, event => seen.push({ name, event })])) });
  const bot = await peers.bot(ready, 'me');
  for (const [ns, payload, name, theirs, ours, conversation] of [...GROUPS, ...ROOMS, ...CONTACTS, ...OTHERS]) {
    const answer = await fetch(`${ready.easemob.rest}/sandbox/tell`, { method: 'POST',
      body: JSON.stringify({ user: 'me', ns, payload: payload.toString('base64') }) });
    if (answer.status !== 200) throw new Error(await answer.text());
    const { event } = await seen.take(one => one.name === name, name);
    const { rest } = await bot.seen.take(one => one.event === 'notice', 'notice');
    const what = `${name}${theirs.operation ? ' ' + theirs.operation : ''}`;
    tap.ok(holds(event, theirs), `the SDK hears ${what}`, JSON.stringify(event));
    tap.ok(holds(rest.data, ours) && rest.conversation === conversation, `moontide hears notice with all of it: ${what}`, JSON.stringify(rest));
  }
  tap.equal(bot.seen.items, [], 'nothing else came of it');
  tap.equal(await bot.stop(), 0, 'the script ends well');
  user.close();
  await sandbox.stop();
});
