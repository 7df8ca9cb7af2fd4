'use strict';
// Users of any generation of the SDK: the calls of sdk_user.js as functions that return promises.
const { fork } = require('node:child_process');
const path = require('node:path');
const { Arrivals } = require('./peers.js');

/** Logs a user in: {seen, send, fetchHistoryMessages, recall, edit, joinChatRoom, call(name, …), close}. A failed call
 * throws with the SDK's error type. */
exports.login = async (version, ready, user, options = {}) => {
  const child = fork(path.join(__dirname, 'sdk_user.js'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const seen = new Arrivals();
  const waiting = new Map();
  let last = 0;
  child.on('message', ({ n, value, error, type, name, event }) => {
    if (name) { seen.push({ name, event }); return; }
    const { resolve, reject } = waiting.get(n);
    waiting.delete(n);
    if (error) reject(Object.assign(new Error(`${user} with ${version}: ${error}`), { type }));
    else resolve(value);
  });
  child.on('exit', code => {
    for (const { reject } of waiting.values()) reject(new Error(`${user} with ${version}: the process ended with ${code}`));
  });
  const ask = (call, ...args) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    child.send({ n: last, call, args });
  });
  await ask('login', version, ready, user, options);
  const calls = ['send', 'fetchHistoryMessages', 'recall', 'edit', 'joinChatRoom', 'call'];
  return {
    ...Object.fromEntries(calls.map(name => [name, (...args) => ask(name, ...args)])),
    version, user, seen,
    close: async () => { await ask('close'); child.disconnect(); },
  };
};
