'use strict';
// What `moontide retention` deletes is gone for its owner on every device, as Easemob's SDKs see it (4.21.1 twice, 4.1.2
// and 3.6.3), and is still there for the peer; in a single chat and in a group, for every kind of message.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const generation = require('./generation.js');
const peers = require('./peers.js');
const kinds = require('./kinds.js');
const moontide = require('./moontide.js');

const OWNER = 'dora';
const PEER = 'pat';
const KEPT = ['custom', 'location', 'file']; // by the policy

/** The whole history of a conversation, as SDKs since 4.0 read it: ids, oldest first. */
async function history4(get, chat) {
  const ids = [];
  for (let cursor = -1; ;) {
    const page = await get({ ...chat, pageSize: 50, cursor, searchDirection: 'down' });
    ids.push(...page.messages.map(message => message.id));
    if (page.isLast || !page.cursor) return ids;
    cursor = page.cursor;
  }
}

/** The same by SDK 3.6.3. */
async function history3(user, chat) {
  const list = await user.fetchHistoryMessages({ queue: chat.targetId, isGroup: chat.chatType === 'groupChat', count: 200 });
  return list.map(message => message.id);
}

async function retention(config, words) {
  const run = await moontide.run(['retention', '-c', config, '-a', 'it', '--archive', path.join(moontide.scratch, 'kept'),
    '--policy', path.join(moontide.scratch, 'policy.lua'), '--json', ...words]);
  if (run.status) tap.note(run.err.trim());
  const line = run.out.trim().split('\n').pop();
  return { ...run, json: line.startsWith('{') ? JSON.parse(line) : {} };
}

const here = user => options => user.connection.getHistoryMessages(options);
const there = user => options => user.call('getHistoryMessages', options);

async function main() {
  const { ready, stop } = await moontide.sandbox();
  const first = await peers.user(ready, OWNER);
  const second = await generation.login('4.21.1', ready, OWNER);
  const peer = await peers.user(ready, PEER);
  const made = await first.connection.createGroup({
    data: { groupname: 'g', desc: '', members: [PEER], public: true, approval: false, allowinvites: true },
  });
  const group = made.data.groupid;
  const places = [
    { name: 'a single chat', mine: { targetId: PEER, chatType: 'singleChat' }, theirs: { targetId: OWNER, chatType: 'singleChat' } },
    { name: 'a group', mine: { targetId: group, chatType: 'groupChat' }, theirs: { targetId: group, chatType: 'groupChat' } },
  ];
  for (const place of places) {
    place.sent = [...await kinds.send4(peer.connection, place.theirs.chatType, place.theirs.targetId),
      ...await kinds.send4(first.connection, place.mine.chatType, place.mine.targetId)];
    place.all = place.sent.map(one => one.id);
    place.left = place.sent.filter(one => KEPT.includes(one.want.kind)).map(one => one.id);
    tap.equal(await history4(here(first), place.mine), place.all, `before: the owner's SDK has all that was sent: ${place.name}`);
  }
  fs.writeFileSync(path.join(moontide.scratch, 'policy.lua'),
    `return before "2099-01-01" - (${KEPT.map(kind => `kind "${kind}"`).join(' + ')})\n`);
  const config = moontide.config(ready, OWNER);
  const plan = await retention(config, []);
  tap.equal([plan.status, plan.json.planned], [0, places.reduce((n, place) => n + place.all.length - place.left.length, 0)],
    'the plan is what the policy says');
  for (const place of places)
    tap.equal(await history4(here(first), place.mine), place.all, `a plan deletes nothing: ${place.name}`);
  const run = await retention(config, ['--plan', plan.json.plan, '--apply', '--max', '1000']);
  tap.equal([run.status, run.json.deleted], [0, plan.json.planned], 'all that was planned was deleted');

  const old = await generation.login('3.6.3', ready, OWNER);
  for (const place of places) {
    tap.equal(await history4(here(first), place.mine), place.left, `gone for the owner, on this device: ${place.name}`);
    tap.equal(await history4(there(second), place.mine), place.left, `and on the other: ${place.name}`);
    tap.equal(await history4(here(peer), place.theirs), place.all, `still there for the peer: ${place.name}`);
    for (const [device, name] of [[first, 'this device'], [second, 'the other']]) { // the SDK does not say which
      const { event } = await device.seen.take(one => one.name === 'onMultiDeviceEvent' && one.event.operation === 'deleteRoaming' &&
        one.event.conversationId === place.mine.targetId, 'deleteRoaming');
      tap.equal(event.chatType, place.mine.chatType, `${name} hears that something was deleted: ${place.name}`);
    }
  }
  tap.equal(await history3(old, places[0].mine), places[0].left, 'gone for the owner on SDK 3.6.3, which logged in later');
  const fresh = await generation.login('4.1.2', ready, OWNER);
  for (const place of places)
    tap.equal(await history4(there(fresh), place.mine), place.left, `gone on a device that logged in later: ${place.name}`);
  for (const user of [second, fresh, old]) await user.close();
  for (const user of [first, peer]) user.connection.close();
  await stop();
}

tap.run(main);
