'use strict';
// R3: whatever happens to a history before, between and during the runs, what `moontide retention` deletes was planned,
// is held by the archive as it was, and is kept by no hold; and it says so. A history is one conversation; a world is an
// account with many of them, one policy, one list of holds, and what goes wrong. Usage: node property.js CLOUD
//
// MT_RETENTION_N: histories (200); MT_RETENTION_SEED; MT_RETENTION_WORLD: this one alone, and its folder stays;
// MT_RETENTION_AT_ONCE: worlds (6), which mostly wait for the cloud.
const fs = require('node:fs');
const path = require('node:path');
const { World } = require('./world.js');
const { random: generator } = require('./random.js');
const { means, write, random_policy, holds, random_hold, gaps, lies_in, DAY } = require('./model.js');

const HISTORIES = 40; // of one world
const AT_ONCE = Number(process.env.MT_RETENTION_AT_ONCE || 6);
const cloud = process.argv[2];
const wanted = Number(process.env.MT_RETENTION_N || 200);
const seed = Number(process.env.MT_RETENTION_SEED || 20261121);
const only = process.env.MT_RETENTION_WORLD;
const WORDS = ['one', 'one two', 'two three', 'three', 'four'];
const HISTORY = { easemob: 'messageroaming', rongcloud: '/qry' };
const DELETION = { easemob: '/sdk/message/roaming/', rongcloud: '/delMsg' };

// ------------------------------------------------------------------------------------------------ one world

/** A message as an order to put it; conversation stands in two words there. */
function put(random, world, conversation, used) {
  const [chat, name] = conversation.split(':');
  let time;
  do {
    const edge = world.now - random.pick([3, 30, 90, 200]) * DAY;
    time = random.chance(0.12) ? edge + random.pick([-1, 1]) * (10 + random.below(50)) * 60000
      : random.chance(0.03) ? world.now + random.below(3600000) // a clock that goes ahead
        : world.now - random.below(300 * DAY) - 7200000;
    time = Math.floor(time);
  } while (used.has(time));
  used.add(time);
  const from = random.chance(0.4) ? 'agent' : chat === 'single' ? name : `m${random.below(3)}`;
  const kind = random.pick(['text', 'text', 'text', 'text', 'image', 'file', 'custom']);
  return { op: 'put', chat, conversation: name, from, time, kind, text: random.pick(WORDS), size: 1000 + random.below(4000) };
}

/** What the model has to know of a message that was put. */
function fact(order, id) {
  const size = order.kind === 'file' || (order.kind === 'image' && cloud === 'easemob') ? order.size : undefined;
  return { id, conversation: `${order.chat}:${order.conversation}`, from: order.from, time: order.time, kind: order.kind,
    text: order.kind === 'text' ? order.text : undefined, size, there: true, versions: [order.text] };
}

function history(random, world) {
  const list = [];
  for (const conversation of world.conversations) {
    const used = world.used.get(conversation);
    // somebody else is there, who sees what the owner loses
    if (conversation.startsWith('group:')) list.push({ ...put(random, world, conversation, used), from: 'm0' });
    const n = random.chance(0.05) ? 60 + random.below(100) : random.below(12);
    for (let i = 0; i < n; i++) list.push(put(random, world, conversation, used));
  }
  return random.shuffle(list); // many come later than their time says
}

/** The cloud takes no pin of a conversation in which nothing ever was. */
async function pin(world, changes) {
  const orders = changes.map(([conversation, on]) => {
    const [chat, name] = conversation.split(':');
    return { op: 'pin', chat, conversation: name, on };
  });
  (await world.place.change(orders)).forEach((id, i) => {
    if (id === null) return;
    if (changes[i][1]) world.pins.add(changes[i][0]);
    else world.pins.delete(changes[i][0]);
  });
}

/** Random edits, recalls, pins and late arrivals; they are done now, and the model learns of them. */
async function disturb(random, world, share) {
  const orders = [];
  const done = [];
  for (const message of world.messages.values()) {
    if (!message.there || !random.chance(share)) continue;
    if (message.kind === 'text' && random.chance(0.6)) {
      const text = `${random.pick(WORDS)} again`;
      orders.push({ op: 'edit', id: message.id, text });
      done.push(() => { message.text = text; message.versions.push(text); });
    } else {
      orders.push({ op: 'recall', id: message.id });
      done.push(() => { message.there = false; });
    }
  }
  for (const conversation of world.conversations) {
    if (!random.chance(share * 2)) continue;
    const order = put(random, world, conversation, world.used.get(conversation));
    orders.push(order);
    done.push(id => world.messages.set(id, fact(order, id)));
  }
  const ids = orders.length ? await world.place.change(orders) : [];
  ids.forEach((id, i) => { if (id !== null) done[i](id); });
  const other = random.pick(world.conversations);
  if (random.chance(0.3)) await pin(world, [[other, !world.pins.has(other)]]);
}

/** The same, when requests of the run that follows come. What of it came about the peers' views tell. */
async function disturb_later(random, world) {
  for (let i = random.below(6); i > 0; i--) {
    const texts = [...world.messages.values()].filter(message => message.there && message.kind === 'text');
    const message = texts.length ? random.pick(texts) : null;
    const conversation = random.pick(world.conversations);
    const order = random.below(3);
    const what = order === 0 || !message ? put(random, world, conversation, world.used.get(conversation))
      : order === 1 ? { op: 'edit', id: message.id, text: 'meanwhile' } : { op: 'recall', id: message.id };
    if (what.op === 'edit') message.meanwhile = true;
    await world.place.when((random.chance(0.5) ? HISTORY : DELETION)[cloud], 1 + random.below(60), [what]);
  }
}

/** What counts of a message when the plan is made, and is none of its own. */
function around(world) {
  const by = new Map();
  for (const message of world.messages.values()) {
    if (!message.there) continue;
    if (!by.has(message.conversation)) by.set(message.conversation, []);
    by.get(message.conversation).push(message);
  }
  for (const list of by.values()) list.sort((a, b) => b.time - a.time).forEach((message, i) => { message.newer = i; });
  for (const message of world.messages.values()) message.pinned = world.pins.has(message.conversation);
}

/** Gone from the owner's view: what others in the conversation still see, and the owner does not. */
function gone(view) {
  const own = view.get('agent') || new Map();
  const ids = new Set();
  for (const [user, messages] of view) {
    if (user === 'agent') continue;
    for (const id of messages.keys()) if (!own.has(id)) ids.add(id);
  }
  return ids;
}

const FAULTS = ['p429=0.05,retry_after=0', 'p5xx=0.03', 'delete_half=0.5', 'delete_late=0.5', 'delete_late=1,late=3', 'delete_lost=0.3',
  'drop_message=0.2', 'duplicate=0.2', 'repeat_page=0.05', 'delete_lie=1,times=1', 'cut=0.03', 'error_json=0.02',
  'clock=40s', 'clock=-40s', 'clock=10m', 'clock=-3h'];

function begin(random, place) {
  const world = { place, now: Date.now(), messages: new Map(), users: ['agent'], conversations: [], used: new Map(), pins: new Set() };
  for (let i = 0; i < HISTORIES; i++) {
    const conversation = random.chance(0.3) ? `group:g${i}` : `single:p${i}`;
    world.conversations.push(conversation);
    world.used.set(conversation, new Set());
    if (conversation.startsWith('single:')) world.users.push(conversation.slice('single:'.length));
  }
  world.users.push('m0', 'm1', 'm2');
  world.policy = random_policy(random, world);
  world.holds = [];
  for (let i = random.below(3); i > 0; i--) world.holds.push(random_hold(random, world, `case-${i}`));
  return world;
}

function write_holds(world) {
  world.place.write('holds.jsonl', ['# who is kept, and why', ...world.holds.map(hold => JSON.stringify(hold))].join('\n') + '\n');
}

/** Every rule that was broken, as text. */
class Report {
  constructor() { this.wrong = []; }
  ok(condition, text) { if (!condition && this.wrong.length < 20) this.wrong.push(text); return condition; }
}

function check_plan(report, world, plan, calm) {
  const ids = world.place.plan(plan.json.plan);
  if (!report.ok(ids, `no plan ${plan.json.plan}`)) return new Set();
  report.ok(ids.size === plan.json.planned, `said to plan ${plan.json.planned}, the plan holds ${ids.size}`);
  for (const message of world.messages.values()) {
    const meant = message.there && means(world.policy, message, world.now) && !world.holds.some(hold => holds(hold, message));
    if (ids.has(message.id)) report.ok(meant || !calm, `planned without a reason: ${JSON.stringify(message)}`);
    else if (calm) report.ok(!meant, `meant and not planned: ${JSON.stringify(message)}`);
  }
  return ids;
}

/** Whether the archive has the message as it is: what it says of a recall is no content. */
function is_kept(message, lines = []) {
  const contents = lines.filter(line => !line.type || line.type === 'edit');
  const texts = contents.map(line => line.text);
  if (!contents.length) return false;
  return message.kind !== 'text' || texts.includes(message.text) || (message.meanwhile && texts.includes('meanwhile'));
}

function check_deleted(report, world, planned, deleted, archive, left_out) {
  for (const id of deleted) {
    const message = world.messages.get(id);
    if (!report.ok(message, `deleted what nobody put before: ${id}`)) continue;
    const told = JSON.stringify(message);
    report.ok(planned.has(id), `deleted and not planned: ${told}`);
    report.ok(!world.holds.some(hold => holds(hold, message)), `deleted and held: ${told}`);
    report.ok(!lies_in(left_out, message), `deleted, and the archive says that it has a gap there: ${told}`);
    const lines = archive.get(id);
    if (report.ok(lines, `deleted and not archived: ${told}`))
      report.ok(is_kept(message, lines), `deleted, and the archive has ${JSON.stringify(lines.map(line => line.text))}: ${told}`);
  }
}

/** Each deletion is explained by one result, and what is said to be gone is not there: for one that was recalled before
 * it could be deleted this is true as well. */
function check_audit(report, world, after, deleted, exact) {
  const own = after.get('agent') || new Map();
  const explained = new Map();
  const intended = new Set();
  for (const record of world.place.audit()) {
    for (const id of record.ids || []) {
      if (record.type === 'intent') intended.add(id);
      else if (record.type === 'result' && record.outcome === 'gone') explained.set(id, (explained.get(id) || 0) + 1);
    }
  }
  for (const id of deleted) {
    report.ok(intended.has(id), `deleted without an intent: ${id}`);
    if (exact) report.ok(explained.get(id) === 1, `explained ${explained.get(id) || 0} times: ${id}`);
  }
  for (const id of explained.keys()) report.ok(!own.has(id), `said to be gone, and is there: ${id}`);
  return explained.size;
}

/** Peers see what they saw, unless it was edited or recalled; and so does the owner where nothing was deleted. */
function check_others(report, world, before, after) {
  for (const [user, messages] of before) {
    for (const [id, line] of messages) {
      const now = (after.get(user) || new Map()).get(id);
      const message = world.messages.get(id);
      if (user === 'agent' || !message || !message.there || message.may_go) continue;
      if (report.ok(now, `${user} has lost ${id}`) && !message.meanwhile)
        report.ok(now.content === line.content, `${user} sees another ${id}`);
    }
  }
}

/** moontide itself finds audit and archive whole, however the run has ended; it may have ended before there was an audit. */
async function check_whole(report, place, run, deleted) {
  const archived = fs.existsSync(path.join(place.dir, 'archive'));
  const audited = fs.existsSync(path.join(place.dir, 'state/moontide/audit'));
  const [audit, archive] = await Promise.all([audited && place.run(['audit', '--verify']), archived && place.run(['verify', 'archive'])]);
  report.ok(audited ? audit.status === 0 : ![0, 3].includes(run.status) && deleted.size === 0,
    `the audit: ${audit ? `${audit.status} ${audit.out} ${audit.err}` : 'there is none'}`);
  if (!archived) return;
  const ended = run.status === 0 || run.status === 3;
  const fits = archive.status === 0 || (archive.status === 3 && (!ended || /^gaps: /m.test(archive.out)));
  report.ok(fits, `the archive: ${archive.status} ${archive.out.slice(-400)} ${archive.err}`);
}

const day = (random, world) => new Date(world.now - random.below(250) * DAY).toISOString();

/** An archive that is older than what happens next, and may be a part of what there was. */
async function old_archive(random, world, report) {
  const part = random.pick([[], [], [], ['--since', day(random, world)], ['--until', day(random, world)], ['--kind', 'text']]);
  const run = await world.place.run(['export', '-a', 'it', '-o', 'archive', ...part]);
  report.ok(run.status === 0, `export: ${run.status} ${run.err}`);
}

/** The run: moontide retention, or a script of somebody's own, that archives less. */
function apply(random, world, words, plan, cap, own) {
  if (!own) return world.place.retention([...words, '--plan', plan, '--apply', '--max', String(cap)], 300);
  const part = random.pick([[], ['--since', day(random, world)], ['--kind', 'text'], ['--kind', 'text', '--kind', 'file']]);
  return world.place.script('partly.lua', cap, ['--plan', plan, '--hold', 'holds.jsonl', ...part]);
}

async function one(place, number, totals) {
  const random = generator(seed * 1000003 + number);
  const report = new Report();
  const world = begin(random, place);
  const own = number % 5 === 1;
  const told = text => `world ${number}: ${text}`;
  place.folder();
  await place.faults(`seed=${number + 1},user_channel=0`);
  await place.change([], true);
  const orders = history(random, world);
  (await place.change(orders)).forEach((id, i) => {
    if (report.ok(id, `not put: ${JSON.stringify(orders[i])}`)) world.messages.set(id, fact(orders[i], id));
  });
  await pin(world, world.conversations.filter(() => random.chance(0.2)).map(conversation => [conversation, true]));
  place.write('policy.lua', `return ${write(world.policy)}\n`);
  write_holds(world);
  if (random.chance(0.5)) await old_archive(random, world, report);
  await disturb(random, world, 0.05);
  around(world);

  // the plan
  const words = ['--policy', 'policy.lua', '--hold', 'holds.jsonl'];
  const plan_fault = random.chance(0.15) ? random.pick(['drop_message=0.2', 'duplicate=0.3', 'p5xx=0.05', 'p429=0.1,retry_after=0']) : '';
  await place.faults(`seed=${number + 1}${plan_fault && `,${plan_fault}`}`);
  world.now = Date.now();
  let plan = await place.retention(words);
  await place.faults(`seed=${number + 1}`);
  if (plan_fault && plan.status !== 0) plan = await place.retention(words); // it was noticed
  const calm = !plan_fault;
  if (!report.ok(plan.json && plan.json.plan && plan.status === 0, `plan: ${plan.status} ${plan.err} ${plan.out}`))
    return report.wrong.map(told);
  const planned = check_plan(report, world, plan, calm);

  // what happens between, and what will happen during the run
  const quiet = random.chance(0.25); // nothing does: then all that was planned must go
  const fault = !quiet && random.chance(0.5) ? random.pick(FAULTS) : '';
  if (!quiet) {
    await disturb(random, world, 0.12);
    if (random.chance(0.4)) {
      world.holds.push(random_hold(random, world, 'late'));
      write_holds(world);
    }
    await disturb_later(random, world);
  }
  const between = await place.view();
  report.ok(gone(between).size === 0, 'a dry run has deleted something');
  const cap = quiet || random.chance(0.8) ? 1000000 : random.below(20);
  await place.faults(`seed=${number + 7}${fault && `,${fault}`}`);
  const run = await apply(random, world, words, plan.json.plan, cap, own);
  await place.faults(`seed=${number + 1}`);
  const after = await place.view();
  const deleted = gone(after);

  // what must be true
  report.ok(![134, 139, 'SIGABRT', 'SIGSEGV'].includes(run.status), `the run ended with ${run.status}: ${run.err}`);
  report.ok(fault || run.status === 0 || run.status === 3, `the run ended with ${run.status}: ${run.err} ${run.out}`);
  for (const message of world.messages.values()) message.may_go = !after_has(after, message.id); // recalled meanwhile
  const lines = place.lines();
  const archive = place.archived(lines);
  const left_out = gaps(lines);
  check_deleted(report, world, planned, deleted, archive, left_out);
  check_others(report, world, between, after);
  if (/^clock=.*[mh]$/.test(fault)) report.ok(deleted.size === 0, `deleted ${deleted.size} by a clock that is not the cloud's`);
  report.ok(deleted.size <= cap, `deleted ${deleted.size} of at most ${cap}`);
  const said = check_audit(report, world, after, deleted, run.status === 0 || (run.status === 3 && !/late|drop/.test(fault)));
  if (run.json) report.ok(run.json.deleted === said, `said to have deleted ${run.json.deleted}, the audit says ${said}`);
  await check_whole(report, place, run, deleted);
  let may = 0;
  for (const id of planned) {
    const message = world.messages.get(id);
    const is_there = message && is_kept(message, archive.get(id));
    if (!own || (is_there && !lies_in(left_out, message))) may++;
    else if (is_there) totals.in_gap++;
  }
  if (quiet && calm)
    report.ok(deleted.size === may, `nothing was in the way, and of ${may} ${deleted.size} were deleted: ${run.err} ${run.out}`);
  totals.planned += planned.size;
  totals.deleted += deleted.size;
  totals.messages += world.messages.size;
  totals.faults += fault ? 1 : 0;
  if (report.wrong.length) report.wrong.push(`policy ${write(world.policy)}; fault ${fault || 'none'}, in the plan ${plan_fault || 'none'}; ` +
    `status ${run.status}; ${run.err.slice(0, 300)}; ${run.out.slice(0, 300)}`);
  return report.wrong.map(told);
}

function after_has(after, id) {
  for (const [user, messages] of after) if (user !== 'agent' && messages.has(id)) return true;
  return false;
}

// ------------------------------------------------------------------------------------------------ all of them

async function main() {
  const worlds = only ? [Number(only)] : [...Array(Math.max(1, Math.ceil(wanted / HISTORIES))).keys()];
  const totals = { planned: 0, deleted: 0, messages: 0, faults: 0, in_gap: 0 };
  const wrong = [];
  let n = 0;
  const worker = async () => {
    let place = null;
    for (let i = 0; worlds.length && wrong.length < 40; i++) {
      if (i % 200 === 0) { // threads and users stay in an emptied cloud
        if (place) await place.stop();
        place = await World.start(cloud);
      }
      const number = worlds.shift();
      try {
        wrong.push(...await one(place, number, totals));
      } catch (error) { wrong.push(`world ${number}: ${error.stack}`); }
      n += HISTORIES;
      if (n % 10000 === 0) console.log(`# ${n} histories, ${totals.deleted} messages deleted, ${wrong.length} wrong`);
    }
    if (place) await place.stop();
    if (only && place) console.log(`# ${place.dir}: ${fs.readdirSync(place.dir).join(' ')}`);
  };
  await Promise.all([...Array(Math.min(AT_ONCE, worlds.length))].map(worker));
  console.log(`# ${cloud}: seed ${seed}, ${n} histories, ${totals.messages} messages, ${totals.planned} planned, ` +
    `${totals.deleted} deleted, ${totals.in_gap} spared in gaps; ${totals.faults} worlds with faults`);
  const enough = only || (totals.deleted > totals.messages / 50 && totals.planned > totals.deleted && (n < 1000 || totals.in_gap > 0));
  console.log(`${wrong.length ? 'not ok' : 'ok'} 1 - ${cloud}: what is deleted was planned, is archived as it was, and is not held`);
  for (const text of wrong.slice(0, 60)) console.log(`  # ${text.replace(/\n/g, ' | ').slice(0, 900)}`);
  console.log(`${enough ? 'ok' : 'not ok'} 2 - ${cloud}: enough was planned, and enough of it was deleted, to tell`);
  console.log('1..2');
  process.exitCode = wrong.length || !enough ? 1 : 0;
}

main();
