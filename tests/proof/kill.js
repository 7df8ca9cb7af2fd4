'use strict';
// An applied retention is killed with SIGKILL at random moments and begun again, until it ends. Then: what is left on the
// server and what the archive holds are together what was there; nothing else is gone; and the audit explains each
// deletion once. Over real chats (or made-up ones, where they are not there). Usage: node kill.js CLOUD
//
// MT_RETENTION_KILLS: how many (6); MT_RETENTION_SEED; MT_RETENTION_LINES: messages in one account (2000), of another part
// of the chats each time; MT_RETENTION_AT_ONCE: accounts.
const fs = require('node:fs');
const path = require('node:path');
const { World, scratch } = require('./world.js');
const { random: generator } = require('./random.js');

const cloud = process.argv[2];
const wanted = Number(process.env.MT_RETENTION_KILLS || 6);
const seed = Number(process.env.MT_RETENTION_SEED || 20261121);
const most = Number(process.env.MT_RETENTION_LINES || 2000);
const at_once = Number(process.env.MT_RETENTION_AT_ONCE || (wanted < 100 ? 1 : 3));

function chats() {
  const shared = process.env.MT_SHARED || path.join(__dirname, '../../../shared');
  const names = ['group.jsonl', 'single.jsonl'].map(name => path.join(shared, 'corpus', name));
  if (names.every(name => fs.existsSync(name)))
    return { name: 'the corpus', lines: names.flatMap(name => fs.readFileSync(name, 'utf8').split('\n').filter(Boolean)) };
  const lines = [];
  for (let i = 0; i < 6000; i++) {
    const group = i % 3 !== 0;
    lines.push(JSON.stringify({ chat: group ? 'group' : 'single', conversation: group ? `g${i % 4}` : `guest${i % 40}`,
      from: group ? `member${i % 7}` : i % 2 ? 'agent' : 'guest', ts: 1500000000000 + i * 61000, text: `line ${i} 第 ${i} 条` }));
  }
  return { name: 'made-up chats (there is no corpus beside the project)', lines };
}

/** A part of each kind of chat, beginning anywhere. */
function part(random, kinds, file) {
  const result = [];
  for (const list of kinds) {
    const n = Math.min(list.length, Math.ceil(most / 2));
    const from = random.below(list.length - n + 1);
    result.push(...list.slice(from, from + n));
  }
  fs.writeFileSync(file, result.join('\n') + '\n');
}

function problems(world, before, after, planned, records) {
  const wrong = [];
  const say = text => { if (wrong.length < 8) wrong.push(text); };
  const archive = world.archived();
  const explained = new Map();
  let deleted = 0;
  for (const record of records) {
    if (record.type !== 'result' || record.outcome !== 'gone') continue;
    for (const id of record.ids) explained.set(id, (explained.get(id) || 0) + 1);
  }
  for (const [id, line] of before) {
    if (after.has(id)) {
      if (after.get(id).content !== line.content) say(`${id} is another now`);
      if (explained.has(id)) say(`${id} is said to be gone, and is there`);
      if (planned.has(id)) say(`${id} was planned, and is still there at the end`);
      continue;
    }
    deleted++;
    if (!planned.has(id)) say(`${id} is gone, and was not planned`);
    const kept = (archive.get(id) || []).filter(one => one.from === line.from && one.time === line.time);
    if (kept.length !== 1) say(`${id} is gone, and the archive has it ${kept.length} times`);
    if (explained.get(id) !== 1) say(`${id} is gone, and is explained ${explained.get(id) || 0} times`);
  }
  for (const id of after.keys()) if (!before.has(id)) say(`${id} came from nowhere`);
  return { wrong, deleted };
}

let span = 1200; // milliseconds that a whole run takes: learned

async function one(kinds, number) {
  const random = generator(seed * 1000003 + cloud.length + number * 7919);
  const file = path.join(scratch, `part-${number}.jsonl`);
  part(random, kinds, file);
  const world = await World.start(cloud, '--load', file, '--clouds', cloud, '--faults', `seed=${number + 1}`);
  const wrong = [];
  let kills = 0;
  world.folder();
  world.write('policy.lua', 'return older_than "90d" - newest(20)\n');
  const before = (await world.view('agent')).get('agent');
  const words = ['--policy', 'policy.lua'];
  const plan = await world.retention(words);
  if (plan.status !== 0 || !plan.json) wrong.push(`the plan: ${plan.status} ${plan.err}`);
  const planned = plan.json ? world.plan(plan.json.plan) || new Set() : new Set();
  const apply = ['retention', '-a', 'it', '--archive', 'archive', '--json', ...words, '--plan', plan.json ? plan.json.plan : '-',
    '--apply', '--max', '1000000'];
  let last = null;
  for (let tries = 0; !wrong.length && tries < 12; tries++) {
    const began = Date.now();
    const { child, end } = world.start(apply);
    const timer = tries < 8 ? setTimeout(() => child.kill('SIGKILL'), random.below(span)) : null;
    last = await end;
    if (timer) clearTimeout(timer);
    if (last.status === 'SIGKILL') { kills++; continue; }
    if (tries === 0) span = Math.max(50, Date.now() - began);
    break;
  }
  if (!last || last.status !== 0) wrong.push(`the last run: ${last && last.status} ${last && last.err}`);
  const after = (await world.view('agent')).get('agent') || new Map();
  const found = problems(world, before, after, planned, world.audit());
  for (const words of [['verify', 'archive'], ['audit', '--verify']]) {
    const verified = await world.run(words);
    if (verified.status !== 0) wrong.push(`${words[0]}: ${verified.status} ${verified.out}${verified.err}`);
  }
  await world.stop();
  fs.rmSync(file);
  fs.rmSync(world.dir, { recursive: true, force: true });
  return { kills, deleted: found.deleted, wrong: [...wrong, ...found.wrong].map(text => `account ${number}: ${text}`) };
}

async function main() {
  const { name, lines } = chats();
  const kinds = ['group', 'single'].map(chat => lines.filter(line => new RegExp(`"chat": ?"${chat}"`).test(line)));
  const wrong = [];
  let kills = 0;
  let deleted = 0;
  let number = 0;
  const worker = async () => {
    while (kills < wanted && wrong.length < 20 && number < 4 * wanted + 4) {
      const result = await one(kinds, number++);
      if (Math.floor((kills + result.kills) / 100) > Math.floor(kills / 100)) console.log(`# ${kills + result.kills} kills`);
      kills += result.kills;
      deleted += result.deleted;
      wrong.push(...result.wrong);
    }
  };
  await Promise.all([...Array(at_once)].map(worker));
  console.log(`# ${cloud}: seed ${seed}, ${name}: ${kills} kills in ${number} accounts, ${deleted} messages deleted`);
  console.log(`${wrong.length ? 'not ok' : 'ok'} 1 - ${cloud}: killed at random moments, nothing is lost and each deletion is explained once`);
  for (const text of wrong) console.log(`  # ${text.replace(/\n/g, ' | ').slice(0, 600)}`);
  const enough = kills >= wanted && deleted > 0;
  console.log(`${enough ? 'ok' : 'not ok'} 2 - ${cloud}: ${wanted} kills came before the end`);
  console.log('1..2');
  process.exitCode = wrong.length || !enough ? 1 : 0;
}

main();
