'use strict';
// Runs the program under test: the sandbox as a server, and any verb with a configuration of its own.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const binary = path.resolve(process.env.MOONTIDE || path.join(__dirname, '../../build/bin/moontide'));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'moontide-conformance-'));
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  fs.rmSync(scratch, { recursive: true, force: true });
});

// What a session leaves behind for the next one is forgotten with the test.
process.env.XDG_STATE_HOME = path.join(scratch, 'state');

exports.scratch = scratch;

/** Starts a sandbox and resolves {ready, pid, stop()} when it listens. */
exports.sandbox = (...options) => new Promise((resolve, reject) => {
  const child = spawn(binary, ['sandbox', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const stop = () => new Promise(gone => { child.once('exit', gone); child.kill('SIGTERM'); });
  child.once('exit', code => { children.delete(child); reject(new Error(`the sandbox ended with ${code}`)); });
  readline.createInterface({ input: child.stdout })
    .once('line', text => resolve({ ready: JSON.parse(text), pid: child.pid, stop }));
});

/** Writes a configuration with one account "it" and returns its path. */
function write(user, settings, extra) {
  const file = path.join(scratch, `config-${user}-${Math.random().toString(36).slice(2)}.lua`);
  fs.writeFileSync(file, `account "it" { user = "${user}", ${settings}, ${extra} }\n`, { mode: 0o600 });
  return file;
}

exports.config = (ready, user, extra = '') => {
  const { appkey, rest, websocket } = ready.easemob;
  return write(user, `provider = "easemob", appkey = "${appkey}", password = env "CONFORMANCE_PASSWORD",
    rest = "${rest}", websocket = "${websocket}"`, extra);
};

/** The same with the other cloud; the password that a verb is started with is the token. */
exports.rongConfig = (ready, user, extra = '') => {
  const { appkey, navigator } = ready.rongcloud;
  return write(user, `provider = "rongcloud", appkey = "${appkey}", token = env "CONFORMANCE_PASSWORD",
    navigators = { "${navigator}" }`, extra);
};

/** Starts a verb; the child process. */
exports.start = (args, { password = 'secret' } = {}) => {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: scratch,
    env: { ...process.env, CONFORMANCE_PASSWORD: password } });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
};

/** Runs a verb to its end: {status, out, err}. */
exports.run = (args, options = {}) => new Promise(resolve => {
  const env = { ...process.env, CONFORMANCE_PASSWORD: options.password || 'secret', ...options.env };
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env, cwd: scratch });
  children.add(child);
  const out = [];
  const err = [];
  child.stdout.on('data', part => out.push(part));
  child.stderr.on('data', part => err.push(part));
  child.once('close', (status, signal) => {
    children.delete(child);
    resolve({ status: signal || status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() });
  });
});

/** Every line of an archive as objects, by conversation, in order. */
exports.archive = dir => {
  const result = new Map();
  const visit = folder => {
    for (const name of fs.readdirSync(folder).sort()) {
      const file = path.join(folder, name);
      if (fs.statSync(file).isDirectory()) { visit(file); continue; }
      if (!/^\d+\.jsonl(\.zst)?$/.test(name)) continue;
      const bytes = name.endsWith('.zst')
        ? require('node:child_process').execFileSync('zstd', ['-dcq', file], { maxBuffer: 1 << 30 })
        : fs.readFileSync(file);
      for (const text of bytes.toString('utf8').split('\n')) {
        if (!text) continue;
        const line = JSON.parse(text);
        if (!result.has(line.conversation)) result.set(line.conversation, []);
        result.get(line.conversation).push(line);
      }
    }
  };
  visit(dir);
  return result;
};
