'use strict';
// What `moontide retention` deletes is gone for its owner, as RongCloud's SDK sees it, on two devices and on one that
// connects later; and is still there for the peer; in a private chat and in a group, for every kind of message.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');
const { KINDS, TYPES } = require('./rong_kinds.js');

const OWNER = 'agent';
const PEER = 'bob';
const KEPT = ['custom', 'location', 'file']; // by the policy

/** The whole history of a conversation: uids, oldest first. */
async function history(user, conversation) {
  const uids = [];
  for (let timestamp = 0; ;) {
    const page = await user.ok('getHistoryMessages', conversation, { timestamp, count: 20, order: 1 });
    uids.push(...page.list.map(message => message.messageUId));
    if (!page.hasMore || !page.list.length) return uids;
    timestamp = page.list.at(-1).sentTime;
  }
}

async function send(user, conversation) {
  const sent = [];
  for (const [type, content, name, want] of KINDS) {
    const message = await user.ok('sendMessage', conversation, rong.message(type, content), {});
    if (name !== 'RC:CmdMsg') sent.push({ id: message.messageUId, kind: want.kind }); // commands are in no history
  }
  return sent;
}

async function retention(config, words) {
  const run = await moontide.run(['retention', '-c', config, '-a', 'it', '--archive', path.join(moontide.scratch, 'kept'),
    '--policy', path.join(moontide.scratch, 'policy.lua'), '--json', ...words], { password: rong.token(OWNER) });
  if (run.status) tap.note(run.err.trim());
  const line = run.out.trim().split('\n').pop();
  return { ...run, json: line.startsWith('{') ? JSON.parse(line) : {} };
}

async function main() {
  const { ready, stop } = await moontide.sandbox();
  const owner = await rong.login(ready, OWNER, { types: TYPES });
  const peer = await rong.login(ready, PEER, { types: TYPES });
  const places = [
    { name: 'a private chat', mine: rong.one(PEER), theirs: rong.one(OWNER) },
    { name: 'a group', mine: rong.group('lobby'), theirs: rong.group('lobby') },
  ];
  for (const user of [OWNER, PEER]) await rong.control(ready, 'rongcloud-arrange', `join lobby ${user}`);
  for (const place of places) {
    place.sent = [...await send(peer, place.theirs), ...await send(owner, place.mine)];
    place.all = place.sent.map(one => one.id);
    place.left = place.sent.filter(one => KEPT.includes(one.kind)).map(one => one.id);
    tap.equal(await history(owner, place.mine), place.all, `before: the owner's SDK has all that was sent: ${place.name}`);
  }
  fs.writeFileSync(path.join(moontide.scratch, 'policy.lua'),
    `return before "2099-01-01" - (${KEPT.map(kind => `kind "${kind}"`).join(' + ')})\n`);
  const config = moontide.rongConfig(ready, OWNER);
  const plan = await retention(config, []);
  tap.equal([plan.status, plan.json.planned], [0, places.reduce((n, place) => n + place.all.length - place.left.length, 0)],
    'the plan is what the policy says');
  for (const place of places) tap.equal(await history(owner, place.mine), place.all, `a plan deletes nothing: ${place.name}`);
  const second = await rong.login(ready, OWNER, { types: TYPES });
  const run = await retention(config, ['--plan', plan.json.plan, '--apply', '--max', '1000']);
  tap.equal([run.status, run.json.deleted], [0, plan.json.planned], 'all that was planned was deleted');
  const later = await rong.login(ready, OWNER, { types: TYPES });
  for (const place of places) {
    tap.equal(await history(owner, place.mine), place.left, `gone for the owner, on this device: ${place.name}`);
    tap.equal(await history(second, place.mine), place.left, `and on the other: ${place.name}`);
    tap.equal(await history(later, place.mine), place.left, `and on one that connects later: ${place.name}`);
    tap.equal(await history(peer, place.theirs), place.all, `still there for the peer: ${place.name}`);
  }
  for (const user of [owner, second, later, peer]) await user.close();
  await stop();
}

tap.run(main);
