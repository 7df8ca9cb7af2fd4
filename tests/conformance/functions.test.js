'use strict';
// docs/functions.md has a row for every function of the manuals and every callback of the SDK, no cell of it is empty, and
// each check that it names stands where it says.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');

const ROOT = path.join(__dirname, '../..');
const PAGE = path.join(ROOT, 'docs/functions.md');
const MANUALS = path.join(process.env.MT_SHARED || path.join(ROOT, '../shared'), 'seeds');
// Names in the manuals' examples that are no function of an SDK: members, and links.
const NO_FUNCTIONS = ['mr', 'html', 'context', 'apiUrl', 'ConversationType', 'ErrorCode'];
// A line of a table in RongCloud's manual: the name, its type at once behind it.
const MEMBER = /^([a-z]\w*?)(?:Number|String|Object|Boolean|MentionedInfo|NotificationLevel|ConversationType)/gm;

/** The rows below each head of a table: {line, cells}. */
function rows(text) {
  const result = [];
  const lines = text.split('\n');
  lines.forEach((line, i) => {
    if (!line.startsWith('|') || /^\|[-|]+\|$/.test(line) || /^\|[-|]+\|$/.test(lines[i + 1] || '')) return;
    result.push({ line: i + 1, cells: line.slice(1, -1).split(' | ').map(cell => cell.trim()) });
  });
  return result;
}

const proofs = cell => [...cell.matchAll(/\]\(\.\.\/(tests\/[^)]+)\) "([^"]+)"/g)].map(([, file, name]) => ({ file, name }));

/** Whether a test has that check: part of its name, or all of one that is a single word. */
function has(file, name) {
  const source = fs.readFileSync(file, 'utf8');
  return name.includes(' ') ? source.includes(name)
    : [`'${name}'`, `"${name}"`, `unit_test(${name})`].some(text => source.includes(text));
}

/** What is wrong with the page, as texts. */
function complaints(text) {
  const reference = fs.readFileSync(path.join(ROOT, 'docs/lua.md'), 'utf8');
  const events = fs.readFileSync(path.join(ROOT, 'docs/scripting.md'), 'utf8');
  const result = [];
  for (const { line, cells } of rows(text)) {
    const say = what => result.push(`${line}: ${what}`);
    if (cells.length < 4 || cells.some(cell => !cell)) say('a cell is empty');
    const named = proofs(cells.at(-1));
    if (!named.length) say('no check is named');
    for (const { file, name } of named) {
      const whole = path.join(ROOT, file);
      if (!fs.existsSync(whole)) say(`there is no ${file}`);
      else if (!has(whole, name)) say(`${file} has no «${name}»`);
    }
    for (const [call] of cells.slice(2).join(' ').matchAll(/\b(account|conversation|message|archive):[a-z_]+/g)) {
      if (!reference.includes(`## ${call}\n`)) say(`docs/lua.md has no ${call}`);
    }
    for (const [, event] of cells.join(' ').matchAll(/account:on\("(\w+)"/g)) {
      if (!events.includes(`\`${event}\``)) say(`docs/scripting.md has no event ${event}`);
    }
  }
  return result;
}

/** The callbacks that the newest SDK declares. */
function callbacks() {
  const types = fs.readFileSync(path.join(__dirname, 'node_modules/easemob-websdk/Easemob-chat.d.ts'), 'utf8');
  const names = new Set();
  for (const [, body] of types.matchAll(/interface (?:EventHandlerType|ListenParameters) \{([\s\S]*?)\n\t\}/g)) {
    for (const [, name] of body.matchAll(/^\t\t(on\w+)\?/gm)) names.add(name);
  }
  return [...names];
}

/** The functions and callbacks that the manuals name. */
function manuals() {
  const names = new Set();
  for (const file of fs.readdirSync(MANUALS).filter(name => /^00[01234]_/.test(name))) {
    const text = fs.readFileSync(path.join(MANUALS, file), 'utf8');
    for (const [, name] of text.matchAll(/\b(?:conn|connection)\.(\w+?)\b/g)) names.add(name.replace(/_.*/, ''));
    for (const [, name] of text.matchAll(/\b(on[A-Z]\w+)\b/g)) names.add(name);
    for (const [, name] of text.matchAll(/\b(?:RongIMLib|Events)\.(\w+)/g)) names.add(name);
    if (/RongIMLib/.test(text)) for (const [, name] of text.matchAll(MEMBER)) names.add(name);
    for (const [, name] of text.matchAll(/`(\w*(?:[Cc]onversation|[Mm]essage|[Ss]ession)\w+)`/g)) names.add(name);
  }
  return [...names].filter(name => !NO_FUNCTIONS.includes(name));
}

const text = fs.readFileSync(PAGE, 'utf8');
const count = rows(text).length;
const wrong = complaints(text);
tap.ok(count > 100 && !wrong.length, `docs/functions.md: ${count} rows, none has an empty cell, each check is there`, wrong.join('\n'));
const absent = callbacks().filter(name => !text.includes(`\`${name}\``));
tap.ok(callbacks().length > 40 && !absent.length, `each of the SDK's ${callbacks().length} callbacks is in it`, absent.join('\n'));
if (fs.existsSync(MANUALS)) {
  const missing = manuals().filter(name => !new RegExp(`\\b${name}\\b`).test(text));
  tap.ok(manuals().length > 50 && !missing.length, `each of the manuals' ${manuals().length} names is in it`, missing.join('\n'));
} else {
  tap.skip("each of the manuals' names is in it", 'no manuals beside the project');
}
const row = '| 004 | `x` | `account:on("message", …)` | [a](../tests/conformance/tap.js) "Prints TAP" |';
const bad = [row.replace('`x`', ''), row.replace('tap.js', 'none.js'), row.replace('Prints TAP', 'no such check'), row.replace('Prints TAP', 'Prints'),
  row.replace('message', 'mesage'), row.replace('account:on', 'account:no'), row.replace(/\[a\].*"/, 'somewhere')];
tap.ok(!complaints(row).length && bad.every(one => complaints(one).length === 1), 'a row that is wrong would be found',
  bad.map(one => complaints(one).join(', ')).join('\n'));
tap.done();
