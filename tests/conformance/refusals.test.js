'use strict';
// What the cloud refuses: for each status that it can answer the SDK's error type is moontide's provider_code, with a
// stable code beside it; and the causes that a user meets lead there.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const sdk = require('./sdk.js');
const generation = require('./generation.js');
const peers = require('./peers.js');
const moontide = require('./moontide.js');
const { BYTES, file4 } = require('./kinds.js');

const ME = 'mia';
const PEER = 'pat';
const NEVER = null; // 4.21.1 never settles the promise

// Status.errorCode, reason, the type of 4.21.1, moontide's code
const STATUSES = [
  [15, '', 507, 'send.muted'],
  [1, 'blocked', 603, 'send.blocked'],
  [1, 'group not found', 605, 'send.group_not_found'],
  [1, 'not in group or chatroom', 602, 'send.not_member'],
  [1, 'exceed recall time limit', 504, 'recall.too_late'],
  [1, 'message recall disabled', 505, 'recall.disabled'],
  [1, 'not in group or chatroom white list', 506, 'send.not_allowed'],
  [1, 'nonroster', 221, 'send.not_contact'],
  [1, 'group is disabled', 608, 'send.group_disabled'],
  [1, 'limit directed users', 50, 'send.too_many_receivers'],
  [1, 'Sorry, edit limit reached', 50, 'edit.limit'],
  [1, 'Sorry, message does not exist', 1302, 'send.no_message'],
  [1, 'Sorry, format is incorrect', 1303, 'edit.format'],
  [1, 'Sorry, edit fail', 1304, 'edit.failed'],
  [1, 'Sorry, You do not have permission', 603, 'send.denied'],
  [1, 'Sorry, edit is not available', 505, 'edit.disabled'],
  [1, 'moderation says no', 508, 'send.moderated'],
  [1, 'grpID 17 does not exist!', 705, 'send.room_not_found'],
  [1, 'group member list is full!', 704, 'room.full'],
  [1, "username bob doesn't exist!", 204, 'user.unknown'],
  [1, 'whatever else', 503, 'send.failed'],
  [7, 'sensitive words', 501, 'send.sensitive'],
  [7, 'blocked by mod_antispam', 501, 'send.sensitive'],
  [7, 'user is mute', 219, 'send.muted_here'],
  [7, 'traffic limit', 509, 'send.rate'],
  [7, 'Sorry, data is too large', 511, 'send.too_large'],
  [7, 'whatever else', NEVER, 'send.denied'],
  [19, 'no', 502, 'send.hook'],
  [3, 'whatever', 604, 'send.refused'],
  [8, '', 604, 'send.refused'],
];
// The codes of the manual (seed 004), which its oldest reader has as well.
const MANUAL = [603, 605, 602, 504, 505, 506, 501, 502, 503];

const post = (ready, path, body) => fetch(ready.easemob.rest + path, { method: 'POST', body });
async function refuse(ready, user, code, reason) {
  const answer = await post(ready, '/sandbox/refuse', JSON.stringify({ user, code, reason, n: 1 }));
  if (answer.status !== 200) throw new Error(await answer.text());
}

/** The fault of what fails. */
async function fault(promise) {
  try { await promise; } catch (error) { return error.fault || { type: error.type, message: error.message }; }
  return {};
}

const theirs = async promise => (await fault(promise)).type;
const text = (to, msg, chatType = 'singleChat') => ({ type: 'txt', chatType, to, msg });

async function statuses(world) {
  const { ready, user, old, bot } = world;
  const stable = new Map();
  for (const [code, reason, type, name] of STATUSES) {
    const what = `${code} ${reason || '–'}`;
    if (type !== NEVER) {
      await refuse(ready, PEER, code, reason);
      tap.equal(await theirs(sdk.send(user.connection, text(ME, 'x'))), type, `the SDK says ${type}: ${what}`);
    }
    await refuse(ready, ME, code, reason);
    const ours = await fault(bot.ask('send', `single:${PEER}`, { send: { text: 'x' } }));
    tap.equal([ours.provider_code, ours.code], [type === NEVER ? 603 : type, name], `moontide says the same: ${what}`);
    if (stable.has(name)) tap.equal(ours.kind, stable.get(name), `one code is of one kind: ${name}`);
    stable.set(name, ours.kind);
    if (!MANUAL.includes(type) || reason.startsWith('Sorry')) continue; // texts of later versions
    await refuse(ready, old.user, code, reason);
    const said = await theirs(old.send(text(ME, 'x')));
    tap.equal(said, type, `3.6.3 says ${type}: ${what}`);
  }
}

async function refersRefused({ ready, user, bot }) {
  const { id } = await bot.ask('send', `single:${PEER}`, { send: { text: 'mine' } });
  const own = await sdk.send(user.connection, text(ME, 'mine'));
  await refuse(ready, PEER, 1, 'message recall disabled');
  const type = await theirs(user.connection.recallMessage({ mid: own, to: ME, chatType: 'singleChat' }));
  await refuse(ready, ME, 1, 'message recall disabled');
  const ours = await fault(bot.ask('recall', `single:${PEER}`, { id }));
  tap.equal([type, ours.provider_code, ours.code], [505, 505, 'recall.disabled'], 'a recall that is not opened');
  await refuse(ready, PEER, 1, 'Sorry, edit is not available');
  const editing = await theirs(user.connection.modifyMessage({ messageId: own, modifiedMessage: sdk.message4.create(text(ME, 'y')) }));
  await refuse(ready, ME, 1, 'Sorry, edit is not available');
  const edit = await fault(bot.ask('edit', `single:${PEER}`, { id, edit: 'y' }));
  tap.equal([editing, edit.provider_code, edit.code], [505, 505, 'edit.disabled'], 'an edit that is not opened');
  await refuse(ready, ME, 19, 'no');
  const read = await fault(bot.ask('conversation_read', `single:${PEER}`));
  tap.equal([read.provider_code, read.code], [502, 'send.hook'], 'an acknowledgement that is refused');
  await bot.ask('conversation_read', `single:${PEER}`);
  tap.ok(true, 'and the next one is taken');
}

/** Does the same as both, and compares what they are told. */
async function both({ user, bot }, name, theirAct, ourAct, type, code) {
  const said = await theirs(theirAct(user.connection));
  const ours = await fault(ourAct(bot));
  tap.equal([said, ours.provider_code, ours.code], [type, type, code], name);
}

async function causes(world) {
  const { ready, founder, user, bot } = world;
  const third = founder.connection;
  const toFounder = [c => sdk.send(c, text('founder', 'x')), b => b.ask('send', 'single:founder', { send: { text: 'x' } })];
  await third.addUsersToBlocklist({ name: [ME, PEER] });
  await both(world, 'the receiver has blocked them', ...toFounder, 603, 'send.blocked');
  await third.removeUserFromBlocklist({ name: [ME] });
  await bot.ask('send', 'single:founder', { send: { text: 'x' } });
  tap.ok(true, 'unblocked again');

  const made = await third.createGroup({ data: { groupname: 'refusals', desc: '', members: [ME, PEER], public: true,
    approval: false, allowinvites: true } });
  const group = made.data.groupid;
  const toGroup = [c => sdk.send(c, text(group, 'x', 'groupChat')), b => b.ask('send', `group:${group}`, { send: { text: 'x' } })];
  await third.muteGroupMember({ groupId: group, username: [ME, PEER], muteDuration: -1000 });
  await both(world, 'muted in the group', ...toGroup, 219, 'send.muted_here');
  await third.unmuteGroupMember({ groupId: group, username: ME });
  await bot.ask('send', `group:${group}`, { send: { text: 'x' } });
  tap.ok(true, 'unmuted again');
  for (const name of [ME, PEER]) await third.removeGroupMember({ groupId: group, username: name });
  await both(world, 'not a member any more', ...toGroup, 602, 'send.not_member');
  await both(world, 'no such group', c => sdk.send(c, text('17', 'x', 'groupChat')),
    b => b.ask('send', 'group:17', { send: { text: 'x' } }), 605, 'send.group_not_found');

  await post(ready, '/sandbox/faults', `${world.faults},sensitive=forbidden|verboten`);
  await both(world, 'a sensitive word', c => sdk.send(c, text(ME, 'this is verboten.')),
    b => b.ask('send', `single:${PEER}`, { send: { text: 'this is forbidden.' } }), 501, 'send.sensitive');
  await both(world, 'too large a message', c => sdk.send(c, text(ME, 'x'.repeat(6000))),
    b => b.ask('send', `single:${PEER}`, { send: { text: 'x' }, times: 6000 }), 511, 'send.too_large');

  await post(ready, '/sandbox/faults', `${world.faults},improper`);
  fs.writeFileSync(path.join(moontide.scratch, 'p.gif'), BYTES);
  await both(world, 'a picture that the filter refuses',
    c => sdk.send(c, { type: 'img', chatType: 'singleChat', to: ME, file: file4('p.gif'), width: 1, height: 1 }),
    b => b.ask('send_image', `single:${PEER}`, { send: { path: 'p.gif' } }), 101, 'upload.improper');

  const mine = (await bot.ask('send', `single:${PEER}`, { send: { text: 'late' } })).id;
  const own = await sdk.send(user.connection, text(ME, 'late'));
  await post(ready, '/sandbox/faults', `${world.faults},recall_limit=1ms`);
  const sent = Date.now();
  while (Date.now() < sent + 2); // until the limit of a millisecond is over
  await both(world, 'recalled too late', c => c.recallMessage({ mid: own, to: ME, chatType: 'singleChat' }),
    b => b.ask('recall', `single:${PEER}`, { id: mine }), 504, 'recall.too_late');
  for (let i = 0; i < 10; i++) {
    await bot.ask('edit', `single:${PEER}`, { id: mine, edit: `edit ${i}` });
    await user.connection.modifyMessage({ messageId: own, modifiedMessage: sdk.message4.create(text(ME, `edit ${i}`)) });
  }
  await both(world, 'edited too often',
    c => c.modifyMessage({ messageId: own, modifiedMessage: sdk.message4.create(text(ME, 'again')) }),
    b => b.ask('edit', `single:${PEER}`, { id: mine, edit: 'again' }), 50, 'edit.limit');
}

tap.run(async () => {
  const faults = `registered=${[ME, PEER, 'founder', 'old', peers.DIRECTOR + ME].join('|')}`;
  const sandbox = await moontide.sandbox('--strict-users', '--faults', faults);
  const { ready } = sandbox;
  const password = name => `secret-${name}`;
  const world = { ready, faults, user: await peers.user(ready, PEER, password(PEER)),
    founder: await peers.user(ready, 'founder', password('founder')),
    old: await generation.login('3.6.3', ready, 'old', { password: password('old') }),
    bot: await peers.bot(ready, ME, { password }) };
  await statuses(world);
  await refersRefused(world);
  await causes(world);
  tap.equal(await world.bot.stop(), 0, 'the script ends well');
  if (world.bot.errors.length) tap.note(world.bot.errors.join(''));
  await world.old.close();
  for (const one of [world.user, world.founder]) one.connection.close();
  await sandbox.stop();
});
