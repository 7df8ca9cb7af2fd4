'use strict';
// A cloud in memory and what moontide keeps beside it: the sandbox as a process, its control requests, runs of moontide
// in a folder of their own, and what those leave behind: archive, plans, audit.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const binary = path.resolve(process.env.MOONTIDE || path.join(__dirname, '../../build/bin/moontide'));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'moontide-retention-'));
const children = new Set();
const clear = () => {
  for (const child of children) child.kill('SIGKILL');
  if (!process.env.MT_RETENTION_WORLD) fs.rmSync(scratch, { recursive: true, force: true });
};
process.on('exit', clear);
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1));

function files(dir) {
  if (!fs.existsSync(dir)) return [];
  return fs.readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath || entry.path, entry.name)).sort();
}

/** What stands in all of them, compressed or not. */
function text(list) {
  const sealed = list.filter(file => file.endsWith('.zst'));
  const open = list.filter(file => !file.endsWith('.zst')).map(file => fs.readFileSync(file, 'utf8'));
  if (sealed.length) {
    const done = spawnSync('zstd', ['-dcq', ...sealed], { maxBuffer: 1 << 30, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`zstd: ${done.error || done.stderr}`);
    open.unshift(done.stdout); // of each conversation they are the earlier ones
  }
  return open.join('');
}

const objects = lines => lines.split('\n').filter(Boolean).map(line => JSON.parse(line));

class World {
  /** cloud: easemob or rongcloud; options: of `moontide sandbox`. */
  static async start(cloud, ...options) {
    const world = new World();
    world.cloud = cloud;
    world.child = spawn(binary, ['sandbox', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(world.child);
    world.child.once('exit', () => children.delete(world.child));
    const lines = readline.createInterface({ input: world.child.stdout });
    const ready = await new Promise((resolve, reject) => {
      lines.once('line', line => resolve(JSON.parse(line)));
      world.child.once('exit', code => reject(new Error(`the sandbox ended with ${code}`)));
    });
    world.rest = ready.easemob.rest;
    const place = cloud === 'easemob'
      ? `provider = "easemob", appkey = "${ready.easemob.appkey}", rest = "${ready.easemob.rest}",
  websocket = "${ready.easemob.websocket}"`
      : `provider = "rongcloud", appkey = "${ready.rongcloud.appkey}", navigators = { "${ready.rongcloud.navigator}" }`;
    world.config = `account "it" { ${place}, user = "agent", token = "sandbox-agent" }\n`;
    return world;
  }

  stop() {
    return new Promise(gone => { this.child.once('exit', gone); this.child.kill('SIGTERM'); });
  }

  async ask(method, what, body) {
    const answer = await fetch(`${this.rest}/sandbox/${what}`, { method, body });
    const said = await answer.text();
    if (!answer.ok) throw new Error(`the sandbox, ${what}: ${said}`);
    return said;
  }

  faults(spec) { return this.ask('POST', 'faults', spec); }

  /** Orders of /sandbox/change; the ids. */
  async change(orders, empty = false) {
    return JSON.parse(await this.ask('POST', 'change', JSON.stringify({ cloud: this.cloud, empty, do: orders }))).ids;
  }

  when(where, n, orders) {
    return this.ask('POST', 'when', JSON.stringify({ cloud: this.cloud, path: where, n, do: orders }));
  }

  /** What everybody (or one user) sees: Map user → Map id → {conversation, time, from, content}. */
  async view(user) {
    const result = new Map();
    for (let more = ''; more !== null;) {
      const said = await this.ask('GET', `view?cloud=${this.cloud}${user ? `&user=${user}` : ''}${more}`);
      const lines = objects(said);
      const last = lines.pop();
      more = last.next ? `&${last.next}` : null;
      for (const line of lines) {
        if (!result.has(line.user)) result.set(line.user, new Map());
        result.get(line.user).set(line.id, line);
      }
    }
    return result;
  }

  /** A new folder with a configuration; the next runs happen there. */
  folder() {
    if (this.dir) fs.rmSync(this.dir, { recursive: true, force: true });
    this.dir = fs.mkdtempSync(path.join(scratch, 'run-'));
    this.write('moontide.lua', this.config);
    return this.dir;
  }

  write(name, content) { fs.writeFileSync(path.join(this.dir, name), content, { mode: 0o600 }); }

  /** Starts moontide in the folder: {child, end}; end resolves {status, out, err}. */
  start(words) {
    const child = spawn(binary, words, { cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, XDG_STATE_HOME: path.join(this.dir, 'state'), XDG_DATA_HOME: path.join(this.dir, 'data') } });
    children.add(child);
    const out = [];
    const err = [];
    child.stdout.on('data', part => out.push(part));
    child.stderr.on('data', part => err.push(part));
    const end = new Promise(resolve => child.once('close', (code, signal) => {
      children.delete(child);
      resolve({ status: signal || code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() });
    }));
    return { child, end };
  }

  async run(words, seconds = 120) {
    const { child, end } = this.start(words);
    const timer = setTimeout(() => child.kill('SIGABRT'), seconds * 1000);
    const result = await end;
    clearTimeout(timer);
    return result;
  }

  /** moontide retention: {status, json, err}. */
  async retention(words, seconds) {
    const result = await this.run(['retention', '-a', 'it', '--archive', 'archive', '--json', ...words], seconds);
    const line = result.out.trim().split('\n').pop();
    return { ...result, json: line && line.startsWith('{') ? JSON.parse(line) : null };
  }

  /** moontide run of a script of the tests, as somebody's own: {status, json, err}. */
  async script(file, max, words) {
    const result = await this.run(['run', path.join(__dirname, file), '-a', 'it', '--grant', `read,delete:archived,delete:${max}`,
      '--apply', '--', '--account', 'it', '--archive', 'archive', ...words], 300);
    const line = result.out.trim().split('\n').pop();
    return { ...result, json: line && line.startsWith('{') ? JSON.parse(line) : null };
  }

  /** The lines of the archive, in order. */
  lines() {
    return objects(text(files(path.join(this.dir, 'archive')).filter(file => /\/conv\/.*\.jsonl(\.zst)?$/.test(file))));
  }

  /** Lines of the archive by the message they are about: Map id → [line, …]. */
  archived(lines = this.lines()) {
    const result = new Map();
    for (const line of lines) {
      for (const id of new Set([line.id, line.target, line.message].filter(value => typeof value === 'string'))) {
        if (!result.has(id)) result.set(id, []);
        result.get(id).push(line);
      }
    }
    return result;
  }

  /** The ids that a plan holds; null: there is no such plan. */
  plan(hash) {
    const file = files(this.dir).find(name => path.basename(name) === `${hash}.jsonl`);
    if (!file) return null;
    const ids = new Set();
    for (const line of objects(text([file]))) if (typeof line.id === 'string') ids.add(line.id);
    return ids;
  }

  /** All records of the audit, in order. */
  audit() {
    const segments = files(this.dir).filter(file => /\/\d{6}\.jsonl(\.zst)?$/.test(file) && !file.includes('/conv/'));
    return objects(text(segments)).filter(line => typeof line.seq === 'number');
  }
}

module.exports = { World, scratch };
