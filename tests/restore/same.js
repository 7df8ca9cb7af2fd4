// Whether what was restored is what was there: node same.js ARCHIVE RESTORED. Message by message but for ids, with the newest
// content, without what is not restored.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

function filesBelow(dir) {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    (entry.isDirectory() ? filesBelow(path.join(dir, entry.name)) : [path.join(dir, entry.name)]));
}

// Keys in one order; url is made of remote_path by whoever reads.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, plain(value[key])]));
}

function read(archive) {
  const out = new Map();
  const add = (conversation) => {
    if (!out.has(conversation)) out.set(conversation, { messages: [], edits: new Map(), gone: new Set() });
    return out.get(conversation);
  };
  for (const file of filesBelow(archive).filter((name) => /\/conv\/[^/]+\/\d+\.jsonl$/.test(name)).sort()) {
    for (const line of fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((one) => JSON.parse(one))) {
      const known = add(line.conversation);
      if (!line.type) known.messages.push(line);
      else if (line.type === 'edit') known.edits.set(line.target, line);
      else if (line.type === 'recall') known.gone.add(line.target);
    }
  }
  for (const known of out.values()) {
    known.messages = known.messages.filter((line) => line.kind !== 'combine' && !known.gone.has(line.id)).sort((a, b) => a.time - b.time)
      .map((line) => {
        const { text, body } = known.edits.get(line.id) || line;
        const content = { ...body };
        delete content.url;
        delete content.gif; // the server's form has no word for it
        if (line.kind === 'video') { delete content.width; delete content.height; delete content.thumbnail_url; }
        return { time: line.time, text: JSON.stringify(plain({ from: line.from, to: line.to, direction: line.direction, kind: line.kind, text, body: content, ext: line.ext })) };
      });
  }
  return out;
}

const [before, after] = process.argv.slice(2).map(read);
let n = 0;
let wrong = 0;
for (const [conversation, { messages }] of before) {
  const restored = (after.get(conversation) || { messages: [] }).messages;
  if (restored.length !== messages.length) console.log(`${conversation}: ${restored.length} of ${messages.length}`, wrong += 1);
  for (const [i, message] of messages.entries()) {
    n += 1;
    if (!restored[i] || restored[i].text !== message.text || Math.abs(restored[i].time - message.time) > 1000) {
      wrong += 1;
      if (wrong < 4) console.log(conversation, i, message.text, restored[i] && restored[i].text);
    }
  }
}
console.log(`${n} messages, ${wrong} differ`);
process.exitCode = wrong ? 1 : 0;
